"""Power analyses and gates: how many samples a difference needs, and whether a system may ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.exchange import Script, address, ask, create, get, post, waited
from assay.gate_models import Gate, GateCheck, Power
from assay.models import Page
from assay.streams import Listing

ROOT = "/v1/gates"


def power(
    evaluation: str,
    metric: str,
    other: str | None = None,
    *,
    effect: float | None = None,
    power: float | None = None,
    alpha: float | None = None,
    one_sided: bool | None = None,
    cluster: str | None = None,
    slice: str | None = None,
) -> Script[Power]:
    """How many samples show a difference, and which difference these samples show.

    Args:
        metric: a score's name.
        other: the evaluation to compare with; default: others on the dataset tell how alike two
            systems' answers are.
        effect: the true difference to find, in the score's own unit.
        power: the probability of finding it.
        cluster: a metadata field whose values are drawn together, as document.
        slice: as lang=ru.
    """
    which = {"evaluation": evaluation} if other is None else {"evaluations": [evaluation, other]}
    fields = {
        **which,
        "metric": metric,
        "effect": effect,
        "power": power,
        "alpha": alpha,
        "one_sided": one_sided,
        "cluster": cluster,
        "slice": slice,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return ask(post("/v1/power", body=body), Power)


def create_gate(
    name: str,
    *,
    baseline: str | Mapping[str, object],
    dataset: str,
    rules: Sequence[Mapping[str, object]],
    alpha: float | None = None,
    cluster: str | None = None,
    sequential: bool | None = None,
    idempotency_key: str | None = None,
) -> Script[Gate]:
    """Make a gate; the same name with other content makes a new version.

    Args:
        baseline: a system's name, an evaluation's id, or `{"system": …}`, `{"evaluation": …}`.
        rules: each `{"score": …}` with one of `max_drop`, `max_relative_drop`, `min_gain`, and if
            wanted `tier` (critical, supporting, advisory) and `slice`.
        alpha: how often a verdict may be wrong, over all critical rules.
        cluster: a metadata field whose values are drawn together, as document.
        sequential: bounds that hold however often the gate is checked.
    """
    fields = {
        "name": name,
        "baseline": baseline,
        "dataset": dataset,
        "rules": list(rules),
        "alpha": alpha,
        "cluster": cluster,
        "sequential": sequential,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return ask(create(ROOT, body, idempotency_key), Gate)


def gate(gate: str) -> Script[Gate]:
    """A gate's newest version, or that of `name@version`."""
    return ask(get(ROOT, gate), Gate)


def gates(*, order: str = "desc", limit: int | None = None) -> Listing[Gate]:
    """The newest version of every gate, newest first."""
    return Listing(Page[Gate], ROOT, query={"order": order}, limit=limit)


def check_gate(
    gate: str,
    evaluation: str | None = None,
    *,
    model: str | None = None,
    checkpoint: str | None = None,
    generation: Mapping[str, object] | None = None,
    wait: float = 0.0,
    idempotency_key: str | None = None,
) -> Script[GateCheck]:
    """Whether the candidate may replace the gate's baseline.

    Args:
        evaluation, model, checkpoint: one of them; a model or checkpoint is evaluated if it has
            not been.
        generation: how the model generates; default: as the baseline's did.
        wait: seconds to wait for a verdict that needs an evaluation.
    """
    fields = {
        "evaluation": evaluation,
        "model": model,
        "checkpoint": checkpoint,
        "generation": generation,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    request = create(address(ROOT, gate, "check"), body, idempotency_key)
    return ask(waited(request, wait), GateCheck)


def gate_check(gate: str, check: str, wait: float = 0.0) -> Script[GateCheck]:
    """A check as it is now, or once it has a verdict, at most `wait` seconds later."""
    return ask(waited(get(ROOT, gate, "checks", check), wait), GateCheck)


def gate_checks(gate: str, *, order: str = "desc", limit: int | None = None) -> Listing[GateCheck]:
    """What the gate's versions said before, newest first."""
    return Listing(Page[GateCheck], ROOT, gate, "checks", query={"order": order}, limit=limit)
