"""Evaluations and their samples, as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from inference.protocols.conversation import prompt_of
from service.evaluations import plans, usages
from service.evaluations.outputs import Output
from service.evaluations.plans import Plan
from service.evaluations.provenance import provenances
from service.evaluations.sample_schemas import DetailsOut, SampleOut, TraceOut, VerdictsOut
from service.evaluations.schemas import EvaluationOut, Progress, ScoreOut, VarianceOut
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.evaluations.usage_schemas import MetricsUsageOut, UnansweredOut, UsageOut
from service.evaluations.usages import Usage
from service.suites.schemas import LeftOutMetricOut


def view(db: Connection, row: Evaluation) -> EvaluationOut:
    """One evaluation, with its metrics and scores."""
    return views(db, [row])[0]


def views(db: Connection, rows: Sequence[Evaluation]) -> list[EvaluationOut]:
    """Evaluations with their metrics and scores, read for all of them at once."""
    ids = [row.id for row in rows]
    scores, planned = read_scores(db, ids), plans.read_all(db, ids)
    whence, used = provenances(db, rows, planned), usages.read(db, ids)
    return [
        _view(row, planned[row.id], scores[row.id], whence[row.id], used.get(row.id))
        for row in rows
    ]


def progress(row: Evaluation) -> dict[str, int]:
    """`done` and `total` measurements; all are done once it has succeeded."""
    return {"done": row.total if row.status == "succeeded" else row.done, "total": row.total}


def _view(
    row: Evaluation,
    planned: Sequence[Plan],
    scores: Sequence[Score],
    provenance: Mapping[str, Any],
    usage: Usage | None,
) -> EvaluationOut:
    named = {(score.position, score.name): score for score in scores}
    judged = {key: score.judged for key, score in named.items()}  # of slices as of the whole set
    shown = [score_view(score, judged[score.position, score.name]) for score in scores]
    return EvaluationOut(
        id=row.id,
        status=row.status,
        system=row.system,
        dataset=row.dataset_name,
        dataset_version=row.dataset_version,
        dataset_id=row.dataset_id,
        model=row.model,
        generation=dict(row.generation) if row.generation is not None else None,
        budget=dict(row.budget) if row.budget is not None else None,
        usage=_usage(usage) if usage is not None else None,
        protocol=dict(row.protocol) if row.protocol is not None else None,
        protocol_digest=row.protocol_digest,
        suite=row.suite,
        left_out=[LeftOutMetricOut.model_validate(one) for one in row.left_out],
        metrics=[
            {"name": one.name, "params": one.resolved if one.resolved is not None else one.params}
            for one in planned
        ],
        progress=Progress(**progress(row)),
        scores=[score for score in shown if score.slice is None],
        slices=[score for score in shown if score.slice is not None],
        cluster=row.cluster,
        error=dict(row.error) if row.error is not None else None,
        warnings=row.warnings,
        seed=row.seed,
        replicates=row.replicates,
        origin=_shown(row.origin),
        provenance=dict(provenance),
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _usage(usage: Usage) -> UsageOut:
    taken = usage.metrics
    return UsageOut(**_taken(usage), metrics=MetricsUsageOut(**_taken(taken)) if taken else None)


def _taken(usage: Usage) -> dict[str, Any]:
    return {
        "requests": usage.requests,
        "tokens": usage.tokens,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost": usage.cost if usage.cost or not usage.requests else None,
        "cached": usage.cached,
        "unanswered": UnansweredOut(
            requests=usage.unanswered_requests,
            tokens=usage.unanswered_tokens,
            cost=usage.unanswered_cost if usage.unanswered_cost else None,
        )
        if usage.unanswered_requests
        else None,
    }


def _shown(origin: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The origin less the provenance, which is shown beside it."""
    if origin is None:
        return None
    return {name: value for name, value in origin.items() if name != "provenance"}


def score_view(score: Score, judged: bool) -> ScoreOut:
    """One score, of the whole set or a slice."""
    return ScoreOut(
        metric=score.metric,
        name=score.name,
        slice=score.slice or None,
        value=score.value,
        interval=score.interval,
        level=score.level,
        n=score.n,
        missing=score.missing,
        higher_is_better=score.higher_is_better,
        judged=judged,
        interval_method=score.interval_method,
        signature=score.signature,
        warnings=score.warnings,
        error=dict(score.error) if score.error is not None else None,
        clusters=score.clusters,
        design_effect=score.design_effect,
        variance=VarianceOut(**score.variance) if score.variance is not None else None,
        rated=score.rated,
    )


def sample_view(
    output: Output, scores: Mapping[str, float | None], verdicts: list[VerdictsOut]
) -> SampleOut:
    """A sample with its values by score, and what metrics found of its parts."""
    return SampleOut(
        id=output.content["id"],
        prompt=prompt_of(output.content),
        messages=output.content.get("messages"),
        outputs=output.texts or [],
        traces=None
        if output.traces is None
        else [TraceOut.model_validate(one) for one in output.traces],
        details=None
        if output.details is None
        else [DetailsOut.model_validate(one) for one in output.details],
        references=output.content.get("references") or [],
        metadata=output.content.get("metadata") or {},
        scores=dict(scores),
        verdicts=verdicts,
    )
