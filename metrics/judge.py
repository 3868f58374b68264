"""Judge: what a language model thinks of the output, by a rubric.

Conventions
- `score` gives a grade on a scale; `label` one of several labels, each with its value; `checklist`
  answers yes or no to each question, and the score is the share of yes; `pairwise` says which of
  two responses is better: the output, or the reference, or another system's output. Both orders
  are asked, their mean is taken, a tie is half; the score is the rate of wins.
- Where the model gives likelihoods of the answers, the value is the expected one over them (Liu et
  al. 2023). Else what it says is read strictly, asked for once more where that fails, and missing
  where it fails again: refused, unreadable or not given, never a score.
- With `criteria` there is a score for each, `judge/<criterion>`, asked one at a time. Of a panel
  the value is the mean over its judges, of `repeats` draws the mean over them.
- What the judge was asked and said is kept: `GET /v1/evaluations/{id}/transcripts`.
- With `calibrate`, `judge/people` is the mean of people's ratings and `judge/calibrated` that mean
  by people and judge together (PPI++), on people's scale.

Example
    >>> bound = METRIC.bind({"model": "gpt", "criteria": ["fluency", "relevance"]})
    >>> bound.score_names, bound.models
    (('judge/fluency', 'judge/relevance'), ('gpt',))
    >>> METRIC.bind({"model": "gpt", "rubric": "fluent"})
    Traceback (most recent call last):
    inference.errors.InputError: rubric: no ready rubric is called 'fluent'; did you mean 'fluency'?
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.batching import plan_in_order
from inference.errors import InputError
from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core import beside
from metrics.core.evidence import FLAG, NOTES, Evidence
from metrics.core.metric import Flag, Item, Metric, Opponent, Reads, Sample, Score, Source
from metrics.core.names import hint
from metrics.core.rows import Floats, Ints, Settled
from metrics.judging.asking import Heard, ask
from metrics.judging.params import JudgeParams
from metrics.judging.questions import Question, compared_with, questions
from metrics.judging.transcripts import call, encode
from metrics.judging.values import (
    calibrated,
    counts,
    draws,
    fewer,
    of_items,
    reduce,
    rows,
    score_names,
)

BATCH = 32  # outputs between two looks at whether to go on, and what a killed worker may lose
ACROSS = ("calibrate",)  # each system's outputs have ratings in a field of their own
LEAST_RATED = 20  # samples with people's ratings

UNREADABLE, REFUSED, NO_ANSWER, PARTLY, PARTLY_GONE, OVER_BUDGET = 1, 2, 3, 4, 5, 6  # flags
FLAGS = {
    UNREADABLE: Flag(
        "the judge's answer cannot be read, asked twice: `transcripts` has its words", missing=True
    ),
    REFUSED: Flag("the judge refused, or a filter did", missing=True),
    NO_ANSWER: Flag("the judge did not answer", missing=True, lasting=False),
    PARTLY: Flag("some of the judge's answers are missing: the others count", missing=False),
    PARTLY_GONE: Flag("some answers did not come: the others count", missing=False, lasting=False),
    OVER_BUDGET: Flag("not judged: the budget was spent", missing=True, lasting=False),
}
CODES = {
    "over budget": OVER_BUDGET,
    "no answer": NO_ANSWER,
    "refused": REFUSED,
    "unreadable": UNREADABLE,
}
PASSING = (OVER_BUDGET, NO_ANSWER)


def needs(params: JudgeParams) -> tuple[Reads, ...]:
    """The output; references, where it is compared with them."""
    alone = params.mode != "pairwise" or params.against is not None
    return ("output",) if alone else ("output", "references")


def scores(params: JudgeParams) -> tuple[Score, ...]:
    """One for each criterion, then for each with people's ratings what they say, and together."""
    values = params.answers.values()
    low, high = min(values), max(values)
    about = {"score": "mean grade", "label": "mean value of the labels"}
    about |= {"checklist": "share of yes", "pairwise": "rate of wins, ties by half"}
    found = [
        Score(name, True, low, high, f"{about[params.mode]}, by the judge", ACROSS)
        for name in score_names(params)
    ]
    for name in calibrated(params):
        wide = (True, float("-inf"), float("inf"))
        both = "people's mean, by their ratings and the judge's values (PPI++)"
        found.append(Score(f"{name}/calibrated", *wide, both, ACROSS))
        found.append(Score(f"{name}/people", *wide, "mean of people's ratings alone", ACROSS))
    return tuple(found)


def fields(params: JudgeParams) -> tuple[str, ...]:
    """The metadata that people's ratings stand in."""
    return tuple(dict.fromkeys(calibrated(params).values()))


def opponent(params: JudgeParams) -> Opponent | None:
    """Whose outputs a pairwise judge compares with, where those are no references."""
    if params.against is None:
        return None
    return Opponent(params.against.evaluation, params.against.system, "against")


