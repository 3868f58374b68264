"""The training process from outside: stopping, dying, failing; what is left, and what is said."""

from __future__ import annotations

import errno
import gc
import os
import pkgutil
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

import trainers.job
from inference.errors import UnknownModel
from tests.rounding import TRAINED
from tests.trainers.job.attempts import (
    PATIENCE,
    attempt,
    finish,
    here,
    last_complete,
    losses,
    reports,
    saved,
    start,
)
from tests.waiting import until
from trainers.job.checkpoints import is_complete
from trainers.job.errors import TrainingError
from trainers.job.process import environment, explained, launch, load_libraries, train
from trainers.job.run import Run
from trainers.job.spec import CONTROL, LOG, Spec

RECORDS = [
    {"prompt": f"Сколько будет {n} + {n}?", "completion": f"{2 * n}, of course."} for n in range(8)
]
OPTIONS: Mapping[str, Any] = {"batch_size": 4, "learning_rate": 1e-3, "max_length": 128}


def last_step(spec: Spec) -> int:
    return max((report.step for report in reports(spec)), default=0)


def test_killed_it_goes_on_from_the_last_checkpoint(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    """kill -9 to who started it ends the process in the same way; another does the rest."""
    options = dict(OPTIONS) | {"max_steps": 100, "save_steps": 20}
    job = tmp_path / "job"
    first = attempt(job, "sft", tiny_language_model, RECORDS, options)
    code = (
        f"import subprocess, time; print(subprocess.Popen({launch(first)!r}).pid, flush=True); "
        "time.sleep(1000)"
    )
    with (first.folder / LOG).open("wb") as log:
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=log)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    until(lambda: saved(reports(first)), PATIENCE)
    parent.kill()
    parent.wait()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10)
    before = reports(first)
    assert before[-1].type in {"series", "checkpoint"}
    folder = last_complete([first.folder])
    assert folder is not None
    (step,) = (step for step, where in saved(before).items() if where == folder)

    second = attempt(job, "sft", tiny_language_model, RECORDS, options, 2, resume=folder)
    found = finish(second)
    assert (found[-1].type, found[-1].step) == ("finished", 100)
    assert list(losses(found)) == list(range(step + 1, 101))
    assert losses(found)[100] < 0.5 * losses(before)[1]


