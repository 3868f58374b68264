"""Who waits for servers holds up nobody who computes, nor anybody else who waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from assay import Client
from tests.faulty_server import FaultyServer, faulty_server
from tests.service.live import Live
from tests.waiting import until

SLOW = 3.0  # seconds of one answer, of which each evaluation here takes several one after another
JUDGE = {"name": "judge", "params": {"model": "slow", "rubric": "{{ output }}"}}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with faulty_server() as made:
        yield made


@pytest.fixture
def slow(assay: Client, server: FaultyServer) -> Iterator[str]:
    server.asked.clear()
    server.seconds, server.most, server.text = SLOW, 0, lambda body: "4"
    assay.create_model("slow", server.url, "good", limits={"concurrency": 2})
    yield "slow"
    for one in list(assay.evaluations(status="running")):
        assay.cancel(one.id)
    server.seconds = 0.0
    assay.delete_model("slow")


def outputs(name: str, count: int) -> list[dict[str, Any]]:
    return [{"output": f"{name} {at}", "references": [f"{name} {at}"]} for at in range(count)]


@pytest.mark.parametrize("asking", ["generation", "judge"])
def test_a_slow_server_holds_up_no_scores(
    assay: Client, slow: str, server: FaultyServer, asking: str
) -> None:
    if asking == "judge":
        waiting = assay.evaluate(system="s", samples=outputs("judged", 20), metrics=[JUDGE])
    else:
        prompts = [{"prompt": f"asked {at}", "references": ["4"]} for at in range(20)]
        waiting = assay.evaluate(samples=prompts, metrics="exact_match", model=slow)
    until(lambda: server.out > 0, 20)
    began = time.monotonic()
    scored = assay.evaluate(system="s", samples=outputs(asking, 3), metrics="bleu")
    assert assay.wait(scored.id, timeout=60).status == "succeeded"
    assert time.monotonic() - began < 2 * SLOW
    assert assay.evaluation(waiting.id).status == "running"


def test_a_slow_judge_holds_up_no_scores_asked_for_now(
    assay: Client, slow: str, server: FaultyServer
) -> None:
    with ThreadPoolExecutor(1) as pool:
        judged = pool.submit(assay.score, [JUDGE], [{"output": "now"}])
        until(lambda: server.out > 0, 20)
        assay.score(["chrf"], outputs("now", 3))
        assert not judged.done()
        assert judged.result(timeout=30)["judge"].value == 4.0


def test_those_who_wait_do_so_side_by_side_and_without_models(
    assay: Client, live: Live, server: FaultyServer, slow: str
) -> None:
    names = [f"slow-{at}" for at in range(4)]
    for name in names:
        assay.create_model(name, server.url, "good", limits={"concurrency": 1})
    made = [
        assay.evaluate(samples=[{"prompt": name, "references": ["4"]}], metrics="bleu", model=name)
        for name in names
    ]
    until(lambda: server.out == len(names), 20)
    worker = psutil.Process(live.processes[1].pid)
    asking = [one for one in worker.children() if "--at-once=16" in one.cmdline()]
    assert len(asking) == 1
    assert not any("torch" in Path(one.path).name for one in asking[0].memory_maps())
    for one in made:
        done = assay.wait(one.id, timeout=30)
        assert (done.status, done.score("bleu").n) == ("succeeded", 1)
        assert done.progress.done == done.progress.total
    for name in names:
        assay.delete_model(name)
