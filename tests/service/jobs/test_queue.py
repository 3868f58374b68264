"""The queue's contract: a job exists exactly when the transaction that deferred it commits."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from sqlalchemy import Engine, text

from migrations import queue_schema
from service.jobs import queue


def jobs(engine: Engine) -> list[tuple[str, str, dict[str, object]]]:
    with engine.connect() as db:
        rows = db.execute(
            text("SELECT task_name, status::text, args FROM procrastinate_jobs ORDER BY id")
        )
        return [tuple(row) for row in rows]


def test_a_job_commits_with_its_rows(engine: Engine) -> None:
    with engine.begin() as db:
        number = queue.defer(db, "evaluate.plan", evaluation="eval_1")
    assert number > 0
    assert jobs(engine) == [("evaluate.plan", "todo", {"evaluation": "eval_1"})]


def test_a_job_is_rolled_back_with_its_rows(engine: Engine) -> None:
    with pytest.raises(RuntimeError), engine.begin() as db:  # noqa: PT012
        queue.defer(db, "evaluate.plan", evaluation="eval_1")
        raise RuntimeError
    with engine.connect() as db:
        queue.defer(db, "evaluate.plan", evaluation="eval_1")  # never committed
    assert jobs(engine) == []


def test_commit_as_you_go_keeps_the_job(engine: Engine) -> None:
    with engine.connect() as db:
        queue.defer(db, "evaluate.plan", evaluation="Ёлка")
        db.commit()
    assert jobs(engine) == [("evaluate.plan", "todo", {"evaluation": "Ёлка"})]


def test_a_queueing_lock_admits_one_and_spoils_nothing(engine: Engine) -> None:
    with engine.begin() as db:
        first = queue.defer(db, "evaluate.close", queueing_lock="eval_1", evaluation="eval_1")
        again = queue.defer(db, "evaluate.close", queueing_lock="eval_1", evaluation="eval_1")
        other = queue.defer(db, "evaluate.close", queueing_lock="eval_2", evaluation="eval_2")
    assert first == again != other
    assert len(jobs(engine)) == 2


def test_a_queueing_lock_holds_between_transactions(engine: Engine) -> None:
    numbers: list[int] = []

    def one() -> None:
        with engine.begin() as db:
            numbers.append(queue.defer(db, "evaluate.close", queueing_lock="eval_1"))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 8
    assert len(set(numbers)) == 1
    assert len(jobs(engine)) == 1


def test_cancelling_a_waiting_job_drops_it(engine: Engine) -> None:
    with engine.begin() as db:
        number = queue.defer(db, "evaluate.plan", evaluation="eval_1")
    with engine.begin() as db:
        assert queue.cancel(db, number) is False  # nothing runs: the caller settles
        assert queue.cancel(db, number) is False  # nor the second time
    assert jobs(engine) == []


def test_cancelling_a_running_job_asks_it(engine: Engine) -> None:
    with engine.begin() as db:
        number = queue.defer(db, "evaluate.plan", evaluation="eval_1")
        db.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    with engine.begin() as db:
        assert queue.cancel(db, number) is True
    with engine.connect() as db:
        assert db.scalar(text("SELECT abort_requested FROM procrastinate_jobs")) is True


def test_depth_counts_by_queue_and_status(engine: Engine) -> None:
    with engine.begin() as db:
        assert queue.depth(db) == {}
        for _ in range(3):
            queue.defer(db, "evaluate.plan", evaluation="eval_1")
        number = queue.defer(db, "train.run", queue="train", priority=5, job="job_1")
        db.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = :id"), {"id": number}
        )
        assert queue.depth(db) == {("score", "todo"): 3, ("train", "doing"): 1}


def test_our_migrations_apply_every_file_of_the_package() -> None:
    assert list(queue_schema.APPLIED) == queue_schema.available()


def test_the_files_in_order_make_the_schema_of_the_package(engine: Engine) -> None:
    from procrastinate.schema import SchemaManager

    functions = text(
        "SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
        " WHERE proname LIKE 'procrastinate%' AND n.nspname = current_schema()"
    )
    columns = text(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_name LIKE 'procrastinate%' AND table_schema = current_schema()"
    )
    with engine.connect() as db:
        ours = {tuple(row) for query in (functions, columns) for row in db.execute(query)}
        db.execute(text("CREATE SCHEMA other"))
        db.execute(text("SET LOCAL search_path TO other"))
        driver = db.connection.driver_connection
        assert driver is not None
        driver.cursor().execute(SchemaManager.get_schema())
        theirs = {tuple(row) for query in (functions, columns) for row in db.execute(query)}
    assert theirs - ours == set()


def test_deferring_imports_no_work() -> None:
    code = (
        "import sys, service.jobs.queue; "
        "print([m for m in sys.modules if m == 'torch' or m.startswith('service.work')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_oldest_waiting_task_has_an_age(engine: Engine) -> None:
    with engine.begin() as db:
        assert queue.oldest(db) == {}
        first = queue.defer(db, "evaluate.shard", evaluation="eval_1", shard=1)
        queue.defer(db, "evaluate.shard", evaluation="eval_1", shard=2)
        queue.defer(db, "train.run", queue="train", job="job_1")
        aged = "UPDATE procrastinate_events SET at = at - interval '1 hour' WHERE job_id = :task"
        db.execute(text(aged), {"task": first})
        ages = queue.oldest(db)
        assert 3600 <= ages.pop("score") < 3700
        assert 0 <= ages.pop("train") < 60
        assert ages == {}
