"""kill -9, no memory, no room: training goes on from the last complete checkpoint, or says why not.

ASSAY_REPEAT=10 makes the kill tests ten times as many.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from assay import Client
from tests.service.folders import data_folder
from tests.service.live import ROOT, Live
from tests.service.serve.test_survival import kill_tree, rows
from tests.service.training.requests import (
    QUICK,
    finished,
    scored,
    start,
    upload_datasets,
)
from tests.waiting import until
from trainers.job.process import allocator

pytestmark = pytest.mark.slow

REPEAT = range(int(os.environ.get("ASSAY_REPEAT", "1")))
STEPS, SAVE = 60, 10
LONG = QUICK | {"max_steps": STEPS, "save_steps": SAVE, "batch_size": 16}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of this module alone: a file system is mounted below it."""
    folder: Path = tmp_path_factory.mktemp("survival")
    return folder


@pytest.fixture(scope="module")
def database(new_database: Any) -> str:
    url: str = new_database()
    return url


@pytest.fixture(scope="module")
def service(
    database: str, data_dir: Path, models_root: Path, tiny_language_model: Path
) -> Iterator[Live]:
    """A service whose workers are the tests' to start and kill."""
    made = Live(database, data_dir, model_roots=str(models_root))
    made.api()
    made.worker("now,score")
    yield made
    made.close()


@pytest.fixture(scope="module")
def assay(service: Live) -> Iterator[Client]:
    with service.client() as client:
        upload_datasets(client)
        yield client


@pytest.mark.parametrize("turn", REPEAT)
def test_a_killed_trainer_is_started_again(
    service: Live, assay: Client, database: str, turn: int
) -> None:
    with worker(service):
        job = start(assay, "sft", options=LONG)
        until(lambda: under_way(assay, job), 90)
        given = trainer(job).environ()  # read when a process starts, so it must be there by then
        assert given.items() >= allocator().items()
        assert given.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}
        os.kill(trainer(job).pid, signal.SIGKILL)
        all_done(assay, database, job, attempts=2)


@pytest.mark.parametrize("turn", REPEAT)
def test_a_killed_workers_training_is_taken_over(
    service: Live, assay: Client, database: str, turn: int
) -> None:
    with worker(service) as first:
        job = start(assay, "sft", options=LONG)
        until(lambda: under_way(assay, job), 90)
        orphan = trainer(job)
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE, 2)
    with worker(service):
        all_done(assay, database, job, attempts=2)


def test_a_checkpoint_that_nobody_recorded_is_adopted(
    service: Live, assay: Client, database: str, data_dir: Path
) -> None:
    """The supervisor stands still while one is completed, and is killed with its worker."""
    with worker(service) as first:
        job = start(assay, "sft", options=LONG)
        until(lambda: under_way(assay, job), 90)
        training = trainer(job)
        psutil.Process(training.ppid()).suspend()
        recorded = assay.request("GET", f"/v1/training_jobs/{job}/checkpoints")["data"][-1]["step"]
        until(lambda: max(saved(data_dir, job)) > recorded, 60, pause=0.002)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        until(lambda: not training.is_running() or training.status() == psutil.STATUS_ZOMBIE, 5)
    left = max(saved(data_dir, job))
    with worker(service):
        all_done(assay, database, job, attempts=2 if left < STEPS else 1)
    if left < STEPS:
        spec = (data_dir / "training" / job / "attempt-2" / "spec.json").read_text()
        assert json.loads(spec)["resume"].endswith(f"attempt-1/checkpoint-{left}")


