"""Golden values of meta-evaluation, by WMT's own package, for `test_mt_metrics_eval.py`.

    git clone https://github.com/google-research/mt-metrics-eval
    python -m tests.metrics.statistics.mt_metrics_eval mt-metrics-eval

Those that are kept are of its commit 68a481a, numpy 2.4.6 and scipy 1.17.1. On the index of
packages the name belongs to another project.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import numpy as np

from metrics.statistics.weights import Floats

SYSTEMS, SAMPLES = 5, 60
NOISES = (0.7, 2.0)
FEW = 25  # samples that the permutation tests are over: theirs are slow
PERMUTATIONS = 2000
NEVER_EARLY = 10**9


def rated(noise: float, *, holes: bool) -> tuple[Floats, Floats]:
    """Ratings (M, N) with ties, scores that follow them, exact in binary; some ratings are NaN."""
    draw = np.random.default_rng(0)
    truth = draw.normal(0, 1, (SYSTEMS, SAMPLES)) + np.linspace(0, 0.6, SYSTEMS)[:, None]
    people = np.round(truth / 1.5)
    scores = np.round(8 * (truth + draw.normal(0, noise, truth.shape))) / 8
    if holes:
        people[draw.uniform(size=people.shape) < 0.1] = np.nan
    return people, scores


def two_scores() -> tuple[Floats, Floats, Floats]:
    """Ratings and two scores, without ties, of FEW samples."""
    people, _ = rated(0.7, holes=True)
    draw = np.random.default_rng(3)
    first = np.nan_to_num(people) + draw.normal(0, 0.7, people.shape)
    second = first + draw.normal(0, 0.6, people.shape)
    return people[:, :FEW], first[:, :FEW], second[:, :FEW]


def main(folder: str) -> None:
    """Prints the values as JSON."""
    sys.path.insert(0, folder)
    stats: Any = import_module("mt_metrics_eval.stats")

    def correlation(people: Floats, scores: Floats) -> Any:
        gold = [None if np.isnan(one) else one for one in people.ravel().tolist()]
        return stats.Correlation(len(people), gold, scores.ravel().tolist())

    found: dict[str, Any] = {}
    for noise in NOISES:
        for holes in (False, True):
            people, scores = rated(noise, holes=holes)
            one = correlation(people, scores)
            accuracy, epsilon, _ = stats.KendallWithTiesOpt(
                one.gold_scores, one.metric_scores, "acc23", SYSTEMS, "item", 1.0
            )
            agreed, pairs = stats.Agreement(people.mean(1).tolist(), scores.mean(1).tolist())
            found[f"{noise} {holes}"] = {
                "pearson": one.Pearson()[0],
                "spearman": one.Spearman()[0],
                "kendall": one.Kendall()[0],
                "kendall_by_sample": one.Kendall("item")[0],
                "acc_eq": accuracy,
                "epsilon": epsilon,
                "pairwise_accuracy": None if holes else float(agreed) / pairs,
                "soft_pairwise_accuracy": None if holes else one.PairwiseConfidenceError("sys")[0],
            }
    people, *each = two_scores()
    first, second = (correlation(people, one) for one in each)
    for name, function, by, options in (
        ("pearson", import_module("scipy.stats").pearsonr, "none", {}),
        ("kendall_by_sample", stats.KendallVariants, "item", {"variant": "b"}),
        ("acc_eq", stats.KendallWithTiesOpt, "item", {"variant": "acc23", "sample_rate": 1.0}),
    ):
        np.random.seed(0)
        params = stats.PermutationSigDiffParams(block_size=NEVER_EARLY)
        _, difference, _, drawn = stats.PermutationSigDiff(
            second, first, function, by, PERMUTATIONS, params, **options
        )
        gaps = np.abs([a - b for a, b in drawn])
        p_value = float((gaps >= abs(difference) - 1e-12).mean())
        found[f"PERM-BOTH {name}"] = {"difference": difference, "p_value": p_value}
    sys.stdout.write(json.dumps(found, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
