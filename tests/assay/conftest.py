"""Both clients of the running service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assay import Client
from tests.assay.blocking import KINDS, client_of
from tests.service.live import Live


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which client a test is about: it runs once for each."""
    return str(request.param)


@pytest.fixture
def assay(kind: str, live: Live) -> Iterator[Client]:
    """A client of the running service."""
    with client_of(kind, live.base) as client:
        yield client
