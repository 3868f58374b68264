"""`human/<score>`: what people said of outputs in an annotation project, as a score.

Conventions
    Nothing is measured here: `POST /v1/annotation_projects/{id}/publish` brings a value for each
    sample that people voted on. Several votes on a sample are averaged, whoever cast them, and the
    value is the mean over samples, each counting once: intervals, slices, comparisons, boards and
    gates work as for any metric. Samples that nobody voted on are missing by the study's design,
    which counts against no system; those without an output count as they do for any metric.
    `human/win_rate` (pairwise): 1 where the system's output was chosen, 0.5 of a tie, 0 where the
    other's was; whom it met is not corrected for. `human/best_worst`: 1 where it was the best of
    those shown, -1 where it was the worst, else 0. `human/<criterion>` (likert): the rating.
    `human/<label>` (label): 1 where it was given, else 0; neither is better.
    `human/strength` (pairwise) is of a fit, corrected for whom a system met. It has no value of a
    sample, so no test compares it: its interval is the fit's, over annotators and items.
    Projects ask different people different things: the project is part of the signature, so no
    board mixes two. How many voted is not, and stands in the parameters.
    Intervals are over samples. Other people might say something else: a warning tells how many
    these were.

Example
    >>> bound = declare("human/win_rate").bind({"project": "annproj_1", "form": "pairwise"})
    >>> bound.score_names, bound.scores[0].high
    (('human/win_rate',), 1.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from pydantic import Field

from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.beside import VOTED
from metrics.core.errors import NotMeasured, UnknownMetric
from metrics.core.evidence import Evidence
from metrics.core.metric import AnyMetric, Flag, Item, Metric, Params, Sample, Score, Source
from metrics.core.rows import Floats, Ints, Settled, mean, settle_by_averaging
from metrics.core.settling import Mask

PREFIX = VOTED
WIN_RATE = f"{PREFIX}win_rate"
STRENGTH = f"{PREFIX}strength"
BEST_WORST = f"{PREFIX}best_worst"
FITTED = "fitted"  # the interval method of strengths, which have no rows
NO_VOTE, NO_OUTPUT = 1, 2
COUNTS = ("votes", "annotators")  # told, and no reason not to compare two values
NOT_MEASURED = (
    "people's votes come with an annotation project, and are not measured: "
    "POST /v1/annotation_projects/{id}/publish"
)


class PeopleParams(Params):
    """Whose votes these are; `votes` and `annotators` count those on this system's outputs."""

    project: str = Field(description="the annotation project")
    form: str = Field(description="what people were asked for")
    overlap: int = Field(1, description="votes that were wanted on each item")
    low: float | None = Field(0.0, description="the least possible value; null: there is none")
    high: float | None = Field(1.0, description="the largest possible value; null: there is none")
    judged: bool = Field(True, description="whether more is better; of labels, neither is")
    votes: int = Field(0, ge=0, description="how many there are")
    annotators: int = Field(0, ge=0, description="who cast them")


@cache
def declare(name: str) -> AnyMetric:
    """The metric called `name` (`human/<score>`). Raises UnknownMetric without a score."""
    if not name.removeprefix(PREFIX).strip():
        raise UnknownMetric(f"{name!r} names no score: write {WIN_RATE}", "name")

    def scores(params: PeopleParams) -> tuple[Score, ...]:
        low = float("-inf") if params.low is None else params.low
        high = float("inf") if params.high is None else params.high
        about = f"what people said in the annotation project {params.project}"
        return (Score(name, True, low, high, about, COUNTS, params.judged),)

    return Metric(
        name=name,
        version=1,
        about=f"{name.removeprefix(PREFIX)!r} by votes of people in an annotation project.",
        params=PeopleParams,
        reads=("output",),
        needs=(),
        scores=scores,
        interval="wilson",  # of what is not 0 or 1, the bootstrap's
        source=Source(paper="the project's votes", reference="the project's votes"),
        measure=_measure,
        settle=_settle,
        reduce=mean,
        counts=_counts,
        flags={
            NO_VOTE: Flag("nobody has voted on it", missing=True, by_design=True),
            NO_OUTPUT: Flag("the system gave no output", missing=True),
        },
        check=_refuse,
    )


def evidence(values: Floats, blank: Mask) -> Evidence:
    """Evidence of outputs with these values (n_items,); NaN where nobody voted. `blank` (n_items,):
    there is nothing to vote on."""
    there = np.isfinite(values)
    rows = np.stack([np.where(there, values, 0.0), there], axis=1).astype(np.float64)
    absent = np.where(blank, NO_OUTPUT, NO_VOTE)
    return Evidence.of_rows(rows, np.where(there, 0, absent).tolist())


def _settle(evidence: Evidence, unit: Ints, params: PeopleParams) -> Settled:
    warning = Sentence(
        "of {annotators} annotators: the interval is over samples, not over people",
        annotators=params.annotators,
    )
    return replace(settle_by_averaging(evidence, unit, params), warnings=(warning,))


def _counts(sums: Floats, params: PeopleParams) -> Floats:
    """(1, 2): all samples that the score is of are rated."""
    return np.array([[np.nan, sums[-1]]])


def _measure(items: Sequence[Item], params: PeopleParams, models: Models) -> Evidence:
    raise NotMeasured(NOT_MEASURED, "name")


def _refuse(params: PeopleParams, samples: Sequence[Sample]) -> None:
    raise NotMeasured(NOT_MEASURED, "name")
