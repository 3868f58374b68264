"""A service with a checkpoint trained in this run, for what has an environment of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.service.live import Live
from tests.service.training.requests import finished, start, upload_datasets

MODEL = "builtin/smollm2-135m-instruct"
VLLM, INSPECT = ROOT / ".others" / "vllm", ROOT / ".others" / "inspect"  # `make others`
QUICK = {"max_steps": 3, "save_steps": 3, "batch_size": 4, "max_length": 128, "learning_rate": 2e-3}


@pytest.fixture(scope="session")
def service(new_database: Callable[[], str], data_dir: Path) -> Iterator[Live]:
    """The API and a worker that trains; who answers and measures is each module's choice."""
    service = Live(new_database(), data_dir, model_memory_bytes=str(2 * 2**30))
    service.api()
    service.worker("train")
    yield service
    service.close()


@pytest.fixture(scope="session")
def checkpoint(service: Live) -> str:
    """The name of a LoRA checkpoint of the builtin model."""
    with service.client() as assay:
        upload_datasets(assay)
        options = QUICK | {"lora": True}
        job = start(assay, "sft", model=MODEL, options=options, evaluation=None)
        done = finished(assay, job, 400)
        assert done["status"] == "succeeded", done["error"]
        found: str = assay.request("GET", f"/v1/training_jobs/{job}/checkpoints")["data"][-1]["id"]
    return found


def ended(worker: subprocess.Popen[bytes]) -> None:
    """Once it has ended as a worker does that is told to."""
    worker.terminate()
    assert worker.wait(60) == 0
