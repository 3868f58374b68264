"""One running service for the client's tests, and both clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay import Client
from tests.assay.blocking import KINDS, client_of
from tests.service.conftest import data_dir, new_database, postgres, template
from tests.service.live import Live

__all__ = ["assay", "data_dir", "kind", "live", "new_database", "postgres", "template"]


@pytest.fixture(scope="session")
def live(
    new_database: Callable[[], str],
    data_dir: Path,
    models_root: Path,
    tiny_language_model: Path,
) -> Iterator[Live]:
    """A service with one worker that scores and trains; local models are under `models_root`."""
    service = Live(new_database(), data_dir, model_roots=str(models_root))
    service.api()
    service.worker("now,score,train")
    yield service
    service.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which client a test is about: it runs once for each."""
    return str(request.param)


@pytest.fixture
def assay(kind: str, live: Live) -> Iterator[Client]:
    """A client of the running service."""
    with client_of(kind, live.base) as client:
        yield client