@pytest.mark.parametrize("told", ["worker", "everything"])
def test_a_stopped_worker_loses_no_step(
    service: Live, assay: Client, database: str, data_dir: Path, told: str
) -> None:
    """SIGTERM to the worker, as in a container, or to each of its processes, as from systemd: here
    with torchrun and two ranks among them."""
    ranks = 2 if told == "everything" else 1
    options = LONG | {"batch_size": LONG["batch_size"] // ranks}
    with worker(service) as first:
        job = start(assay, "sft", options=options, resources={"processes": ranks})
        until(lambda: under_way(assay, job), 90)
        below = psutil.Process(first.pid).children(recursive=True) if told == "everything" else []
        for process in [*below, first]:
            process.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0
    found = assay.request("GET", f"/v1/training_jobs/{job}")
    assert (found["status"], found["attempt"], found["control"]) == ("running", 1, None)
    assert found["step"] < STEPS
    query = "SELECT attempts, status::text FROM procrastinate_jobs WHERE queue_name = 'train'"
    assert list(rows(database, query)) == [(0, "todo")]
    with worker(service):
        all_done(assay, database, job, attempts=2)
    before, after = (logged(data_dir, job, attempt) for attempt in (1, 2))
    assert before + after == [*range(1, STEPS + 1)]
    assert sorted(set(saved(data_dir, job))) == [*range(SAVE, STEPS + 1, SAVE)]
    assert "released" in [one.type for one in assay.events_of(f"/v1/training_jobs/{job}")]


@pytest.mark.chaos
def test_after_everything_is_killed_training_goes_on(
    models_root: Path, tiny_language_model: Path
) -> None:
    with data_folder() as data:
        service = Live("", data, model_roots=str(models_root))
        del service.env["ASSAY_DATABASE_URL"]
        serve = [sys.executable, "-m", "service.cli", "serve", "--device", "cpu"]
        process = subprocess.Popen(serve, cwd=ROOT, env=service.env)
        try:
            until(service._answers, 60)
            with service.client() as assay:
                upload_datasets(assay)
                job = start(assay, "sft", options=LONG)
                until(lambda: under_way(assay, job), 90)
            kill_tree(process.pid)
            process.wait()
            process = subprocess.Popen(serve, cwd=ROOT, env=service.env)
            until(service._answers, 60)
            with service.client() as assay:
                all_done(assay, None, job, attempts=2)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def test_without_memory_the_failure_says_what_to_do(service: Live, assay: Client) -> None:
    """A worker and its children may address 3.5 GiB: enough to train, not for this step."""
    said = {"role": "assistant", "content": "y" * 200}
    row = {"messages": [{"role": "user", "content": "x"}, said]}
    assay.create_dataset("wide", [row] * 1024, kind="sft")
    options = QUICK | {"batch_size": 1024, "max_length": 256}
    with worker(service, ["prlimit", f"--as={7 << 29}"]):
        job = start(assay, "sft", dataset="wide", options=options, evaluation=None)
        failed = finished(assay, job)
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "out_of_memory", failed["error"]
    assert "smaller batch_size" in failed["error"]["message"]
    assert failed["error"]["last_checkpoint"] is None
    assert failed["attempt"] == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_with_a_full_disk_earlier_checkpoints_stay_and_training_goes_on_later(
    service: Live, assay: Client, data_dir: Path, database: str
) -> None:
    with small_disk(data_dir / "training", megabytes=5) as disk, worker(service):
        job = start(assay, "sft", options=LONG)
        failed = finished(assay, job)
        assert failed["status"] == "failed"
        assert failed["error"]["code"] == "disk_full", failed["error"]
        kept = assay.request("GET", f"/v1/training_jobs/{job}/checkpoints")["data"]
        assert failed["error"]["last_checkpoint"] == kept[-1]["id"]
        assert 0 < kept[-1]["step"] < STEPS
        again = assay.evaluate(
            model=kept[-1]["id"], dataset="held-out", metrics=["length"], system="kept"
        )
        assert assay.wait(again.id, timeout=60).status == "succeeded"
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assay.request("POST", f"/v1/training_jobs/{job}/resume")
        all_done(assay, database, job, attempts=2)


def saved(data_dir: Path, job: str) -> list[int]:
    """Steps of the complete checkpoints on the disk."""
    found = (data_dir / "training" / job).glob("attempt-*/checkpoint-*/complete.json")
    return [int(path.parent.name.removeprefix("checkpoint-")) for path in found]


def logged(data_dir: Path, job: str, attempt: int) -> list[int]:
    """Steps that the attempt trained."""
    path = data_dir / "training" / job / f"attempt-{attempt}" / "events.jsonl"
    reports = [json.loads(line) for line in path.read_text().splitlines()]
    return [one["step"] for one in reports if one["type"] == "series"]


@contextmanager
def worker(service: Live, prefix: list[str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """One that trains, for the duration."""
    command = [*(prefix or []), sys.executable, "-m", "service.jobs.worker", "--queues=train"]
    process = subprocess.Popen(command, cwd=ROOT, env=service.env)
    service.processes.append(process)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def trainer(job: str) -> psutil.Process:
    """The process that trains it."""
    (found,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "trainers.job.process" in (command := process.info["cmdline"] or [])
        and any(job in part for part in command)
    ]
    return found


def under_way(assay: Client, job: str) -> bool:
    """Past its first checkpoint, before its end, and with steps that a kill loses."""
    found = assay.request("GET", f"/v1/training_jobs/{job}")
    assert found["status"] in {"queued", "running"}, found
    step: int = found["step"]
    return SAVE < step < STEPS and step % SAVE > 0


def all_done(assay: Client, url: str | None, job: str, attempts: int) -> None:
    """Every step once, every checkpoint once, one evaluation each."""
    done = finished(assay, job)
    assert done["status"] == "succeeded", done["error"]
    assert (done["step"], done["total_steps"], done["attempt"]) == (STEPS, STEPS, attempts)
    steps = [*range(SAVE, STEPS + 1, SAVE)]
    curve = scored(assay, job)
    assert [one["step"] for one in curve] == [0, *steps]
    series = assay.request("GET", f"/v1/training_jobs/{job}/metrics")["series"]
    assert [step for step, _ in series["loss"]] == [*range(1, STEPS + 1)]
    told = list(assay.events_of(f"/v1/training_jobs/{job}"))
    assert [event.data["step"] for event in told if event.type == "checkpoint"] == steps
    assert sum(event.type == "running" for event in told) == attempts
    if url is not None:
        query = "SELECT system FROM evaluations WHERE system LIKE :one ORDER BY id"
        systems = [row[0] for row in rows(url, query, one=f"{job}/%")]
        assert sorted(systems) == sorted([f"{job}/start", *(f"{job}/{step}" for step in steps)])
