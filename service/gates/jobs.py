"""The tasks of gates.

gate.settle   a check's verdict, once its candidate's evaluation has ended
gate.look     after a shard: end an evaluation that a sequential gate has settled
"""

from __future__ import annotations

from sqlalchemy import Connection

from service.errors import ApiError
from service.evaluations import store as evaluations
from service.gates import checks
from service.gates import store as gates
from service.gates.store import Check
from service.jobs import queue
from service.jobs.context import Context


def settle(context: Context, check: str) -> None:
    """The verdict on what the evaluation measured, or why there is none."""
    with context.engine.begin() as db:
        row = gates.get_check(db, check)
        if row is None or row.verdict is not None or row.error is not None:
            return
        _conclude(context, db, row)


def _conclude(context: Context, db: Connection, row: Check) -> None:
    gate = gates.get(db, row.gate_id)
    candidate = evaluations.get(db, row.evaluation_id)
    if gate is None or candidate is None:
        return
    if candidate.status != "succeeded" and not (gate.asked.sequential and candidate.done):
        error = {"code": "not_measured", "message": f"its evaluation has {candidate.status}"}
        gates.settle_check(db, row.id, error=error | {"evaluation": candidate.error})
        return
    checks.conclude(db, context.settings, gate, candidate, row.id)


def look(context: Context, measured: str) -> None:
    """End the evaluation where its gate is settled; what is measured stays in the cache."""
    with context.engine.begin() as db:
        row = evaluations.get(db, measured)
        gate = gates.find(db, row.stop_when_settled) if row and row.stop_when_settled else None
        if row is None or gate is None or row.status != "running":
            return
        try:
            found = checks.check(db, context.settings, gate, row)
        except ApiError:  # its own end tells what is wrong
            return
        if found.verdict == "inconclusive":
            return
        locked = evaluations.lock(db, measured)
        if locked is None or locked.status != "running" or locked.closing:
            return
        waiting = gates.waiting_checks(db, measured)
        for id in waiting or [gates.add_check(db, gate.id, measured)]:
            gates.settle_check(db, id, verdict=found.verdict, result=found.as_json())
        about = {"gate": gate.name, "verdict": found.verdict, "n": found.n}
        evaluations.finish(db, measured, "cancelled", {"settled_by": about})
        queue.cancel_all(db, evaluation=measured)
