"""Meta-evaluation: equal to scipy and to the definitions, counted out; its test holds its level."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau

from metrics.statistics.correlation import pearson
from metrics.statistics.meta_evaluation import (
    flat,
    kendall_by_sample,
    of_systems,
    pairwise_accuracy,
    permutation_test,
    soft_pairwise_accuracy,
)
from metrics.statistics.tie_calibration import accuracy_with_ties
from metrics.statistics.tie_calibration import permutation_test as ties_tested
from metrics.statistics.weights import Floats

M, N = 5, 60


def rated(noise: float, seed: int = 0) -> tuple[Floats, Floats]:
    """Ratings with ties, scores that follow them, and holes in both."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(0, 1, (M, N)) + np.linspace(0, 0.6, M)[:, None]
    people = np.round(truth / 1.5)
    scores = np.round(truth + draw.normal(0, noise, (M, N)), 1)
    people[draw.uniform(size=(M, N)) < 0.1] = np.nan
    scores[draw.uniform(size=(M, N)) < 0.05] = np.nan
    return people, scores


def test_kendall_by_sample_is_scipys_averaged() -> None:
    people, scores = rated(0.7)
    found = []
    for at in range(N):
        there = np.isfinite(people[:, at]) & np.isfinite(scores[:, at])
        found.append(kendalltau(people[there, at], scores[there, at]).statistic)
    assert kendall_by_sample(people, scores) == pytest.approx(np.nanmean(found), abs=1e-12)


def counted(people: Floats, scores: Floats, epsilon: float) -> float:
    """acc_eq as its paper writes it: concordant and both tied, of the pairs of each sample."""
    shares = []
    for at in range(N):
        right = total = 0
        for i, j in combinations(range(M), 2):
            a, b = people[i, at] - people[j, at], scores[i, at] - scores[j, at]
            if np.isfinite(a) and np.isfinite(b):
                total += 1
                b = 0.0 if abs(b) <= epsilon else b
                right += np.sign(a) == np.sign(b)
        if total:
            shares.append(right / total)
    return float(np.mean(shares))


def test_ties_are_calibrated_to_the_best_accuracy() -> None:
    people, scores = rated(0.7)
    share, epsilon = accuracy_with_ties(people, scores)
    assert share == pytest.approx(counted(people, scores, epsilon + 1e-9), abs=1e-12)
    tried = [counted(people, scores, at / 10 + 0.05) for at in range(-1, 20)]
    assert share == pytest.approx(max(tried), abs=1e-12)
    assert share > counted(people, scores, 0.0)


def test_soft_pairwise_accuracy_is_that_of_sign_flips() -> None:
    people, scores = rated(2.0)
    signs = np.random.default_rng(1).choice([-1.0, 1.0], (20_000, N))
    gaps = []
    for i, j in combinations(range(M), 2):
        a, b = people[i] - people[j], scores[i] - scores[j]
        there = np.isfinite(a) & np.isfinite(b)
        p = [float((signs[:, there] @ d[there] >= d[there].sum()).mean()) for d in (a, b)]
        gaps.append(abs(p[0] - p[1]))
    # 20,000 flips err by 0.0035, and ties of rounded values by half of their probability
    assert soft_pairwise_accuracy(people, scores) == pytest.approx(1 - np.mean(gaps), abs=0.01)


def test_systems_are_compared_by_their_means() -> None:
    people, scores = np.array([[1.0, 2, 3], [2, 3, 4], [5, 6, 7]]), np.zeros((3, 3))
    scores += np.array([1.0, 0.5, 3.0])[:, None]
    assert pairwise_accuracy(people, scores) == pytest.approx(2 / 3)
    means = pearson(scores.mean(1), people.mean(1))
    assert of_systems(pearson)(people, scores) == pytest.approx(means, abs=1e-12)


def test_the_permutation_test_holds_its_level_and_finds_what_is_there() -> None:
    rejected, draw = 0, np.random.default_rng(2)
    for seed in range(200):
        people = draw.normal(size=(3, 30))
        a, b = (people + draw.normal(size=(3, 30)) for _ in range(2))
        _, p_value = permutation_test(people, a, b, flat(pearson), 99, seed)
        rejected += p_value <= 0.05
    assert rejected / 200 == pytest.approx(0.05, abs=0.05)  # over three standard errors
    people, good = rated(0.2)
    _, bad = rated(0.2, seed=5)
    found, p_value = permutation_test(people, good, bad, kendall_by_sample, 199, 0)
    assert found > 0.5
    assert p_value == 1 / 200


def test_acc_eq_is_tested_with_ties_calibrated_in_every_permutation() -> None:
    people, a = rated(0.7)
    b = a + np.random.default_rng(4).normal(0, 0.5, a.shape)
    slowly = permutation_test(people, a, b, lambda p, s: accuracy_with_ties(p, s)[0], 99, 0)
    quickly = ties_tested(people, a, b, 99, 0)
    assert quickly == pytest.approx(slowly, rel=1e-12)


def test_the_test_of_acc_eq_holds_its_level() -> None:
    """Simulated at length in docs/decisions/0012: 4.3 to 6.3 of 100 equally good scores."""
    rejected, draw = 0, np.random.default_rng(2)
    for seed in range(200):
        truth = draw.normal(size=(3, 30))
        people = np.round(truth + draw.normal(0, 0.5, truth.shape))
        a, b = truth + draw.normal(size=(2, *truth.shape))
        rejected += ties_tested(people, a, 3 * b + 7, 99, seed)[1] <= 0.05
    assert rejected / 200 == pytest.approx(0.05, abs=0.046)  # three standard errors


def test_acc_eq_without_pairs_has_no_test() -> None:
    people, a = rated(0.7)
    people[1:] = np.nan
    assert all(map(np.isnan, ties_tested(people, a, a, 99, 0)))
    people, a = rated(0.7)
    assert ties_tested(people, a, a, 99, 0) == (0.0, 1.0)
