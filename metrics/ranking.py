"""Ranking: how well a list of retrieved ids finds the relevant ones, as trec_eval counts it.

Conventions
    An output is a list of ids, the best first: a JSON list of texts or numbers, or an id a line. A
    JSON object {"id": score} is ordered as trec_eval orders a run: by score, then by id, both
    descending. Of an id that comes twice, the first place counts. An empty list counts 0; so does
    what begins as JSON and is none, and is flagged.
    References are the relevance judgements: an id each, of grade 1, or JSON objects
    {"id": grade}, whole numbers, 0 and less for what is irrelevant. What is not judged is
    irrelevant. A sample without a relevant id is missing.
    Ids are compared as text, without white space around them.
        recall@k     relevant ids among the first k, of all relevant ones
        precision@k  relevant ids among the first k, over k, however short the list
        hit@k        1 where a relevant id is among the first k
        ndcg@k       DCG@k over that of the best order; DCG = sum of grade / log2(place + 1)
        mrr          1 / place of the first relevant id, 0 where none is retrieved
        map          mean, over the relevant ids, of the precision at their places
    Relevant is what has `min_grade` or more; nDCG takes all grades. Several outputs of a sample are
    averaged; the value is the mean over samples, the queries. 0..1, higher is better.

Järvelin and Kekäläinen: Cumulated gain-based evaluation of IR techniques (TOIS 20, 2002).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ('["d7", "d2", "d4"]',), references=("d2", "d4"))
    >>> (result,) = score([sample], [METRIC.bind({"k": [2]})])
    >>> {score.name: round(score.value, 4) for score in result.scores}
    {'recall@2': 0.5, 'precision@2': 0.5, 'hit@2': 1.0, 'ndcg@2': 0.3869, 'mrr': 0.5, 'map': 0.5833}
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import log2
from typing import Annotated

import numpy as np
import orjson
from pydantic import Field

from inference.errors import InputError
from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Sample, Score, Source
from metrics.core.rows import mean

UNREADABLE, NOTHING_RELEVANT = 1, 2  # flags
MOST_GRADE = 1_000_000

Grades = Mapping[str, int]


class RankingParams(Params):
    """How far down the list one looks, and what is relevant."""

    k: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = Field(
        (10,), min_length=1, max_length=10, description="how many of the first ids are looked at"
    )
    min_grade: int = Field(1, ge=1, description="the least grade that is relevant")


def scores(params: RankingParams) -> tuple[Score, ...]:
    """Four for each k, and two of the whole list."""
    names = [f"{name}@{k}" for k in params.k for name in ("recall", "precision", "hit", "ndcg")]
    return tuple(
        Score(name, higher_is_better=True, high=1.0, about="mean over queries")
        for name in [*names, "mrr", "map"]
    )


def measure(items: Sequence[Item], params: RankingParams, models: Models) -> Evidence:
    """Rows (value, ..., 1) of each item; zeros where nothing is relevant."""
    read: dict[tuple[str, ...], Grades] = {}
    rows, flags = np.zeros((len(items), 4 * len(params.k) + 3)), []
    for index, item in enumerate(items):
        if item.references not in read:
            read[item.references] = judgements(item.references)
        grades = read[item.references]
        ids = retrieved(item.output)
        relevant = sum(grade >= params.min_grade for grade in grades.values())
        if relevant:
            rows[index] = *_values(ids or [], grades, relevant, params), 1.0
        flags.append(NOTHING_RELEVANT if not relevant else UNREADABLE if ids is None else 0)
    return Evidence.of_rows(rows, flags)


def retrieved(output: str) -> list[str] | None:
    """The ids of an output, the best first, each once; None where JSON begins and is none."""
    text = output.strip()
    if not text.startswith(("[", "{")):
        return list(dict.fromkeys(filter(None, map(str.strip, text.splitlines()))))
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    if isinstance(found, dict):
        if not set(map(type, found.values())) <= {int, float}:
            return None
        found = [name for _, name in sorted(zip(found.values(), found, strict=True), reverse=True)]
    kinds = set(map(type, found))
    if not kinds <= {str, int}:
        return None
    return list(dict.fromkeys(map(str.strip, found if kinds == {str} else map(str, found))))


def judgements(references: Sequence[str]) -> dict[str, int]:
    """The grade of each judged id, the highest where there are several. Raises InputError."""
    grades: dict[str, int] = {}
    for text in references:
        for name, grade in _judged(text).items():
            grades[name] = max(grade, grades.get(name, grade))
    return grades


def _judged(reference: str) -> Grades:
    text = reference.strip()
    if not text.startswith("{"):
        return {text: 1} if text else {}
    try:
        found = orjson.loads(text)
    except ValueError:
        found = {text: None}
    if not all(type(one) is int and abs(one) <= MOST_GRADE for one in found.values()):
        raise InputError(
            f"{text[:80]!r} is no relevance judgement: an id, or a JSON object "
            '{"id": grade} of whole numbers',
            "samples.references",
        )
    return {name.strip(): grade for name, grade in found.items()}


def _values(
    ids: Sequence[str], grades: Grades, relevant: int, params: RankingParams
) -> tuple[float, ...]:
    """Recall, precision, hit and nDCG at each k, the reciprocal rank, the average precision."""
    judged = [(place, grades[one]) for place, one in enumerate(ids, 1) if one in grades]
    places = [place for place, grade in judged if grade >= params.min_grade]
    gained, gains = _gains([(place, grade) for place, grade in judged if grade > 0])
    ordered = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    best = _gains(enumerate(ordered, 1))[1]
    values: list[float] = []
    for k in params.k:
        found = bisect_right(places, k)
        gain = gains[bisect_right(gained, k)] / best[min(k, len(ordered))]
        values += found / relevant, found / k, float(found > 0), gain
    precisions = [count / place for count, place in enumerate(places, 1)]
    first = 1 / places[0] if places else 0.0
    return (*values, first, sum(precisions) / relevant)


def _gains(judged: Iterable[tuple[int, int]]) -> tuple[list[int], list[float]]:
    """The places, in order, and the gain, cumulated and discounted, of the first 0, 1, … of them"""
    places, sums = [], [0.0]
    for place, grade in judged:
        places.append(place)
        sums.append(sums[-1] + grade / log2(place + 1))
    return places, sums


def check(params: RankingParams, samples: Sequence[Sample]) -> None:
    """Raises InputError where a reference is no relevance judgement."""
    for sample in samples:
        judgements(sample.references)


METRIC = Metric(
    name="ranking",
    version=1,
    about="How well a ranked list of ids finds the relevant ones: recall, nDCG, MRR, MAP.",
    formula="recall@k = relevant in the first k / relevant; ndcg@k = DCG@k / ideal DCG@k, "
    "DCG = Σ grade / log2(place + 1); mrr = mean of 1 / first place; map = mean average precision",
    avoid="Judgements with holes: what nobody judged counts as irrelevant.",
    params=RankingParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=scores,
    interval="wilson",
    pooling="average",
    source=Source(
        paper="Järvelin and Kekäläinen 2002, https://doi.org/10.1145/582415.582418",
        reference="ir_measures 0.4.3 and pytrec_eval-terrier 0.5.11 (trec_eval)",
    ),
    measure=measure,
    reduce=mean,
    check=check,
    flags={
        UNREADABLE: Flag("begins as JSON, but is no list of ids: counted as empty", missing=False),
        NOTHING_RELEVANT: Flag("the references name no relevant id", missing=True),
    },
    independent=True,
)
