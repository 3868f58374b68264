"""Gates and checks, as they are shown."""

from __future__ import annotations

from service.gates.schemas import CheckOut, GateOut
from service.gates.store import Check, Gate


def view(gate: Gate) -> GateOut:
    """A gate."""
    asked = gate.asked
    return GateOut(
        id=gate.id,
        name=gate.name,
        version=gate.version,
        baseline=asked.base,
        dataset=asked.dataset,
        rules=asked.rules,
        alpha=asked.alpha,
        cluster=asked.cluster,
        sequential=asked.sequential,
        created_at=gate.created_at,
    )


def check_view(check: Check) -> CheckOut:
    """A check, with or without its verdict."""
    found = dict(check.result or {})
    return CheckOut.model_validate(
        {
            "rules": [],
            "notes": [],
            "baseline": None,
            "n": None,
            "samples_to_settle": None,
            **found,
            "id": check.id,
            "gate": check.gate,
            "version": check.version,
            "verdict": check.verdict,
            "evaluation": check.evaluation_id,
            "system": check.system,
            "status": check.status,
            "total": check.size,
            "error": check.error,
            "created_at": check.created_at,
        }
    )
