"""The engine with real processes: whoever dies, the job is done or settled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from service.jobs import queue
from service.jobs.child import Child
from service.jobs.ipc import Answer, Call
from service.jobs.retry import LOSSES, pause
from tests.service.jobs.conftest import Start
from tests.waiting import until


def count(engine: Engine, query: str) -> int:
    with engine.connect() as db:
        return int(db.scalar(text(query)) or 0)


def defer(engine: Engine, task: str, **options: Any) -> int:
    with engine.begin() as db:
        return queue.defer(db, f"test.{task}", **{"name": "one", **options})


def noted(engine: Engine, what: str) -> list[Any]:
    with engine.connect() as db:
        query = text("SELECT * FROM runs WHERE what = :what ORDER BY number")
        return list(db.execute(query, {"what": what}))


def has_noted(engine: Engine, what: str, times: int) -> bool:
    return len(noted(engine, what)) == times


def jobs_left(engine: Engine) -> int:
    return count(
        engine, "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    )


def child_of(worker: subprocess.Popen[bytes]) -> int:
    """The compute process of a worker with one queue."""
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_job_runs_in_the_child_and_is_deleted(runs: Engine, start: Start) -> None:
    worker = start()
    defer(runs, "quick")
    until(lambda: noted(runs, "done") and not jobs_left(runs), 10)
    (done,) = noted(runs, "done")
    assert done.pid == child_of(worker)
    assert done.note == "torch: False"
    assert count(runs, "SELECT count(*) FROM procrastinate_jobs") == 0
    maps = Path(f"/proc/{worker.pid}/maps").read_text()
    assert "libtorch" not in maps

    begun = time.monotonic()  # with everything warm
    for number in range(20):
        defer(runs, "quick", name=str(number))
        until(partial(has_noted, runs, "done", times=number + 2), 2)
    assert (time.monotonic() - begun) / 20 < 0.5, "picked up by polling, not by notification"


def test_what_runs_metrics_has_no_database_in_its_environment(runs: Engine, start: Start) -> None:
    worker = start()
    defer(runs, "surroundings")
    until(lambda: noted(runs, "done"))
    (done,) = noted(runs, "done")
    assert done.pid == child_of(worker)
    assert done.note == "False"


def test_a_crash_is_tried_again(runs: Engine, start: Start) -> None:
    worker = start()
    defer(runs, "long_once")
    until(lambda: noted(runs, "begun"), 10)
    first = child_of(worker)
    os.kill(first, signal.SIGKILL)
    until(lambda: noted(runs, "done"), 15)
    begun, done = noted(runs, "begun"), noted(runs, "done")
    assert [row.attempt for row in begun] == [1, 2]
    assert done[0].pid == child_of(worker) != first
    until(lambda: not jobs_left(runs), 2)


def test_a_job_goes_back_though_its_place_is_taken(runs: Engine, start: Start) -> None:
    worker = start()
    defer(runs, "long_once", queueing_lock="eval_1")
    until(lambda: noted(runs, "begun"), 10)
    defer(runs, "quick", queueing_lock="eval_1", name="two")
    os.kill(child_of(worker), signal.SIGKILL)
    until(lambda: len(noted(runs, "done")) == 2 and not jobs_left(runs), 15)
    assert worker.poll() is None


@pytest.mark.slow
def test_another_worker_takes_over(runs: Engine, start: Start) -> None:
    first = start()
    defer(runs, "restless")
    until(lambda: noted(runs, "begun"), 10)
    start()
    child = child_of(first)
    first.kill()
    until(lambda: gone(child), 2)  # it dies with its worker, long call or not
    took = until(lambda: noted(runs, "done"), 15)
    assert [row.attempt for row in noted(runs, "begun")] == [1, 1]  # a worker's death is none
    print(f"taken over after {took:.1f} s")  # noqa: T201


def test_sigterm_gives_the_job_back(runs: Engine, start: Start) -> None:
    first = start()
    defer(runs, "restless")
    until(lambda: noted(runs, "begun"), 10)
    child = child_of(first)
    first.terminate()
    assert first.wait(10) == 0
    assert gone(child)
    assert count(runs, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == 1
    assert count(runs, "SELECT count(*) FROM procrastinate_workers") == 0
    start()
    until(lambda: noted(runs, "done"), 10)
    assert noted(runs, "done")[0].note == "attempt 1"  # an orderly stop is not an attempt


def test_cancel_between_batches(runs: Engine, start: Start) -> None:
    worker = start()
    job = defer(runs, "slow", seconds=60)
    until(lambda: noted(runs, "begun"), 10)
    child = child_of(worker)
    with runs.begin() as db:
        assert queue.cancel(db, job) is True
    took = until(lambda: noted(runs, "stopped"), 5)
    assert took < 3
    until(lambda: noted(runs, "hook") and not jobs_left(runs), 5)
    assert len(noted(runs, "begun")) == len(noted(runs, "hook")) == 1
    assert child_of(worker) == child  # still warm


@pytest.mark.slow
def test_a_long_call_stops_no_heartbeat(runs: Engine, start: Start) -> None:
    start()
    start()  # whose reaper would take the job if the first one's heart stopped
    defer(runs, "deaf")
    until(lambda: noted(runs, "done") and not jobs_left(runs), 25)
    assert len(noted(runs, "begun")) == 1


@pytest.mark.slow
def test_without_attempts_left_the_hook_is_called_once(runs: Engine, start: Start) -> None:
    cases = {
        "deadly": (3, "gave up after 3 attempts: the compute process was killed (signal 9"),
        "segfault": (3, "gave up after 3 attempts: the compute process crashed (signal 11"),
        "broken": (3, "gave up after 3 attempts: an internal error stopped it (ValueError"),
        "wrong": (1, "k is larger than n"),
    }
    start()
    for task in cases:
        defer(runs, task, name=task)
    until(lambda: len(noted(runs, "hook")) == len(cases) and not jobs_left(runs), 40)
    time.sleep(1)
    hooks = {row.name: row.note for row in noted(runs, "hook")}
    assert len(noted(runs, "hook")) == len(cases)
    assert "secret" not in hooks["broken"]
    for task, (attempts, reason) in cases.items():
        assert hooks[task].startswith(reason)
        made = [row.attempt for row in noted(runs, "begun") if row.name == task]
        assert made == list(range(1, attempts + 1))
    defer(runs, "quick", name="next")  # the worker is in order
    until(lambda: noted(runs, "done"), 10)


def test_what_a_job_started_ends_with_it(runs: Engine, start: Start) -> None:
    start()
    job = defer(runs, "parent")
    until(lambda: noted(runs, "begun"), 10)
    first = int(noted(runs, "begun")[0].note)
    os.kill(noted(runs, "begun")[0].pid, signal.SIGSTOP)  # it cannot even be asked
    with runs.begin() as db:
        queue.cancel(db, job)
    took = until(lambda: gone(first), 10)
    assert took > 1.5, "killed after a grace"
    until(lambda: noted(runs, "hook") and not jobs_left(runs), 5)
    assert len(noted(runs, "begun")) == 1


@pytest.mark.slow
def test_what_gets_nowhere_is_ended(runs: Engine, start: Start) -> None:
    start(stall_seconds="4")
    defer(runs, "stuck", name="stuck")
    defer(runs, "steady", name="steady")
    until(lambda: noted(runs, "done") and not jobs_left(runs), 60)
    (hook,) = noted(runs, "hook")
    assert hook.name == "stuck"
    assert hook.note == "no progress for 4 s, the limit that ASSAY_STALL_SECONDS sets"
    assert [row.name for row in noted(runs, "begun")] == ["stuck", "steady"]  # once each
    assert [row.name for row in noted(runs, "done")] == ["steady"]


def test_training_does_not_delay_scores(runs: Engine, start: Start) -> None:
    start("score,train")
    defer(runs, "slow", queue="train", seconds=60)
    until(lambda: noted(runs, "begun"), 10)
    defer(runs, "quick")
    until(lambda: noted(runs, "done"), 5)


@pytest.mark.slow
def test_a_worker_whose_row_was_pruned_ends(runs: Engine, start: Start) -> None:
    worker = start()
    defer(runs, "restless")
    until(lambda: noted(runs, "begun"), 10)
    child = child_of(worker)
    worker.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    with runs.begin() as db:  # as if it had stood still for long
        db.execute(text("UPDATE procrastinate_workers SET last_heartbeat = '-infinity'"))
    start()
    until(lambda: noted(runs, "done"), 15)
    worker.send_signal(signal.SIGCONT)
    assert worker.wait(10) == 1
    assert gone(child)
    assert len(noted(runs, "done")) == 1


def test_cancelled_on_a_dead_worker_is_settled(runs: Engine, start: Start) -> None:
    worker = start()
    job = defer(runs, "slow", seconds=60)
    until(lambda: noted(runs, "begun"), 10)
    worker.kill()
    worker.wait()
    with runs.begin() as db:
        assert queue.cancel(db, job) is True
        db.execute(text("UPDATE procrastinate_workers SET last_heartbeat = '-infinity'"))
    start()
    until(lambda: noted(runs, "hook"), 15)
    until(lambda: not jobs_left(runs), 5)
    assert len(noted(runs, "begun")) == 1


def test_a_job_that_kills_its_workers_is_given_up(runs: Engine, start: Start) -> None:
    job = defer(runs, "restless")
    with runs.begin() as db:  # its twentieth worker is dead
        for _ in range(LOSSES):
            for status in ("todo", "doing"):
                query = text("UPDATE procrastinate_jobs SET status = :status WHERE id = :job")
                db.execute(query, {"job": job, "status": status})
    start()
    until(lambda: noted(runs, "hook"), 10)
    told = "gave up: 20 workers died while they ran it, perhaps out of memory"
    assert noted(runs, "hook")[0].note == told
    assert not noted(runs, "begun")


@pytest.mark.slow
def test_deaths_of_workers_are_no_attempts(runs: Engine, start: Start) -> None:
    defer(runs, "fifth")
    for times in range(1, 5):
        worker = start()
        until(partial(has_noted, runs, "begun", times), 20)
        worker.kill()
        worker.wait()
        with runs.begin() as db:  # nobody has to wait until it counts as dead
            db.execute(text("UPDATE procrastinate_workers SET last_heartbeat = '-infinity'"))
    start()
    until(lambda: noted(runs, "done"), 20)
    assert [row.note for row in noted(runs, "done")] == ["attempt 1"]
    assert not noted(runs, "hook")
    starts = [row.at for row in noted(runs, "begun")]
    assert (starts[4] - starts[3]).total_seconds() > pause(4) - 1, "each time later"


@pytest.mark.slow
def test_faults_of_the_surroundings_are_no_attempts(runs: Engine, start: Start) -> None:
    worker = start()
    tasks = ["cramped", "cut_off"]
    for task in tasks:
        defer(runs, task, name=task)
    until(lambda: len(noted(runs, "done")) == len(tasks), 40)
    assert {row.name: row.note for row in noted(runs, "done")} == dict.fromkeys(tasks, "attempt 1")
    assert not noted(runs, "hook")
    assert worker.poll() is None


def test_a_compute_process_that_cannot_start_blames_no_task() -> None:
    async def call() -> Answer:
        child = Child("cpu", "tests.service.jobs.nowhere:HANDLERS")
        return await child.call(Call(1, 1, "test.quick", {"name": "one"}))

    answer = asyncio.run(call())
    assert answer.outcome == "disturbed"
    assert answer.message.endswith("before it was ready")


@pytest.mark.slow
def test_tasks_that_wait_share_a_process_and_no_blame(runs: Engine, start: Start) -> None:
    start("ask")
    patient = ["one", "two"]
    for name in patient:
        defer(runs, "restless", queue="ask", name=name)
    deaf = defer(runs, "stuck", queue="ask", name="three")
    until(lambda: len(noted(runs, "begun")) == 3, 20)
    assert len({row.pid for row in noted(runs, "begun")}) == 1
    with runs.begin() as db:
        queue.cancel(db, deaf)
    until(lambda: not jobs_left(runs), 20)
    assert {row.name: row.note for row in noted(runs, "done")} == dict.fromkeys(
        patient, "attempt 1"
    )


def test_losing_every_connection_loses_no_job(runs: Engine, start: Start, fresh_url: str) -> None:
    worker = start()
    defer(runs, "slow", seconds=2)
    until(lambda: noted(runs, "begun"), 10)
    with psycopg.connect(fresh_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    defer(runs, "quick", name="after")
    deadline = time.monotonic() + 30
    while len(noted(runs, "done")) < 2:
        assert time.monotonic() < deadline
        if worker.poll() is not None:  # as `serve` would
            assert worker.returncode == 1
            worker = start()
        time.sleep(0.1)
    until(lambda: not jobs_left(runs), 15)