def check(params: JudgeParams, samples: Sequence[Sample]) -> None:
    """Raises InputError where too few samples have people's ratings, or one has what is none;
    votes may still come."""
    for field in fields(params):
        if field.startswith(beside.VOTED):
            continue
        where = "params.calibrate.ratings"
        given = [(one.id, one.metadata.get(field)) for one in samples]
        wrong = [(id, value) for id, value in given if value is not None]
        wrong = [(id, value) for id, value in wrong if np.isnan(beside.number(value))]
        if wrong:
            id, value = wrong[0]
            message = f"the rating {field!r} of the sample {id!r} is no number: {value!r:.60}"
            raise InputError(message, where)
        count = sum(value is not None for _, value in given)
        if count < LEAST_RATED:
            known = dict.fromkeys(key for one in samples for key in one.metadata)
            advice = "" if field in known else f"; {hint(field, known)}"
            message = f"{count} samples have people's rating {field!r} in their metadata, and "
            raise InputError(f"{message}{LEAST_RATED} are the least{advice}", where)


def plan(items: Sequence[Item], params: JudgeParams, models: Models) -> list[list[int]]:
    """In order, so that answers are kept every so many outputs."""
    return plan_in_order([1] * len(items), BATCH, BATCH)


def measure(items: Sequence[Item], params: JudgeParams, models: Models) -> Evidence:
    """Columns `values` (N, judges, criteria, repeats, orders), NaN where there is none; `length`
    (N, 2) characters of the output and of what it is compared with; transcripts as notes.

    Raises InputError where a rubric cannot be filled in, or there is nothing to compare with.
    """
    asked = questions(items, params)
    shape = (len(items), len(params.judges), len(params.questions), params.repeats, 2)
    values = np.full(shape if params.mode == "pairwise" else (*shape[:-1], 1), np.nan)
    calls: list[list[dict[str, object]]] = [[] for _ in items]
    kinds: list[list[str]] = [[] for _ in items]
    for number, judge in enumerate(params.judges):
        model = models.chat(judge, params.dtype)
        heard = ask(model, [one.text for one in asked], params)
        for question, said in zip(asked, heard, strict=True):
            own = _own(question, said)
            place = values[question.item, number, question.criterion, :, question.order]
            place[:] = np.nan
            place[: len(own)] = own
            order = question.order_name
            told = call(judge, question.name, order, question.text, said, own)
            calls[question.item].append(told)
            kinds[question.item] += [draw.kind for draw in said.draws if draw.kind is not None]
    lengths = [(len(item.output), len(compared_with(item, params))) for item in items]
    return Evidence.of_ragged(
        {NOTES: [encode(one) for one in calls]},
        {
            "values": values,
            "length": np.array(lengths, np.int64).reshape(-1, 2),
            FLAG: np.array(_flags(values, kinds), np.uint8),
        },
    )


def _own(question: Question, heard: Heard) -> list[float]:
    """The values for the output: of pairwise, the other way round where it stood second."""
    found = [draw.value for draw in heard.draws]
    return [1.0 - value for value in found] if question.order else found


def _flags(values: Floats, kinds: Sequence[Sequence[str]]) -> list[int]:
    missing = np.asarray(np.isnan(of_items(values)).all(1), np.bool_)
    found = []
    for none, own in zip(missing.tolist(), kinds, strict=True):
        first = next((CODES[kind] for kind in CODES if kind in own), 0)
        partly = PARTLY_GONE if first in PASSING else PARTLY
        found.append(first if none else partly if first else 0)
    return found


def settle(evidence: Evidence, unit: Ints, params: JudgeParams) -> Settled:
    """Rows as `metrics.judging.values.rows` makes them; votes on too few samples are left out."""
    ratings = {field: beside.read(evidence, field) for field in fields(params)}
    warnings = []
    for field, given in ratings.items():
        count = len(np.unique(unit[np.isfinite(given)]))
        if field.startswith(beside.VOTED) and count < LEAST_RATED:
            ratings[field] = np.full(len(unit), np.nan)
            few = "{count} samples have {field}: {least} are the least"
            warnings.append(Sentence(few, count=count, field=field, least=LEAST_RATED))
    settled = rows(evidence["values"].astype(np.float64), unit, ratings, params)
    return Settled(settled, warnings=tuple(warnings))


METRIC = Metric(
    name="judge",
    version=1,
    about="What a language model thinks of the output, by a rubric.",
    formula=(
        "mean of a language model's grades, Σ g · p(g) over its likelihoods of the grades "
        "where it gives them"
    ),
    avoid=(
        "Without a look at its bias report: judges prefer longer answers, first answers and "
        "their own. Where an exact check exists, take that."
    ),
    params=JudgeParams,
    reads=("output", "prompt", "references", "opponent"),
    model_kind="chat",
    needs=needs,
    scores=scores,
    interval="bootstrap_t",
    source=Source(
        "Zheng et al. 2023, arXiv:2306.05685; Liu et al. 2023, arXiv:2303.16634",
        "ppi-py 0.2.3 (calibrated), krippendorff 0.9.0 (agreement)",
    ),
    measure=measure,
    settle=settle,
    reduce=reduce,
    sentence=fewer,
    counts=counts,
    models=lambda params: params.judges,
    fields=fields,
    draws=draws,
    opponent=opponent,
    flags=FLAGS,
    plan=plan,
    check=check,
    cached=True,
    independent=True,
)