def test_a_checkpoint_that_does_not_fit_leaves_the_earlier_one(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    """Files may not grow from some step on: the next checkpoint fails half-way."""
    options = dict(OPTIONS) | {"max_steps": 100_000, "save_steps": 10}
    job = tmp_path / "job"
    spec = attempt(job, "sft", tiny_language_model, RECORDS, options)
    process = start(spec)
    until(lambda: saved(reports(spec)), PATIENCE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (200_000, 200_000))
    assert process.wait(PATIENCE) == 1
    failed = reports(spec)[-1]
    assert (failed.type, failed.name) == ("failed", "disk_full"), failed
    folders = list(spec.folder.glob("checkpoint-*"))
    assert folders
    assert all(map(is_complete, folders))
    last = last_complete([spec.folder])
    assert failed.data["last_checkpoint"] == str(last)

    reached = max(saved(reports(spec)))
    more = options | {"max_steps": reached + 5}
    again = attempt(job, "sft", tiny_language_model, RECORDS, more, 2, resume=last)
    assert list(losses(here(again))) == [reached + more for more in range(1, 6)]


@pytest.mark.slow
def test_two_processes_train_as_one(tiny_language_model: Path, tmp_path: Path) -> None:
    """gloo on the CPU, half the batch each; asked to stop, both do at the same step."""
    options = dict(OPTIONS) | {"max_steps": 4, "schedule": "constant"}
    alone = here(attempt(tmp_path / "one", "sft", tiny_language_model, RECORDS, options))
    shared = options | {"max_steps": 100_000, "save_steps": 2, "batch_size": 2}
    spec = attempt(tmp_path / "two", "sft", tiny_language_model, RECORDS, shared, processes=2)
    process = start(spec)
    until(lambda: last_step(spec) >= 4, PATIENCE)
    (spec.folder / CONTROL).write_text("cancel")
    assert process.wait(PATIENCE) == 0
    found = reports(spec)
    together = [losses(found)[step] for step in range(1, 5)]
    assert together == pytest.approx(list(losses(alone).values()), rel=TRAINED)
    *_, checkpoint, stopped = found
    assert (stopped.type, stopped.name, stopped.step) == ("stopped", "cancel", checkpoint.step)
    names = {path.name for path in Path(checkpoint.data["folder"]).iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth", "complete.json"} <= names
    assert list(losses(found)) == list(range(1, stopped.step + 1))  # told once


def caught(action: Callable[[], Any]) -> Exception:
    try:
        action()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


@contextmanager
def small_files() -> Iterator[None]:
    """No file may be larger than 1,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_by_hand(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        file.seek(1000)
        file.write(b"x")


def write_by_torch(path: Path) -> None:
    import torch

    torch.save(torch.zeros(100_000), path)


def write_by_safetensors(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(100_000)}, path)


@pytest.mark.parametrize("write", [write_by_hand, write_by_torch, write_by_safetensors])
def test_a_full_disk_is_recognised(write: Callable[[Path], None], tmp_path: Path) -> None:
    with small_files():
        error = caught(lambda: write(tmp_path / "file"))
    found = explained(error)
    assert (found.code, "make room" in found.message) == ("disk_full", True), error
    assert explained(OSError(errno.ENOSPC, "No space left on device")).code == "disk_full"
    assert explained(OSError(errno.ENOENT, "No such file")).code == "crashed"


def ask_too_much() -> None:
    import torch

    torch.empty(1 << 60)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (ask_too_much, "out_of_memory"),
        (lambda: bytearray(1 << 60), "out_of_memory"),
        (lambda: RECORDS[0]["key"], "crashed"),
    ],
)
def test_causes_are_told_apart(action: Callable[[], Any], code: str) -> None:
    found = explained(caught(action))
    assert found.code == code
    wanted = {"out_of_memory": "batch_size", "crashed": "KeyError: 'key'"}
    assert wanted[code] in found.message


def test_a_process_sees_its_own_device_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainer would spread over all it sees."""
    spec = attempt(tmp_path / "job", "sft", "builtin/none", [], {}, device="cuda:1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert environment(spec)["CUDA_VISIBLE_DEVICES"] == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert environment(spec)["CUDA_VISIBLE_DEVICES"] == "5"
    several = spec.model_copy(update={"processes": 2})
    assert "CUDA_VISIBLE_DEVICES" not in environment(several)
    on_cpu = environment(spec.model_copy(update={"device": "cpu"}))
    assert (on_cpu["CUDA_VISIBLE_DEVICES"], on_cpu["HF_HUB_OFFLINE"]) == ("", "1")


def test_more_processes_than_gpus_are_refused(
    tiny_language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    options = {"max_steps": 1, "save_steps": 1}
    job = tmp_path / "job"
    spec = attempt(job, "sft", tiny_language_model, RECORDS, options, device="cuda:0", processes=3)
    with pytest.raises(TrainingError, match="3 processes need a GPU each, and this worker sees 2"):
        train(Run(spec))


def test_typed_errors_keep_their_code_and_field() -> None:
    error = explained(UnknownModel("no such model", "model"))
    assert (error.code, error.field) == ("unknown_model", "model")
    same = TrainingError("diverged", "at step 3")
    assert explained(same) is same


def test_the_collector_rests_only_while_libraries_are_read() -> None:
    before = gc.get_freeze_count()
    load_libraries()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before


HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "safetensors")


def test_trainers_and_their_jobs_load_no_model_library() -> None:
    names = [
        f"trainers.job.{module.name}" for module in pkgutil.iter_modules(trainers.job.__path__)
    ]
    assert "trainers.job.process" in names
    code = (
        f"import sys, trainers, {', '.join(names)}\n"
        "assert {'sft', 'reward'} <= set(trainers.catalogue())\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"
