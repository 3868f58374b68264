"""Dawid and Skene's model: crowd-kit's numbers, planted truths, and shares that are covered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene

from metrics.statistics import labels
from metrics.statistics.annotations import Annotations, Ints
from metrics.statistics.weights import Floats


def crowd(
    seed: int, confusion: Floats, shares: Floats, items: int, overlap: int
) -> tuple[Annotations, Ints]:
    """Votes by annotators with confusion (J, K, K) on items of labels drawn with shares (K,)."""
    chance = np.random.default_rng(seed)
    J, K, _ = confusion.shape
    truth = chance.choice(K, items, p=shares)
    item = np.repeat(np.arange(items), overlap)
    annotator = chance.permuted(np.tile(np.arange(J), (items, 1)), axis=1)[:, :overlap].ravel()
    steps = confusion[annotator, truth[item]].cumsum(1)
    said = np.minimum((chance.random((len(item), 1)) > steps).sum(1), K - 1)
    return Annotations.of(item, annotator, said.astype(np.float64)), truth


def able(*accuracies: float, of: int = 3) -> Floats:
    """Annotators who err alike in every direction."""
    right, even = np.array(accuracies)[:, None, None], np.full((of, of), 1 / (of - 1))
    return np.where(np.eye(of, dtype=np.bool_), right, (1 - right) * even)


def test_the_model_is_crowd_kits() -> None:
    votes, _ = crowd(0, able(0.9, 0.8, 0.7, 0.8), np.array([0.5, 0.3, 0.2]), 150, 4)
    found = labels.dawid_skene(votes, 3, smoothing=0.0, tolerance=1e-14, most=5000)
    frame = pd.DataFrame(
        {"task": votes.item, "worker": votes.annotator, "label": votes.value.astype(int)}
    )
    theirs = DawidSkene(n_iter=60, tol=1e-13).fit(frame)
    assert theirs.priors_ is not None
    assert theirs.probas_ is not None
    assert theirs.errors_ is not None
    assert found.converged
    assert found.shares == pytest.approx(theirs.priors_.sort_index().to_numpy(), abs=1e-5)
    assert found.posterior_of(votes) == pytest.approx(found.posterior, abs=1e-7)
    posterior = theirs.probas_.sort_index()[[0, 1, 2]].to_numpy()
    assert found.posterior == pytest.approx(posterior, abs=1e-4)
    errors = theirs.errors_  # (worker, said) by truth
    for j in range(4):
        assert (
            np.abs(found.confusion[j].T - errors.loc[j].loc[[0, 1, 2], [0, 1, 2]].to_numpy()).max()
            < 1e-4
        )


def test_planted_annotators_are_found_and_beat_the_majority() -> None:
    """One of five reverses two labels, one clicks the same: a majority counts them as anyone."""
    planted = able(0.95, 0.9, 0.6, 0.9, 0.6)
    planted[3] = planted[3][:, [1, 0, 2]]
    planted[4] = np.array([[0.05, 0.9, 0.05]] * 3)
    shares = np.array([0.6, 0.3, 0.1])
    votes, truth = crowd(1, planted, shares, 2000, 4)
    found = labels.dawid_skene(votes, 3)
    assert found.converged
    assert np.abs(found.confusion - planted).max() < 0.08
    assert np.abs(found.shares - shares).max() < 0.04
    assert found.accuracy == pytest.approx(np.einsum("k,jkk->j", shares, planted), abs=0.05)
    table = np.stack([(votes.table() == label).sum(1) for label in range(3)], 1)
    assert (found.labels == truth).mean() > (table.argmax(1) == truth).mean() + 0.1


def test_the_penalised_likelihood_never_falls_and_is_that_of_the_votes() -> None:
    votes, _ = crowd(2, able(0.8, 0.7, 0.6), np.array([0.5, 0.3, 0.2]), 60, 3)
    before = -np.inf
    for most in range(1, 30):
        found = labels.dawid_skene(votes, 3, smoothing=0.5, most=most)
        by_hand = 0.0
        for item in range(60):
            own = votes.item == item
            said = votes.value[own].astype(int)
            by_hand += np.log(
                found.shares @ np.prod(found.confusion[votes.annotator[own], :, said], axis=0)
            )
        assert found.log_likelihood == pytest.approx(by_hand, rel=1e-12)
        penalised = found.log_likelihood + 0.5 * np.log(found.confusion).sum()
        assert penalised >= before - 1e-9
        before = penalised


def test_shares_are_covered_where_counting_votes_is_wrong() -> None:
    """A label of 1 in 10 that one in five votes names wrongly."""
    shares = np.array([0.9, 0.1])
    held = np.zeros(2)
    for seed in range(12):
        votes, _ = crowd(seed, able(0.85, 0.8, 0.75, 0.8, of=2), shares, 200, 4)
        found = labels.shares(votes, 2)
        raw = labels.raw_shares(votes, 2)
        held += [found.low[1] <= 0.1 <= found.high[1], raw.low[1] <= 0.1 <= raw.high[1]]
    assert held[0] >= 10  # 9 or fewer of 12 would be chance once in 400
    assert held[1] == 0


def test_items_without_votes_and_values_that_are_no_labels() -> None:
    votes = Annotations.of(
        np.array([0, 0, 2, 2]), np.array([0, 1, 0, 1]), np.array([1.0, 1, 0, 0]), items=4
    )
    found = labels.dawid_skene(votes, 2)
    assert found.posterior[1] == pytest.approx(found.shares)
    assert found.labels[[0, 2]].tolist() == [1, 0]
    with pytest.raises(ValueError, match="whole numbers from 0 to 0"):
        labels.dawid_skene(votes, 1)
    with pytest.raises(ValueError, match="no votes"):
        labels.dawid_skene(votes.take(np.zeros(4, np.bool_)), 2)
