"""Training jobs: of the running service, and some whose process a test plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from assay import Client
from service.datasets import store as datasets
from service.jobs.context import Context
from service.models.resources import Resources
from service.settings import Settings
from service.training import store as training
from tests.service.live import Live
from tests.service.training.recorded import Job
from tests.service.training.requests import PROMPTS, upload_datasets


@pytest.fixture(scope="session")
def assay(live: Live) -> Iterator[Client]:
    """A client of `live`, which has the datasets that jobs of tests name."""
    with live.client() as client:
        upload_datasets(client)
        yield client


@pytest.fixture
def new_job(engine: Engine, fresh_url: str, tmp_path: Path) -> Callable[..., Job]:
    settings = Settings(
        database_url=SecretStr(fresh_url), data_dir=tmp_path, metric_roots=(tmp_path / "metrics",)
    )
    context = Context(Resources(settings, "cpu"))

    def make(model: str = "tiny-language", **evaluation: Any) -> Job:
        with engine.begin() as db:
            held_out, _ = datasets.put(db, "held-out", "eval", PROMPTS[:8])
            asked = {
                **{"dataset_id": held_out.id, "metrics": [{"name": "chrf", "params": {}}]},
                **{"generation": {}, "select_by": "chrf", "watch": ["chrf"]},
            }
            made = training.create(
                db,
                method="sft",
                model=model,
                models=[model],
                dataset_id=held_out.id,
                options={"max_steps": 8},
                evaluation=asked | evaluation,
                resources={},
            )
        return Job(context, made)

    return make
