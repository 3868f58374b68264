"""kill -9, of a worker and of everything: evaluations finish, with the same numbers, once."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from sqlalchemy import create_engine, text

from assay import Client, Evaluation
from service.db.engine import normalize
from tests.known import known
from tests.rounding import FORWARD
from tests.service.folders import data_folder
from tests.service.live import ROOT, Live
from tests.service.texts import samples
from tests.waiting import until

pytestmark = pytest.mark.slow

METRICS: list[Any] = [
    "bleu",
    "chrf",
    {"name": "perplexity", "params": {"model": "tiny-language"}},
    "distinct_n",
]
SIZE = 1200
SHARD = 100


@pytest.fixture
def service(
    fresh_url: str, data_dir: Path, models_root: Path, tiny_language_model: Path
) -> Iterator[Live]:
    """A service of the test's own, cut into small shards, without a cache to hide behind."""
    made = Live(
        fresh_url,
        data_dir,
        model_roots=str(models_root),
        shard_size=str(SHARD),
        evidence_cache_bytes="0",
    )
    made.api()
    yield made
    made.close()


def started(assay: Client, size: int = SIZE) -> str:
    given = samples(size, tag="k")
    return assay.evaluate(system="x", dataset="kill", samples=given, metrics=METRICS).id


def halfway(assay: Client, evaluation: str) -> Callable[[], bool]:
    def look() -> bool:
        found = assay.evaluation(evaluation)
        assert found.status in {"queued", "running"}, "it was over before it could be killed"
        return found.progress.done > found.progress.total // 5

    return look


def same(a: Evaluation, b: Evaluation) -> None:
    """Lexical values to the bit, a model's within the design's tolerance."""
    for score in a.scores:
        other = b.score(score.name)
        assert score.error is None, score.error
        assert score.n == other.n == SIZE
        if score.metric == "perplexity":
            # e to the mean of nats: their error is its relative error
            nats = math.log(known(other.value))
            assert score.value == pytest.approx(other.value, rel=FORWARD * nats)
        else:
            assert score.value == other.value
            assert score.interval == other.interval


def test_a_killed_workers_evaluation_is_finished_by_another(service: Live, fresh_url: str) -> None:
    first, _second = service.worker(), service.worker()
    with service.client() as assay:
        undisturbed = assay.wait(started(assay), timeout=120)
        made = started(assay)
        until(halfway(assay, made), 60)
        kill_tree(first.pid)
        took = until(lambda: assay.evaluation(made).status == "succeeded", 60)
        same(assay.evaluation(made), undisturbed)
    assert took < 60
    kept = len(METRICS) - 1  # distinct_n's evidence is bulky: dropped once the result is in
    found = measured(fresh_url, made)
    assert len(found) == len(set(found)) == kept * SIZE // SHARD


def test_two_workers_share_one_evaluation(service: Live, fresh_url: str) -> None:
    service.worker()
    service.worker()
    with service.client() as assay:
        workers: set[int] = set()
        made = started(assay, 4 * SIZE)

        def done() -> bool:
            workers.update(busy(fresh_url))
            return assay.evaluation(made).status == "succeeded"

        until(done, 120, pause=0.02)
        assert assay.evaluation(made).score("bleu").n == 4 * SIZE
    assert len(workers) == 2


def test_after_everything_is_killed_it_is_finished(
    models_root: Path, tiny_language_model: Path
) -> None:
    with data_folder() as data:
        killed_and_restarted(data, models_root)


def killed_and_restarted(data: Path, models_root: Path) -> None:
    service = Live("", data, model_roots=str(models_root), shard_size=str(SHARD))
    del service.env["ASSAY_DATABASE_URL"]
    serve = [sys.executable, "-m", "service.cli", "serve", "--device", "cpu"]
    process = subprocess.Popen(serve, cwd=ROOT, env=service.env)
    try:
        until(service._answers, 30)
        with service.client() as assay:
            undisturbed = assay.wait(started(assay), timeout=120)
            made = started(assay)
            queued = started(assay)
            until(halfway(assay, made), 60)
        kill_tree(process.pid)
        process.wait()
        process = subprocess.Popen(serve, cwd=ROOT, env=service.env)
        until(service._answers, 30)
        with service.client() as assay:
            for evaluation in (made, queued):
                same(assay.wait(evaluation, timeout=120), undisturbed)
            events = assay.request("GET", f"/v1/evaluations/{made}/events")["data"]
            assert [one["type"] for one in events] == ["running", "succeeded"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.mark.chaos
def test_killed_again_and_again_while_it_starts_it_finishes(
    models_root: Path, tiny_language_model: Path
) -> None:
    """`serve` is killed as soon as a worker has taken the shard, four times."""
    with data_folder() as data:
        service = Live("", data, model_roots=str(models_root), evidence_cache_bytes="0")
        del service.env["ASSAY_DATABASE_URL"]
        serve = [sys.executable, "-m", "service.cli", "serve", "--device", "cpu"]
        process = subprocess.Popen(serve, cwd=ROOT, env=service.env)
        try:
            until(service._answers, 30)
            with service.client() as assay:
                made = started(assay)
            for times in range(1, 5):
                until(partial(taken, data, times), 60)
                kill_tree(process.pid)
                process.wait()
                process = subprocess.Popen(serve, cwd=ROOT, env=service.env)
                until(service._answers, 30)
            with service.client() as assay:
                done = assay.wait(made, timeout=120)
            assert done.status == "succeeded"
            assert [score.error for score in done.scores if score.error] == []
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def taken(data: Path, times: int) -> bool:
    """Whether the embedded database knows of so many starts of the shard."""
    password = (data / "postgres" / "assay.password").read_text()
    url = f"postgresql://assay:{password}@/assay?host={quote(str(data / 'socket'), safe='')}"
    starts = (
        "SELECT count(*) FROM procrastinate_events event"
        " JOIN procrastinate_jobs task ON task.id = event.job_id"
        " WHERE event.type = 'started' AND task.task_name = 'evaluate.shard'"
    )
    return bool(rows(url, starts)[0][0] >= times)


def kill_tree(pid: int) -> None:
    """SIGKILL to a process and everything below it, at once."""
    parent = psutil.Process(pid)
    for process in [parent, *parent.children(recursive=True)]:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def measured(url: str, evaluation: str) -> list[tuple[int, int]]:
    return rows(
        url,
        "SELECT position, shard FROM measurements WHERE evaluation_id = :one",
        one=evaluation,
    )


def busy(url: str) -> list[int]:
    found = rows(url, "SELECT worker_id FROM procrastinate_jobs WHERE status = 'doing'")
    return [one[0] for one in found if one[0] is not None]


def rows(url: str, query: str, **values: Any) -> list[Any]:
    engine = create_engine(normalize(url))
    with engine.connect() as db:
        found = [tuple(row) for row in db.execute(text(query), values)]
    engine.dispose()
    return found
