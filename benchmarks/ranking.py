"""Ranking against ir_measures: a hundred retrieved ids a query, equal scores among them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats

DEPTHS = (1, 10, 100)

Queries = dict[str, dict[str, Any]]
Task = tuple[Queries, Queries, list[Sample]]


def rows(scale: float) -> Iterator[Row]:
    count = max(2, int(2000 * scale))
    metric = find("ranking").bind({"k": DEPTHS})

    def ours(task: Task) -> Floats:
        return rows_of(metric, task[2])[:, :-1]

    found = in_turns([_task(count, seed) for seed in range(ROUNDS)], ours, _theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    agreement = f"every query's 14 values, largest difference {difference:.1g}"
    what = f"ranking, {count} queries of 100 ids, ours from JSON, against ir_measures"
    yield ratio(what, found, 1.0, agreement, agrees=difference == 0)


def _task(count: int, seed: int) -> Task:
    draw = random.Random(seed)
    ids = [f"doc-{number}" for number in range(1000)]
    judged, runs = {}, {}
    for query in map(str, range(count)):
        judged[query] = {one: draw.randrange(1, 4) for one in draw.sample(ids, 20)}
        runs[query] = {one: float(draw.randrange(50)) for one in draw.sample(ids, 100)}
    samples = [
        Sample(query, (orjson.dumps(runs[query]).decode(),), (orjson.dumps(grades).decode(),))
        for query, grades in judged.items()
    ]
    return judged, runs, samples


def _theirs(task: Task) -> Floats:
    import ir_measures
    from ir_measures import AP, RR, P, R, Success, nDCG

    measures = [one for k in DEPTHS for one in (R @ k, P @ k, Success @ k, nDCG @ k)] + [RR, AP]
    judged, runs, _ = task
    places = {query: place for place, query in enumerate(judged)}
    columns = {measure: column for column, measure in enumerate(measures)}
    values = np.zeros((len(judged), len(measures)))
    for one in ir_measures.iter_calc(measures, judged, runs):
        values[places[one.query_id], columns[one.measure]] = one.value
    return values
