"""The API process as it runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from service.app import create_app
from service.settings import Settings


@pytest.fixture
def collector() -> Iterator[None]:
    """As it was, afterwards."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_loaded_is_not_searched_for_garbage(fresh_url: str, collector: None) -> None:
    with TestClient(create_app(Settings(database_url=SecretStr(fresh_url)))) as client:
        assert client.get("/healthz").status_code == 200
        assert gc.get_freeze_count() > 50_000
