"""Gates and checks that are let in: everything is checked, then stored."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection

from inference.errors import ReportedError
from inference.protocols.declaration import Protocol
from metrics.core.alignment import Grouping, align, refusal
from service.errors import ApiError, invalid, not_found
from service.evaluations import plans
from service.evaluations import store as evaluations
from service.evaluations.admission import admit
from service.evaluations.checks import evaluable
from service.evaluations.schemas import EvaluationIn, GenerationIn, MetricIn
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation, Task
from service.gates import store as gates
from service.gates.checks import baseline_of, check, dataset_of
from service.gates.rules import NOT_SEQUENTIAL, sequential_score
from service.gates.schemas import CheckIn, GateIn, RuleIn
from service.gates.store import Gate
from service.leaderboards import scopes
from service.leaderboards.paired import paired_results
from service.leaderboards.pairing import counterpart, pairing, score_named
from service.settings import Settings


def admit_gate(db: Connection, settings: Settings, body: GateIn) -> tuple[Gate, bool]:
    """The gate, and whether this version is new. Raises 422 for what no check could be made of: an
    unknown dataset, score, slice or field, a baseline without an evaluation, a sequential gate
    over a score that is no mean of bounded values, a slice or clusters of a score of whole sets.
    """
    evaluable(db, body.dataset, "dataset")
    baseline = baseline_of(db, body)
    scores = read_scores(db, [baseline.id])[baseline.id]
    sets, field = [baseline.dataset_id], body.cluster or baseline.cluster
    grouping = scopes.clustered(db, sets, field) if field is not None else None
    for at, rule in enumerate(body.rules):
        score = score_named(scores, rule.score, f"rules[{at}].score")
        if body.sequential:
            _check_sequential(db, settings, rule, score, f"rules[{at}].score")
        chosen = None
        if rule.slice is not None:
            chosen = scopes.sliced(db, sets, rule.slice, f"rules[{at}].slice")
        _check_parts(db, settings, score, chosen, grouping, f"rules[{at}].score")
    if all(rule.tier != "critical" for rule in body.rules):
        message = "no rule is critical, so no verdict would ever be go or no_go"
        raise invalid("no_critical_rule", message, "rules")
    return gates.put(db, body)


def _check_sequential(
    db: Connection, settings: Settings, rule: RuleIn, score: Score, param: str
) -> None:
    (baseline,) = paired_results(db, settings, [score])
    try:
        itself = pairing(baseline, baseline)
    except ReportedError:  # rows that are gone: another evaluation may have some
        return
    if not sequential_score(itself):
        raise invalid("not_sequential", NOT_SEQUENTIAL.format(rule.score), param)


def _check_parts(
    db: Connection,
    settings: Settings,
    score: Score,
    chosen: Collection[str] | None,
    grouping: Grouping | None,
    param: str,
) -> None:
    """Raises 422 for a score without a test, and for one of whole sets, where the rule is over a
    slice or clusters."""
    (one,) = paired_results(db, settings, [score])
    if one is not None and one.declared.no_interval:
        message = f"{score.name} has no test: {one.declared.no_interval}"
        raise invalid("never_settled", message, param)
    if one is None or one.metric.interval != "jackknife":
        return
    sides = (one.side, one.side)
    why = refusal(one.metric, sides, align(sides, chosen), (0, 1), grouping)
    if why is not None:
        message = f"{why}; no check could ever settle this rule: put it into a gate without"
        raise invalid("never_settled", message, param)


def admit_check(db: Connection, settings: Settings, gate: Gate, body: CheckIn) -> str:
    """The id of the check, with its verdict where the candidate's evaluation has ended."""
    row = _candidate(db, settings, gate, body)
    sequential = gate.asked.sequential
    if row.status in {"failed", "cancelled"} and not (sequential and row.done):
        message = f"{row.id} has {row.status}: nothing of it can be checked"
        raise ApiError(409, "not_finished", message, "evaluation")
    id = gates.add_check(db, gate.id, row.id)
    if row.status == "succeeded" or (sequential and body.evaluation is not None):
        settle(db, settings, gate, id, row)
    elif body.evaluation is not None:
        message = f"{row.id} is {row.status}: wait for it, or give the gate `sequential`"
        raise ApiError(409, "not_finished", message, "evaluation")
    else:
        evaluations.follow(db, row.id, Task("gate.settle", {"check": id}))
    return id


def settle(
    db: Connection,
    settings: Settings,
    gate: Gate,
    id: str,
    row: Evaluation,
    alpha: float | None = None,
) -> None:
    """Store the verdict of a check. Raises ApiError where the two cannot be compared."""
    found = check(db, settings, gate, row, alpha)
    gates.settle_check(db, id, verdict=found.verdict, result=found.as_json())


def _candidate(db: Connection, settings: Settings, gate: Gate, body: CheckIn) -> Evaluation:
    if body.evaluation is not None:
        return evaluations.require(db, body.evaluation)
    name, version = dataset_of(db, gate.asked)
    model = body.model or body.checkpoint or ""
    found = None
    if body.checkpoint is not None:
        there, found = gates.evaluation_of_checkpoint(db, body.checkpoint)
        if not there:
            raise not_found("checkpoint", body.checkpoint, param="checkpoint")
        if found is not None:
            row = evaluations.require(db, found)
            if row.dataset_name == name and row.status == "succeeded":
                return row
    if body.generation is None:
        baseline = baseline_of(db, gate.asked)
        for found in gates.of_model(db, name, model, version):
            row = evaluations.require(db, found)
            if _made_as(db, gate, row, baseline):
                return row
    return evaluations.require(db, _evaluated(db, settings, gate, body, model))


def _made_as(db: Connection, gate: Gate, row: Evaluation, baseline: Evaluation) -> bool:
    """Whether it has every score that the gate asks for, and was generated as the baseline was."""
    if baseline.generation is not None and row.generation != baseline.generation:
        return False
    found = read_scores(db, [row.id, baseline.id])
    wanted = [score_named(found[baseline.id], rule.score, "rules") for rule in gate.asked.rules]
    return all(counterpart(found[row.id], one) is not None for one in wanted)


def _evaluated(db: Connection, settings: Settings, gate: Gate, body: CheckIn, model: str) -> str:
    """A new evaluation of the model, by the baseline's metrics, asked as the baseline was."""
    asked = gate.asked
    baseline = baseline_of(db, asked)
    scores = read_scores(db, [baseline.id])[baseline.id]
    positions = {score_named(scores, rule.score, "rules").position for rule in asked.rules}
    metrics = [
        MetricIn(name=one.name, params=dict(one.resolved or one.params))
        for one in plans.read(db, baseline.id)
        if one.position in positions
    ]
    asked_by = baseline.protocol if baseline.model is not None else None
    given: Any = body.generation
    if given is None and baseline.generation is not None:
        given = GenerationIn.model_validate(dict(baseline.generation))
    request = EvaluationIn(
        dataset=asked.dataset,
        model=model,
        generation=given,
        protocol=None if asked_by is None else Protocol.model_validate(dict(asked_by)),
        metrics=metrics,
        cluster=baseline.cluster,
        stop_when_settled=f"{gate.name}@{gate.version}" if asked.sequential else None,
    )
    try:
        return admit(db, request, settings)
    except ApiError as error:
        if error.param == "model" and body.checkpoint is not None:
            error.param = "checkpoint"
        raise
