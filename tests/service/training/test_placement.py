"""GPUs are one job's at a time: leased in the database. nvidia-smi tells of four that are not."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from service.devices import leases
from service.devices.policy import lock_paths
from service.jobs.context import Released
from service.models.resources import Resources
from service.training import jobs as train
from service.training import placement
from service.training import store as training
from service.training.placement import TooFewDevices, leased
from service.training.process import release_wanted
from tests.service.training.recorded import Job
from tests.waiting import until

SMI = """#!/bin/sh
case "$*" in
    -L) for i in 0 1 2 3; do echo "GPU $i: made up (UUID: GPU-$i)"; done;;
    *uuid*) echo "GPU-${1#--id=}";;
    *) echo 40000;;
esac
"""


@pytest.fixture(autouse=True)
def _gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(placement, "LOOK_EVERY", 0.05)


@pytest.fixture
def on_gpu(new_job: Callable[..., Job]) -> Callable[..., Job]:
    """A job that the worker of this device takes."""

    def make(device: str, processes: int = 1) -> Job:
        job = new_job()
        with job.context.engine.begin() as db:
            training.change(db, job.id, resources={"processes": processes})
        resources = Resources(job.context.settings, device)
        job.context = replace(job.context, resources=resources)
        return job

    return make


def held(job: Job) -> Any:
    return leased(job.context, job.id, lambda: False)


def test_jobs_of_several_processes_have_devices_of_their_own(on_gpu: Callable[..., Job]) -> None:
    """Both had the first two."""
    first, second, third = on_gpu("cuda:0", 2), on_gpu("cuda:3", 2), on_gpu("cuda:1")
    with held(first) as one, held(second) as two:
        assert (one.devices, two.devices) == (("cuda:0", "cuda:1"), ("cuda:2", "cuda:3"))
        attempt = train._begin(second.context, second.id, None, two)
        assert attempt is not None
        assert attempt.spec.devices == ("cuda:2", "cuda:3")
        turns = second.context.settings.model_copy(update={"device_sharing": "turns"})
        locked = [path.name[-5:] for path in lock_paths(turns, "cuda:3", two.devices)]
        assert locked == ["GPU-2", "GPU-3"]

        got: list[tuple[str, ...]] = []

        def wait() -> None:
            with held(third) as lease:
                got.append(lease.devices)

        waiting = threading.Thread(target=wait)
        waiting.start()
        until(lambda: "waits_for_devices" in third.events(), 10)
        assert not got
    waiting.join(10)
    assert got == [("cuda:1",)]


def test_a_lease_ends_with_its_holder(on_gpu: Callable[..., Job]) -> None:
    """A worker that died gives nothing back: its lease is not renewed, or its job runs again."""
    dead, other = on_gpu("cuda:0", 4), on_gpu("cuda:0")
    lease = held(dead).__enter__()
    with held(dead) as again:
        assert again.devices == lease.devices
        with dead.context.engine.begin() as db:
            assert leases.renew(db, lease._holder) == 0
            late = text("UPDATE device_leases SET seen_at = now() - make_interval(secs => :late)")
            db.execute(late, {"late": leases.EXPIRY + 1})
        with held(other) as taken:
            assert taken.devices == ("cuda:0",)


def test_who_has_lost_the_lease_lets_go(
    on_gpu: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "RENEW_EVERY", 0.05)
    job = on_gpu("cuda:0")
    with held(job) as lease:
        assert not lease.lost
        attempt = train._begin(job.context, job.id, None, lease)
        assert attempt is not None
        with job.context.engine.begin() as db:
            db.execute(text("DELETE FROM device_leases"))
        until(lambda: lease.lost, 10)
        turn = train._turns(job.context, lease)
        assert release_wanted(job.context, attempt, turn) == "release"
        with pytest.raises(Released):
            train._take(job.context, job.id, lease, turn)


def test_what_no_machine_has_is_refused(on_gpu: Callable[..., Job]) -> None:
    many = on_gpu("cuda:0", 5)
    with pytest.raises(TooFewDevices, match="at most 4"), held(many):
        pass
    train.run(many.context, many.id)
    error = many.row.error
    assert error is not None
    assert (many.row.status, error["code"]) == ("failed", "unsupported")


def test_a_cpu_is_nobodys(new_job: Callable[..., Job]) -> None:
    first, second = new_job(), new_job()
    with held(first) as one, held(second) as two:
        assert one.devices == two.devices == ()
        assert not one.missing
