"""What judges said in an evaluation: transcripts with the samples, and what they are biased by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
from sqlalchemy import Connection, select

from inference.errors import ReportedError
from metrics import find
from metrics.core.evidence import NOTES, Evidence
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats, Ints
from metrics.judging import bias
from metrics.judging.params import JudgeParams
from metrics.judging.transcripts import decode
from metrics.judging.values import calibrated, of_items, score_names
from metrics.statistics import agreement
from service.datasets import store as datasets
from service.db.tables import evaluation_metrics, evaluations
from service.errors import ApiError, invalid
from service.evaluations import outputs, plans, ratings, shards
from service.evaluations.judged_schemas import (
    AgreementOut,
    BiasOut,
    JudgeOut,
    JudgeReportOut,
    TranscriptOut,
)
from service.evaluations.store import Evaluation

METRIC = "judge"
MOST_OTHERS = 20  # evaluations on the same dataset that own outputs are held against


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge's evidence in an evaluation; `unit` (n_items,): the index of each output's record."""

    position: int
    params: JudgeParams
    evidence: Evidence
    unit: Ints

    @property
    def values(self) -> Floats:
        """(N, J, K, R, O): see `metrics.judging.values`."""
        return self.evidence["values"].astype(np.float64)


def transcripts(
    db: Connection, row: Evaluation, *, after: str | None, limit: int
) -> list[TranscriptOut]:
    """What the judges were asked and said of up to `limit` samples, in the dataset's order."""
    first = 0
    if after is not None:
        index = datasets.find_index(db, row.dataset_id, after)
        if index is None:
            raise invalid("unknown_cursor", f"no sample has the id {after!r:.100}", "after")
        first = index + 1
    chosen = range(first, min(first + limit, row.size))
    ids = datasets.read_ids(db, row.dataset_id)
    found: dict[int, list[dict[str, Any]]] = {index: [] for index in chosen}
    for position, metric in _metrics(db, row).items():
        for index, calls in _calls(db, row, position, chosen):
            found[index].append({"metric": metric.name, "position": position, "outputs": calls})
    return [TranscriptOut(id=ids[index], judges=judges) for index, judges in found.items()]


def report(db: Connection, row: Evaluation) -> JudgeReportOut:
    """Of every judge what it is biased by. Raises 409 where no judge's evidence is there."""
    found = [_judged(db, row, position, one) for position, one in _metrics(db, row).items()]
    judged = [one for one in found if one is not None]
    if not judged:
        message = "the evaluation has no judge whose answers are in"
        raise ApiError(409, "nothing_judged", message, "evaluation")
    return JudgeReportOut(
        evaluation=row.id,
        level=row.level,
        judges=[_judge(db, row, one, at) for one in judged for at in range(len(one.params.judges))],
        agreement=[one for each in judged for one in _agreement(row, each)],
    )


def _metrics(db: Connection, row: Evaluation) -> dict[int, BoundMetric]:
    """The evaluation's judges, by their position."""
    found = {}
    for one in plans.read(db, row.id):
        if one.name == METRIC:
            try:
                metric = find(METRIC).bind(one.resolved if one.resolved is not None else one.params)
            except ReportedError:  # of an archive, made by a version of other parameters
                continue
            found[one.position] = metric
    return found


def _calls(
    db: Connection, row: Evaluation, position: int, chosen: range
) -> list[tuple[int, list[list[dict[str, Any]]]]]:
    """Of each record that was judged, the calls about each of its outputs."""
    parts = shards.overlapping(db, row.id, chosen.start, chosen.stop)
    evidence = shards.evidence_of(db, row.id, position, [one.number for one in parts])
    found = []
    for part in parts:
        if part.number not in evidence:
            continue
        texts = outputs.read(db, row.id, part.start, part.stop)
        counts = [len(texts.get(index, ())) for index in range(part.start, part.stop)]
        ends = np.cumsum([0, *counts]).tolist()
        for index, (start, stop) in zip(range(part.start, part.stop), pairwise(ends), strict=True):
            if index in chosen:
                own = evidence[part.number].take(range(start, stop))
                found.append((index, decode(own)))
    return found


def _judged(db: Connection, row: Evaluation, position: int, metric: BoundMetric) -> Judged | None:
    measurements = shards.read(db, row.id, position)
    try:
        evidence = shards.joined(measurements)
    except ReportedError:
        return None
    counts = outputs.counts(db, row.id)
    starts = np.arange(row.size, dtype=np.int64)
    unit = np.repeat(starts, [counts.get(index, 0) for index in range(row.size)])
    if "values" not in evidence or len(evidence) != len(unit):
        return None  # not all shards are in
    lean = Evidence({name: one for name, one in evidence.columns.items() if name != NOTES})
    return Judged(position, cast(JudgeParams, metric.params), lean, unit)


