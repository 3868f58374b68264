"""Memory before training: jobs that fit no device are refused, with numbers and advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import httpx
import pytest
from sqlalchemy import Engine

from assay import Client
from service.datasets import store as datasets
from service.db.engine import connect
from service.devices import memory
from service.devices import store as devices
from service.training import memory as admission
from tests.service.live import Live
from tests.service.training.requests import QUICK, finished, job_body, start
from tests.waiting import until
from trainers import find

HUGE = QUICK | {"batch_size": 1_000_000}  # passes of terabytes


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module", autouse=True)
def known_device(live: Live, engine: Engine) -> None:
    """The worker has told what it trains on."""
    until(lambda: largest(engine) is not None, 30)


def largest(engine: Engine) -> devices.Device | None:
    with engine.connect() as db:
        return devices.largest(db)


def test_a_worker_tells_how_much_memory_there_is(live: Live, engine: Engine) -> None:
    known = largest(engine)
    assert known == devices.Device(memory.device_name("cpu"), memory.device_memory("cpu") or 0, 0)
    assert known is not None
    assert known.memory_bytes > 10**9


def test_what_fits_nowhere_is_refused(live: Live, assay: Client) -> None:
    before = assay.request("GET", "/v1/training_jobs", limit=1000)["data"]
    answer = httpx.post(f"{live.base}/v1/training_jobs", json=job_body("dpo", options=HUGE))
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("does_not_fit", "resources")
    for part in ("activations", "logits", "GB", "a smaller batch_size", memory.device_name("cpu")):
        assert part in error["message"]
    after = assay.request("GET", "/v1/training_jobs", limit=1000)["data"]
    assert [one["id"] for one in after] == [one["id"] for one in before]


def test_the_worker_looks_at_its_own_device(assay: Client, engine: Engine) -> None:
    """A larger device is known, so the job is admitted; this worker's cannot hold it."""
    with engine.begin() as db:
        devices.register(db, "elsewhere/cuda:0", 10**18)
    job = start(assay, "dpo", options=HUGE, evaluation=None)
    done = finished(assay, job, 60)
    assert done["status"] == "failed"
    assert (done["error"]["code"], done["error"]["param"]) == ("does_not_fit", "resources")
    assert memory.device_name("cpu") in done["error"]["message"]
    told = done["report"]["memory"]
    assert told["bytes"] == sum(told["parts"].values()) > told["device_bytes"]


def test_an_estimate_may_be_ignored(assay: Client) -> None:
    """At POST and by the worker, which tries: its passes are of the whole dataset at most."""
    resources = {"ignore_memory_estimate": True}
    options = HUGE | {"max_steps": 1}
    job = start(assay, "sft", options=options, evaluation=None, resources=resources)
    done = finished(assay, job)
    assert (done["status"], done["error"]) == ("succeeded", None)
    told = done["report"]["memory"]
    assert told["bytes"] > told["device_bytes"]


def test_processes_share_the_memory_of_a_cpu(assay: Client, engine: Engine) -> None:
    from tests.trainers.job.test_memory import SHAPE
    from trainers import parse
    from trainers.job.memory import estimate

    trainer = find("sft")
    options = parse(trainer, {})
    found = estimate(trainer, options, SHAPE)
    room = int(1.5 * found.bytes)
    assert admission.refusal(found, options, 1, "here/cpu", room) is None
    assert admission.refusal(found, options, 2, "here/cuda:0", room) is None
    assert "2 times" in (admission.refusal(found, options, 2, "here/cpu", room) or "")


def test_the_longest_record_is_measured_as_it_is_read(assay: Client, engine: Engine) -> None:
    long, short = "я" * 50, "b" * 10
    pairs = [{"prompt": "1234", "chosen": short, "rejected": long}]
    prompts = [{"prompt": "12345", "references": [long]}]
    texts: list[dict[str, object]] = [
        {"text": short},
        {"text": long, "id": long, "metadata": {"by": long}},
    ]
    cases: list[tuple[str, str, Sequence[Mapping[str, object]], int]] = [
        ("long-pairs", "dpo", pairs, 104),
        ("long-pairs", "reward", pairs, 104),
        ("long-prompts", "grpo", prompts, 5),
        ("long-texts", "sft", texts, len('{"text": ""}') + 100),
    ]
    with engine.connect() as db:
        for name, method, records, size in cases:
            trainer = find(method)
            made = assay.create_dataset(name, records, kind=trainer.kind)
            assert datasets.longest(db, made.id, trainer.sequences) == size
