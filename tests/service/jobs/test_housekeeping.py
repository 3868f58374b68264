"""Housekeeping: what nobody comes back for is deleted, by workers, whatever else fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import BaseModel
from sqlalchemy import Connection, Engine, insert, text, update

from service.db import worker_requests as requests
from service.db.tables import evidence_cache, idempotency_keys, worker_requests
from service.http.idempotency import Created, IdempotencyKey
from service.jobs import housekeeping, queue, sql
from service.jobs.housekeeping import keep_house
from service.settings import Settings
from tests.service.jobs.conftest import Start
from tests.waiting import until

EARLIER = text("now() - interval '3 days'")
MIB = 1024**2
KEEP_KEYS = "service.http.idempotency:forget_old"


class Content(BaseModel):
    """Some answer."""


def add_rows(engine: Engine) -> None:
    """An old row and a new one of each kind."""
    with engine.begin() as db:
        for age in ("old", "new"):
            key = IdempotencyKey(age, "/v1/evaluations").bound(b"body")
            key.once(db, Content, lambda _: Created(Content(), 202))
            db.execute(insert(evidence_cache).values(key=age.encode(), data=os.urandom(MIB)))
        db.execute(
            update(idempotency_keys)
            .where(idempotency_keys.c.key == "old")
            .values(created_at=EARLIER)
        )
        db.execute(
            update(evidence_cache).where(evidence_cache.c.key == b"old").values(used_at=EARLIER)
        )
        request = requests.add(db, "score", {"age": "old"})
        requests.add(db, "score", {"age": "new"})
        db.execute(
            update(worker_requests)
            .where(worker_requests.c.id == request)
            .values(created_at=EARLIER)
        )
        for name in ("test.old", "test.new"):
            finish_task(db, queue.defer(db, name))
        db.execute(
            text(
                "UPDATE procrastinate_events SET at = now() - interval '3 days' WHERE job_id IN"
                " (SELECT id FROM procrastinate_jobs WHERE task_name = 'test.old')"
            )
        )


def finish_task(db: Connection, task: int) -> None:
    for status in ("doing", "failed"):  # as a worker does it
        db.execute(
            text(
                "UPDATE procrastinate_jobs"
                " SET status = CAST(:status AS procrastinate_job_status) WHERE id = :task"
            ),
            {"status": status, "task": task},
        )


def left(engine: Engine) -> dict[str, list[str]]:
    """The rows of each kind that are still there, by age."""
    queries = {
        "keys": "SELECT key FROM idempotency_keys ORDER BY 1 DESC",
        "requests": "SELECT request ->> 'age' FROM worker_requests ORDER BY 1 DESC",
        "evidence": "SELECT convert_from(key, 'UTF8') FROM evidence_cache ORDER BY 1 DESC",
        "tasks": "SELECT split_part(task_name, '.', 2) FROM procrastinate_jobs ORDER BY 1 DESC",
    }
    with engine.connect() as db:
        return {kind: list(db.scalars(text(query))) for kind, query in queries.items()}


BOTH, NEW = ["old", "new"], ["new"]


def settings(url: str, cache_bytes: int = int(1.5 * MIB)) -> Settings:
    """Of a cache with room for one of the two pieces of evidence."""
    return Settings.model_validate({"database_url": url, "evidence_cache_bytes": cache_bytes})


def test_what_nobody_comes_back_for_is_forgotten(engine: Engine, fresh_url: str) -> None:
    add_rows(engine)
    assert left(engine) == dict.fromkeys(("keys", "requests", "evidence", "tasks"), BOTH)
    keep_house(settings(fresh_url, cache_bytes=4 * MIB))
    assert left(engine) == {"keys": NEW, "requests": NEW, "evidence": BOTH, "tasks": NEW}
    keep_house(settings(fresh_url))
    assert left(engine)["evidence"] == NEW


def test_a_worker_keeps_house_and_holds_no_model_library(
    runs: Engine, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(runs)
    monkeypatch.setenv("ASSAY_EVIDENCE_CACHE_BYTES", str(int(1.5 * MIB)))
    worker = start()
    until(lambda: left(runs) == dict.fromkeys(("keys", "requests", "evidence", "tasks"), NEW), 20)
    assert "libtorch" not in Path(f"/proc/{worker.pid}/maps").read_text()
    worker.terminate()
    assert worker.wait(10) == 0


def broken(db: Connection, settings: Settings) -> None:
    """Housekeeping that fails, having written."""
    db.execute(text("DELETE FROM worker_requests"))
    raise ZeroDivisionError


def test_one_that_fails_spoils_nothing(
    engine: Engine, fresh_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    add_rows(engine)
    paths = (f"{__name__}:broken", "no.such.module:function", KEEP_KEYS)
    keep_house(settings(fresh_url), paths)
    assert left(engine)["requests"] == BOTH
    assert left(engine)["keys"] == NEW
    failed = [record.getMessage() for record in caplog.records if record.exc_info]
    assert failed == [f"housekeeping failed: {path}" for path in paths[:2]]


def test_one_process_at_a_time(engine: Engine, fresh_url: str) -> None:
    add_rows(engine)
    with engine.begin() as other:
        assert other.scalar(sql.TRY_LOCK, {"key": housekeeping.LOCK})
        keep_house(settings(fresh_url))
        assert left(engine)["keys"] == BOTH
    keep_house(settings(fresh_url))
    assert left(engine)["keys"] == NEW
