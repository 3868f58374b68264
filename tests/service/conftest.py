"""A client of the running service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assay import Client
from tests.service.live import Live


@pytest.fixture(scope="session")
def assay(live: Live) -> Iterator[Client]:
    """A client of `live`."""
    with live.client() as client:
        yield client
