"""What a training process sees of a machine: its job's devices, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainers.job.process import environment
from trainers.job.spec import Spec


def seen(**fields: Any) -> str | None:
    spec = Spec(
        job="job_1",
        attempt=1,
        method="sft",
        options={},
        model="tiny",
        dataset="toy@1",
        data=Path("data.jsonl"),
        folder=Path("attempt-1"),
        cache_dir=Path("cache"),
        **fields,
    )
    return environment(spec).get("CUDA_VISIBLE_DEVICES")


def test_processes_see_the_devices_that_are_leased(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers' jobs of two processes each: both took the first two GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    two: dict[str, Any] = {"device": "cuda:3", "processes": 2}
    assert seen(**two, devices=("cuda:2", "cuda:3")) == "2,3"
    assert seen(device="cuda:1", devices=("cuda:1",)) == "1"
    assert seen(device="cuda:1") == "1"
    assert seen(device="cpu") == ""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,GPU-c,GPU-d")
    assert seen(**two, devices=("cuda:0", "cuda:3")) == "GPU-a,GPU-d"
