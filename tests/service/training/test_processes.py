"""Jobs of several processes over HTTP: sharded weights, a killed rank, what is refused."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from assay import Client
from tests.service.live import Live
from tests.service.training.requests import (
    QUICK,
    finished,
    job_body,
    scored,
    start,
    upload_datasets,
)
from tests.service.training.test_survival import LONG, REPEAT, all_done, under_way, worker
from tests.waiting import until

TWO = {"processes": 2}


@pytest.fixture(scope="module")
def database(new_database: Any) -> str:
    url: str = new_database()
    return url


@pytest.fixture(scope="module")
def service(
    database: str, data_dir: Path, models_root: Path, tiny_language_model: Path
) -> Iterator[Live]:
    """Workers that train are the tests' to start."""
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


def processes(job: str) -> list[psutil.Process]:
    """All that work on it: torchrun and its ranks."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if any(job in part for part in process.info["cmdline"] or [])
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def ranks(job: str) -> dict[int, psutil.Process]:
    found = {}
    for process in processes(job):
        if "torch.distributed.run" not in process.info["cmdline"]:
            found[int(process.environ()["RANK"])] = process
    return found


@pytest.mark.chaos
@pytest.mark.parametrize("turn", REPEAT)
def test_a_killed_rank_costs_the_steps_since_the_last_checkpoint(
    service: Live, assay: Client, database: str, turn: int
) -> None:
    """First the one that reports nothing, between two checkpoints; then the one that reports, as
    early as it can be met."""
    with worker(service):
        job = start(assay, "sft", options=LONG | {"batch_size": 8}, resources=TWO)
        until(lambda: under_way(assay, job), 120)
        first = ranks(job)
        assert set(first) == {0, 1}
        os.kill(first[1].pid, signal.SIGKILL)
        until(lambda: attempt(assay, job) == 2 and set(ranks(job)) == {0, 1}, 60)
        second = ranks(job)
        assert {one.pid for one in first.values()}.isdisjoint(one.pid for one in second.values())
        os.kill(second[0].pid, signal.SIGKILL)
        all_done(assay, database, job, attempts=3)
        until(lambda: not processes(job), 10)


@pytest.mark.slow
def test_a_sharded_job_trains_and_its_checkpoints_are_models(service: Live, assay: Client) -> None:
    resources = TWO | {"fsdp": {"activation_checkpointing": True}}
    with worker(service):
        job = start(assay, "sft", options=QUICK | {"batch_size": 2}, resources=resources)
        done = finished(assay, job)
        assert done["status"] == "succeeded", done["error"]
    whole = {
        "reshard_after_forward": True,
        "activation_checkpointing": True,
        "transformer_layer_cls_to_wrap": None,
    }
    others = {"ignore_memory_estimate": False, "keep_last": None, "keep_optimizer_states": False}
    assert done["resources"] == TWO | others | {"fsdp": whole}
    parts = done["report"]["memory"]["parts"]
    assert parts["gathered"] > 0
    assert parts["optimizer"] == parts["weights"] * 2
    assert 0 < parts["gradients"] <= parts["weights"]  # those there are where the peak is
    curve = scored(assay, job)
    assert [one["step"] for one in curve] == [0, 2, 4]
    card = assay.request("GET", f"/v1/checkpoints/{curve[-1]['id']}")["card"]
    assert (card["processes"], card["fsdp"]) == (2, whole)


@pytest.mark.parametrize(
    ("method", "resources", "param", "said"),
    [
        ("ppo", TWO | {"fsdp": {}}, "resources.fsdp", "leave fsdp out"),
        ("sft", {"fsdp": {}}, "resources.fsdp", "resources.processes to 2 or more"),
        ("sft", TWO | {"fsdp": {"cpu_offload": True}}, "resources.fsdp.cpu_offload", "Extra"),
        (
            "sft",
            TWO | {"fsdp": {"reshard_after_forward": "full_shard"}},
            "resources.fsdp.reshard_after_forward",
            "boolean",
        ),
        ("sft", TWO | {"sharding": "full"}, "resources.sharding", "Extra"),
        ("sft", {"processes": 0}, "resources.processes", "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(
    service: Live, assay: Client, method: str, resources: Any, param: str, said: str
) -> None:
    answer = httpx.post(
        f"{service.base}/v1/training_jobs", json=job_body(method, resources=resources)
    )
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["param"] == param
    assert said in error["message"]


def test_the_schema_tells_what_can_be_asked(service: Live) -> None:
    schemas = httpx.get(f"{service.base}/openapi.json").json()["components"]["schemas"]
    assert set(schemas["Fsdp"]["properties"]) == {
        "reshard_after_forward",
        "activation_checkpointing",
        "transformer_layer_cls_to_wrap",
    }
    assert "fsdp" in schemas["ResourcesIn"]["properties"]


def attempt(assay: Client, job: str) -> int:
    number: int = assay.request("GET", f"/v1/training_jobs/{job}")["attempt"]
    return number
