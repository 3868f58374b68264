"""What a meta-evaluation finds: each score's agreement with people, and which is the better one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from metrics.core.rows import Floats
from metrics.core.settling import Mask
from metrics.statistics import meta_evaluation as meta
from metrics.statistics import tie_calibration as ties
from metrics.statistics.corrections import CORRECTED
from metrics.statistics.correlation import COEFFICIENTS, coefficient, deal
from service.figures.numbers import finite
from service.leaderboards.paired import ALPHA
from service.meta_evaluations.gathering import Gathered
from service.meta_evaluations.schemas import MetaEvaluationIn

WORK = 200_000_000  # pairs of outputs that all permutations together look at
LEAST_PERMUTATIONS = 200
UNTESTED = "acc_eq is not tested: {} pairs of outputs are more than {}"
FEWER = "{} permutations of each test: the outputs are too many for {}"

# statistics by name, with the least value that each can have
SEGMENT: Mapping[str, tuple[meta.Statistic, float]] = {
    name: (meta.flat(one), -1.0) for name, one in COEFFICIENTS.items()
}
BY_SAMPLE: Mapping[str, tuple[meta.Statistic, float]] = {
    "kendall_by_sample": (meta.kendall_by_sample, -1.0),
    "acc_eq": (lambda people, scores: ties.accuracy_with_ties(people, scores)[0], 0.0),
}
SYSTEM: Mapping[str, tuple[meta.Statistic, float]] = {
    **{name: (meta.of_systems(one), -1.0) for name, one in COEFFICIENTS.items()},
    "pairwise_accuracy": (meta.pairwise_accuracy, 0.0),
    "soft_pairwise_accuracy": (meta.soft_pairwise_accuracy, 0.0),
}
# which of them two scores are tested by: of one system, and of several
TESTED_ALONE = (("segment", "pearson"), ("segment", "kendall"))
TESTED = (
    ("segment", "pearson"),
    ("segment", "kendall_by_sample"),
    ("segment", "acc_eq"),
    ("system", "soft_pairwise_accuracy"),
)


def findings(
    given: Gathered, asked: MetaEvaluationIn, advance: Callable[[], None]
) -> dict[str, Any]:
    """All of it, as JSON; `advance` is called between scores."""
    level, notes = given.rows[0].level, list(given.notes)
    permutations = _permutations(given, asked)
    if permutations < asked.permutations:
        notes.append(FEWER.format(permutations, asked.permutations))
    if (pairs := _pairs(given)) > ties.MOST:
        notes.append(UNTESTED.format(pairs, ties.MOST))
    scores = []
    for name, values in given.scores.items():
        advance()
        scores.append(_agreement(given, name, values, level))
    tests = _tests(given, asked, permutations, advance)
    return {
        "systems": [_system(given, at) for at in range(len(given.rows))],
        "samples": int(np.isfinite(given.people).any(0).sum()),
        "level": level,
        "correction": asked.correction,
        "permutations": permutations,
        "metrics": scores,
        "tests": tests,
        "notes": notes,
    }


def _system(given: Gathered, at: int) -> dict[str, Any]:
    own = given.people[at][np.isfinite(given.people[at])]
    row = given.rows[at]
    return {
        "evaluation": row.id,
        "system": row.system,
        "ratings": given.fields[at],
        "rated": len(own),
        "mean": float(own.mean()),
    }


def _agreement(given: Gathered, name: str, values: Floats, level: float) -> dict[str, Any]:
    there = np.isfinite(given.people) & np.isfinite(values)
    some = there.any(0)
    people, scores = given.people[:, some], values[:, some]
    several = len(given.rows) > 1
    dealt = deal(int(some.sum()))

    def told(statistics: Mapping[str, tuple[meta.Statistic, float]]) -> dict[str, Any]:
        found = {}
        for of, (statistic, low) in statistics.items():
            kept = partial(_kept, statistic, people, scores)
            found[of] = asdict(coefficient(kept, dealt, level, low))
        return found

    epsilon = ties.accuracy_with_ties(people, scores)[1] if several else float("nan")
    score = given.named[name]
    return {
        "name": name,
        "metric": score.metric,
        "signature": score.signature or "",
        "n": int(there.sum()),
        "segment": told({**SEGMENT, **BY_SAMPLE} if several else SEGMENT),
        "epsilon": finite(epsilon),
        "system": told(SYSTEM) if several else {},
    }


def _kept(statistic: meta.Statistic, people: Floats, scores: Floats, kept: Mask) -> float:
    """Of the samples that a mask keeps."""
    return statistic(people[:, kept], scores[:, kept])


def _pairs(given: Gathered) -> int:
    """Pairs of outputs of one sample."""
    systems, samples = (int(size) for size in given.people.shape)
    return int(samples * systems * (systems - 1) // 2)


def _permutations(given: Gathered, asked: MetaEvaluationIn) -> int:
    """As many as asked for, or as there is time for."""
    tests = max(1, len(given.scores) * (len(given.scores) - 1) // 2)
    size = max(_pairs(given), int(given.people.shape[1])) * tests
    return max(min(asked.permutations, WORK // size), min(asked.permutations, LEAST_PERMUTATIONS))


def _tests(
    given: Gathered, asked: MetaEvaluationIn, permutations: int, advance: Callable[[], None]
) -> list[dict[str, Any]]:
    statistics = {"segment": {**SEGMENT, **BY_SAMPLE}, "system": SYSTEM}
    few = _pairs(given) <= ties.MOST
    every = TESTED if len(given.rows) > 1 else TESTED_ALONE
    tested = [one for one in every if few or one[1] != "acc_eq"]
    found = []
    for a, b in combinations(given.scores, 2):
        for level, name in tested:
            advance()
            data = (given.people, given.scores[a], given.scores[b])
            draws = (permutations, asked.seed)
            if name == "acc_eq":
                difference, p_value = ties.permutation_test(*data, *draws)
            else:
                statistic = statistics[level][name][0]
                difference, p_value = meta.permutation_test(*data, statistic, *draws)
            found.append((a, b, level, name, difference, p_value))
    corrected = CORRECTED[asked.correction](np.array([one[-1] for one in found], np.float64))
    return [_test(*one, p) for one, p in zip(found, corrected.tolist(), strict=True)]


def _test(
    a: str, b: str, level: str, statistic: str, difference: float, p_value: float, corrected: float
) -> dict[str, Any]:
    known = bool(np.isfinite(p_value))
    return {
        "a": a,
        "b": b,
        "level": level,
        "statistic": statistic,
        "difference": difference if known else None,
        "p_value": p_value if known else None,
        "p_corrected": corrected if known else None,
        "significant": corrected <= ALPHA if known else None,
    }
