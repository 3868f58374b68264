"""Best–worst scaling: statsmodels' conditional logit, planted strengths, covered intervals."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.discrete.conditional_models import ConditionalLogit

from metrics.statistics import best_worst
from metrics.statistics.annotations import Ints
from metrics.statistics.best_worst import Choices
from metrics.statistics.designs import balanced
from metrics.statistics.weights import Floats


def chosen(seed: int, strengths: Floats, shown: Ints, annotator: Ints, taste: float) -> Choices:
    """By the model, each annotator with strengths of its own that are off by `taste`."""
    chance = np.random.default_rng(seed)
    m = shown.shape[1]
    off = taste * chance.standard_normal((int(annotator.max()) + 1, len(strengths)))
    worth = np.take_along_axis((strengths + off)[annotator], shown, 1)
    apart = worth[:, :, None] - worth[:, None, :]
    apart[:, np.arange(m), np.arange(m)] = -np.inf
    picked = (apart + chance.gumbel(size=apart.shape)).reshape(len(shown), -1).argmax(1)
    return Choices.of(shown, picked // m, picked % m, annotator)


def test_strengths_are_statsmodels_conditional_logit() -> None:
    truth = np.array([0.8, 0.2, 0.0, -0.3, -0.7])
    shown = balanced(5, 3, 120, seed=0)
    choices = chosen(0, truth, shown, np.arange(120) % 6, 0.0)
    found = best_worst.strengths(choices, prior=0.0)
    rows, won, group = [], [], []
    for at in range(120):
        for b in range(3):
            for w in range(3):
                if b != w:
                    rows.append(np.eye(5)[shown[at, b]] - np.eye(5)[shown[at, w]])
                    won.append(b == choices.best[at] and w == choices.worst[at])
                    group.append(at)
    model = ConditionalLogit(np.array(won, float), np.array(rows)[:, 1:], groups=np.array(group))
    theirs = model.fit(disp=False, method="bfgs", gtol=1e-8)
    params = np.r_[0.0, theirs.params]
    assert found.converged
    assert found.strengths.values == pytest.approx(params - params.mean(), abs=1e-4)
    assert found.log_likelihood == pytest.approx(theirs.llf, abs=1e-6)


def test_counts_are_best_less_worst_of_times_shown() -> None:
    shown = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [0, 1, 2, 4]])
    choices = Choices.of(shown, np.array([0, 3, 3]), np.array([3, 0, 0]), np.array([0, 1, 2]))
    found = best_worst.counts(choices)
    assert found.values == pytest.approx([(2 - 1) / 3, 0, 0, -1, 1])
    assert (found.low[:1] >= -1).all()
    assert found.low[0] < 1 / 3 < found.high[0]


def test_always_best_is_finite_and_what_never_met_is_not_compared() -> None:
    shown = np.array([[0, 1, 2]] * 8 + [[4, 5, 6]] * 8)
    best, worst = np.zeros(16, np.int64), np.full(16, 2)
    found = best_worst.strengths(Choices.of(shown, best, worst, np.arange(16) % 4))
    assert found.part[[0, 1, 2]].tolist() == [found.part[0]] * 3
    assert found.part[0] != found.part[4]
    values = found.strengths.values
    assert np.isnan(values[3])
    assert values[0] == pytest.approx(-values[2])
    assert 1 < values[0] < 6
    assert values[4:].sum() == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="each of them once"):
        Choices.of(np.array([[1, 1]]), np.array([0]), np.array([1]), np.array([0]))
    with pytest.raises(ValueError, match="two different places"):
        Choices.of(np.array([[1, 2]]), np.array([0]), np.array([0]), np.array([0]))


def test_intervals_hold_planted_strengths_where_annotators_have_tastes() -> None:
    truth = np.array([0.6, 0.3, 0.0, 0.0, -0.3, -0.6])
    shown = balanced(6, 4, 200, seed=1)
    annotator = np.arange(200) % 20
    held, alone = [], []
    for seed in range(120):
        found = best_worst.strengths(chosen(seed, truth, shown, annotator, 0.4)).strengths
        held.append((found.low <= truth) & (truth <= found.high))
        alone.append(found.values)
    # tastes shrink strengths a little; 95% within four standard errors, strengths being correlated
    assert 0.90 < np.mean(held) < 0.99
    assert np.abs(np.mean(alone, 0) - truth).max() < 0.08