def _judge(db: Connection, row: Evaluation, one: Judged, at: int) -> JudgeOut:
    values, lengths = one.values[:, [at]], one.evidence["length"].astype(np.int64)
    rated = _rated(db, row, one)
    flags = {"missing": int(np.isnan(of_items(values)).all(1).sum()), "outputs": len(values)}
    return JudgeOut(
        metric_position=one.position,
        model=one.params.judges[at],
        **flags,
        position=_shown(bias.position(values, one.unit, row.level)),
        order_flips=_shown(bias.flips(values, one.unit, row.level)),
        length=_shown(bias.length(values, lengths, one.unit, row.level)),
        length_beyond_people=(
            _shown(bias.length(values, lengths, one.unit, row.level, rated[one.unit]))
            if rated is not None
            else None
        ),
        self_preference=_shown(_self_preference(db, row, one, at)),
        self_preference_against=_reference(one, rated is not None),
    )


def _rated(db: Connection, row: Evaluation, one: Judged) -> Floats | None:
    """(n_samples,) people's ratings of the first score that has some."""
    field = next(iter(calibrated(one.params).values()), None)
    if field is None:
        return None
    return ratings.read(db, row, field)


def _reference(one: Judged, rated: bool) -> str:
    """What own and others' outputs are held against."""
    if rated:
        return "people"
    return "panel" if len(one.params.judges) > 1 else "nothing"


def _self_preference(db: Connection, row: Evaluation, one: Judged, at: int) -> bias.Bias | None:
    """What the judge gives outputs of its own model beyond what it gives others', each less what
    people, or the rest of the panel, give them."""
    own: list[Floats] = []
    others: list[Floats] = []
    for other in _alike(db, row, one):
        into = own if other[0].model == one.params.judges[at] else others
        into.append(_excess(db, *other, at))
    if not own or not others:
        return None
    return bias.difference(np.concatenate(own), np.concatenate(others), row.level)


def _excess(db: Connection, row: Evaluation, one: Judged, at: int) -> Floats:
    mean = bias.of_judge(one.values, one.unit, at)
    rated = _rated(db, row, one)
    if rated is not None:
        return mean - rated[: len(mean)]
    if len(one.params.judges) > 1:
        return mean - bias.of_others(one.values, one.unit, at)
    return mean


def _alike(db: Connection, row: Evaluation, one: Judged) -> list[tuple[Evaluation, Judged]]:
    """This evaluation and the newest others on its dataset that the same judge has judged."""
    from service.evaluations import store

    table, metric = evaluations.c, evaluation_metrics.c
    query = (
        select(table.id, metric.position)
        .join(evaluation_metrics, metric.evaluation_id == table.id)
        .where(table.dataset_id == row.dataset_id, table.status == "succeeded")
        .where(metric.name == METRIC, table.id != row.id)
        .order_by(table.created_at.desc())
        .limit(MOST_OTHERS)
    )
    found = [(row, one)]
    for id, position in db.execute(query).all():
        other = store.get(db, id)
        bound = _metrics(db, other).get(position) if other is not None else None
        if other is None or bound is None or bound.params != one.params:
            continue
        judged = _judged(db, other, position, bound)
        if judged is not None:
            found.append((other, judged))
    return found


def _agreement(row: Evaluation, one: Judged) -> Sequence[AgreementOut]:
    """Krippendorff's alpha of a panel, for each of its criteria."""
    if len(one.params.judges) < 2:
        return []
    names = list(one.params.questions) or [score_names(one.params)[0]]
    found = []
    for at, name in enumerate(names):
        each = np.stack(
            [of_items(one.values[:, [j]][:, :, [at]])[:, 0] for j in range(len(one.params.judges))],
            1,
        )
        value = agreement.alpha(each)
        low, high = agreement.interval(each, seed=row.seed, level=row.level)
        known = bool(np.isfinite(value))
        found.append(
            AgreementOut(
                metric_position=one.position,
                criterion=name or None,
                alpha=value if known else None,
                interval=(low, high) if known and np.isfinite(low) else None,
                n=int((np.isfinite(each).sum(1) > 1).sum()),
            )
        )
    return found


def _shown(found: bias.Bias | None) -> BiasOut | None:
    if found is None or not np.isfinite([found.value, *found.interval]).all():
        return None
    return BiasOut(**cast(Mapping[str, Any], asdict(found)))
