"""Real worker processes for the engine's tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from tests.service.jobs.handlers import SCHEMA
from tests.service.live import ROOT
from tests.waiting import until

NEWEST = text("SELECT coalesce(max(id), 0) FROM procrastinate_workers")
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def runs(engine: Engine) -> Engine:
    """A database with the table that `handlers` write to."""
    with engine.begin() as db:
        db.execute(text(SCHEMA))
    return engine


@pytest.fixture
def start(fresh_url: str, runs: Engine) -> Iterator[Start]:
    """Starts a worker process on the test's database, and returns once it takes tasks."""
    started: list[subprocess.Popen[bytes]] = []

    def newest() -> int:
        with runs.connect() as db:
            return int(db.scalar(NEWEST) or 0)

    def start_worker(queues: str = "score", **settings: str) -> subprocess.Popen[bytes]:
        before = newest()
        given = {f"ASSAY_{name.upper()}": value for name, value in settings.items()}
        url = {"ASSAY_DATABASE_URL": fresh_url, "ASSAY_LOG_LEVEL": "WARNING"}
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "service.jobs.worker", f"--queues={queues}"),
                *("--handlers=tests.service.jobs.handlers:HANDLERS", "--grace=2"),
            ],
            cwd=ROOT,
            env=os.environ | url | given,
        )
        started.append(worker)
        until(lambda: newest() > before, 20)
        return worker

    yield start_worker
    for worker in started:
        worker.kill()
        worker.wait()
