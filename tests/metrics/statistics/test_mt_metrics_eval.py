"""Meta-evaluation against WMT's own package, by values that it gave: see `mt_metrics_eval.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from metrics.statistics import meta_evaluation as meta
from metrics.statistics import tie_calibration as ties
from metrics.statistics.correlation import COEFFICIENTS
from metrics.statistics.weights import Floats
from tests.metrics.statistics.mt_metrics_eval import NOISES, PERMUTATIONS, rated, two_scores

THEIRS = json.loads(Path(__file__).with_name("mt_metrics_eval.json").read_text())
PERM_BOTH: dict[str, Callable[..., tuple[float, float]]] = {
    "pearson": partial(meta.permutation_test, statistic=meta.flat(COEFFICIENTS["pearson"])),
    "kendall_by_sample": partial(meta.permutation_test, statistic=meta.kendall_by_sample),
    "acc_eq": ties.permutation_test,
}


def ours(people: Floats, scores: Floats) -> dict[str, float]:
    accuracy, epsilon = ties.accuracy_with_ties(people, scores)
    correlations = {name: meta.flat(one)(people, scores) for name, one in COEFFICIENTS.items()}
    return {
        **correlations,
        "kendall_by_sample": meta.kendall_by_sample(people, scores),
        "acc_eq": accuracy,
        "epsilon": epsilon,
        "pairwise_accuracy": meta.pairwise_accuracy(people, scores),
    }


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("noise", NOISES)
def test_statistics_are_theirs(noise: float, holes: bool) -> None:
    theirs, found = THEIRS[f"{noise} {holes}"], ours(*rated(noise, holes=holes))
    for name, value in found.items():
        if theirs[name] is not None:  # their systems' scores are given, not means of what is rated
            assert value == pytest.approx(theirs[name], rel=1e-12), name


@pytest.mark.parametrize("noise", NOISES)
def test_soft_pairwise_accuracy_is_theirs_but_for_their_draws(noise: float) -> None:
    found = meta.soft_pairwise_accuracy(*rated(noise, holes=False))
    # each of their 20 p-values is of 1,000 draws, with an error below 0.016, and the draws are
    # shared; ties of rounded sums count whole in theirs and by half in ours
    assert found == pytest.approx(THEIRS[f"{noise} False"]["soft_pairwise_accuracy"], abs=0.01)


@pytest.mark.parametrize("name", PERM_BOTH)
def test_perm_both_is_theirs_but_for_the_draws(name: str) -> None:
    theirs = THEIRS[f"PERM-BOTH {name}"]
    people, first, second = two_scores()
    difference, p_value = PERM_BOTH[name](people, first, second, permutations=PERMUTATIONS, seed=0)
    assert difference == pytest.approx(theirs["difference"], rel=1e-9)
    error = np.sqrt(2 * theirs["p_value"] * (1 - theirs["p_value"]) / PERMUTATIONS)
    assert p_value == pytest.approx(theirs["p_value"], abs=4 * error + 1 / PERMUTATIONS)
