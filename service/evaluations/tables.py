"""An evaluation as a table: a row for each score, its slices behind it."""

from __future__ import annotations

from itertools import groupby

from metrics.suites.wording import left_out
from service.evaluations.schemas import EvaluationOut, ScoreOut
from service.figures.table import Bar, Cell, Panel, Table, extended, tabulate
from service.figures.words import headed, precision


def evaluation_table(one: EvaluationOut) -> Table:
    """Scores of the whole set and of slices, a panel of bars for each score."""
    given: dict[str, Cell] = {
        "evaluation": one.id,
        "system": one.system,
        "dataset": one.dataset,
        "dataset_version": one.dataset_version,
        "status": one.status,
    }
    place = {_score(score): at for at, score in reversed(list(enumerate(one.scores)))}
    scores = sorted([*one.scores, *one.slices], key=lambda one: place.get(_score(one), len(place)))
    groups = [list(found) for _, found in groupby(scores, key=_score)]
    columns, rows = tabulate(ScoreOut, scores, given)
    missing = [
        {**given, "metric": x.metric, "left_out": x.reason, "instead": x.instead}
        for x in one.left_out
    ]
    columns, rows, more = extended(columns, rows, ["left_out", "instead"], missing)
    titles = {"name": "score", "slice": "slice", "value": "value", "interval": _interval(scores)}
    titles |= {"n": "n"} | ({"missing": "missing"} if any(s.missing for s in scores) else {})
    return Table(
        name=one.id,
        title=f"{one.system} on {one.dataset}@{one.dataset_version}",
        columns=columns,
        rows=rows,
        titles=titles,
        digits=[places for group in groups for places in _digits(group)],
        more=more,
        notes=_notes(one, scores),
        panels=[
            Panel(
                headed(group[0].name, group[0].higher_is_better if group[0].judged else None),
                [Bar(score.slice or "all", score.value, score.interval) for score in group],
            )
            for group in groups
        ],
    )


def _notes(one: EvaluationOut, scores: list[ScoreOut]) -> list[str]:
    unfinished = [] if one.status == "succeeded" else [f"the evaluation is {one.status}"]
    missing = [left_out(x.metric, x.reason, x.instead) for x in one.left_out]
    said = dict.fromkeys(said for score in scores for said in _said(score))
    return [*unfinished, *missing, *said]


def _score(score: ScoreOut) -> tuple[str, str, str | None]:
    return score.metric, score.name, score.signature


def _digits(group: list[ScoreOut]) -> list[int]:
    """One number for all of a score's rows, that their digits stand below each other."""
    return [precision([(one.value, one.interval) for one in group])] * len(group)


def _interval(scores: list[ScoreOut]) -> str:
    levels = {score.level for score in scores}
    return f"{100 * levels.pop():g}% interval" if len(levels) == 1 else "interval"


def _said(score: ScoreOut) -> list[str]:
    name = f"{score.name} for {score.slice}" if score.slice else score.name
    failed = [str(score.error.get("message", "no value"))] if score.error else []
    return [f"{name}: {sentence}" for sentence in (*failed, *score.warnings)]
