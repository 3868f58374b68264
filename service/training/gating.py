"""A job's gate: what it says of each checkpoint, and whether training need not go on.

Each checkpoint is another candidate, so a job of many would find one that passes by chance. What is
shown of a checkpoint is at the gate's own alpha; the job ends by verdicts at the level of its look
(`significance.level`), so that the chance of any false end stays below alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from service.db import events
from service.evaluations import store as evaluations
from service.gates import store as gates
from service.gates.checks import check, conclude
from service.gates.store import Gate
from service.settings import Settings
from service.training import significance
from service.training import store as training
from service.training.checkpoints_store import Checkpoint
from service.training.store import TrainingJob

ENDS = {"passed": ("go",), "failed": ("no_go",), "settled": ("go", "no_go")}


def check_all(
    db: Connection, settings: Settings, row: TrainingJob, known: Sequence[Checkpoint]
) -> None:
    """Check what has been scored and not been checked yet; end the job where it asks for that. The
    caller holds the job's lock."""
    asked = row.evaluation or {}
    gate = gates.find(db, asked["gate"]) if asked.get("gate") else None
    if gate is None:
        return
    scored = [one for one in known if one.evaluation_status == "succeeded"]
    ids = [one.evaluation_id for one in scored if one.evaluation_id is not None]
    checked = gates.checks_of(db, ids, gate.name)
    for look, one in enumerate(scored, 1):
        if one.evaluation_id is None or one.evaluation_id in checked:
            continue
        verdict = _checked(db, settings, row, gate, one)
        ends = ENDS.get(asked.get("stop_by_gate") or "", ())
        if verdict in ends and row.status == "running" and row.control is None:
            level = gate.asked.alpha * significance.level(look) / significance.ALPHA
            _end(db, settings, row, gate, one, ends, level)


def of_checkpoints(db: Connection, job: TrainingJob, ids: Sequence[str]) -> dict[str, Any]:
    """What the job's gate said of evaluations, for people to see."""
    name = (job.evaluation or {}).get("gate")
    if not name:
        return {}
    found = gates.checks_of(db, list(ids), name.partition("@")[0])
    return {
        id: {"gate": one.gate, "version": one.version, "check": one.id, "verdict": one.verdict}
        for id, one in found.items()
    }


def _checked(
    db: Connection, settings: Settings, row: TrainingJob, gate: Gate, one: Checkpoint
) -> str | None:
    """The verdict on a checkpoint, stored and told; None where there cannot be one."""
    candidate = evaluations.get(db, one.evaluation_id or "")
    if candidate is None:
        return None
    about = {"gate": gate.name, "checkpoint": one.id, "step": one.step}
    id = gates.add_check(db, gate.id, candidate.id)
    found = conclude(db, settings, gate, candidate, id)
    if isinstance(found, dict):
        events.append(db, row.id, "gate", about | {"error": found})
        return None
    events.append(db, row.id, "gate", about | {"check": id, "verdict": found})
    return found


def _end(
    db: Connection,
    settings: Settings,
    row: TrainingJob,
    gate: Gate,
    one: Checkpoint,
    ends: Sequence[str],
    level: float,
) -> None:
    """End the job where the verdict stands at the level of its look, too."""
    candidate = evaluations.get(db, one.evaluation_id or "")
    if candidate is None:
        return
    found = check(db, settings, gate, candidate, level)
    if found.verdict not in ends:
        return
    about = {"step": one.step, "checkpoint": one.id, "gate": gate.name, "verdict": found.verdict}
    training.add_to_report(db, row.id, {"early_stop": about})
    events.append(db, row.id, "early_stop", about)
    training.ask(db, row.id, "stop")
