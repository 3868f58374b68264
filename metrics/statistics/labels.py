"""Labels: what items are, from annotators who err, by Dawid and Skene's model.

    T  (N, K)     of each item, how likely it is of each label
    p  (K,)       shares of the labels among items
    C  (J, K, K)  of each annotator, how often it says each label (last) of items of each (middle)

1. Start: T is the share of each label among an item's votes.
2. p is the mean of T, and C the votes counted by T, each cell with `smoothing` votes more; both
   normalised.
3. T is p times the product of C over the item's votes, normalised.
4. 2 and 3 again, until the penalised log-likelihood, log-likelihood + smoothing · Σ log C, rises by
   less than `tolerance` of itself. It never falls.

Nothing is drawn, so the same votes give the same model. Without smoothing an annotator who never
said a label is taken to be unable to say it. Numbers without it are those of crowd-kit's DawidSkene
as far as both have converged.

An interval of a label's share is of items drawn anew, the annotators being the same: of its logit,
by Student's t, with the jackknife's error. Items are dealt into 30 groups, and the model is fitted
anew without each of them, from where the whole fit ended. A share of 0 or 1 has none.

Source: Dawid & Skene (1979), "Maximum likelihood estimation of observer error-rates using the EM
algorithm"; Paun et al. (2018), "Comparing Bayesian models of annotation".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metrics.statistics.annotations import Annotations, Flags, Ints
from metrics.statistics.estimates import Estimates, mean_share, student
from metrics.statistics.weights import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

GROUPS = 30  # of items that are left out together
SMOOTHING = 0.1  # votes a cell: no annotator is taken for infallible
TOLERANCE = 1e-10  # relative: EM is slow, and stopped early it shows too little of what changes
TINY = 1e-300  # its logarithm stands for that of zero


@dataclass(frozen=True, slots=True)
class LabelModel:
    """A fitted model; see above.

    posterior       (N, K) T; the shares for an item without votes
    shares          (K,) p
    confusion       (J, K, K) C; even for an annotator without votes
    log_likelihood  of the votes, without the smoothing's penalty
    iterations      how many were made
    converged       whether the last one rose by less than the tolerance
    """

    posterior: Floats
    shares: Floats
    confusion: Floats
    log_likelihood: float
    iterations: int
    converged: bool

    @property
    def labels(self) -> Ints:
        """(N,) the likeliest label of each item, the first of equally likely ones."""
        return np.asarray(self.posterior.argmax(1), np.int64)

    @property
    def accuracy(self) -> Floats:
        """(J,) how often each annotator says the true label, of items as they are here."""
        return np.asarray(np.einsum("k,jkk->j", self.shares, self.confusion), np.float64)

    def posterior_of(self, annotations: Annotations) -> Floats:
        """(N, K) of any items by the votes of the same annotators, step 3; the shares for an item
        without votes."""
        K = len(self.shares)
        said = np.log(np.maximum(self.confusion, TINY)).transpose(0, 2, 1).reshape(-1, K)
        log_T = _votes(annotations, K) @ said + np.log(np.maximum(self.shares, TINY))
        T = np.exp(log_T - log_T.max(1, keepdims=True))
        return np.asarray(T / T.sum(1, keepdims=True), np.float64)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Of R weightings of the items: T (N, R, K), p (R, K); logarithms of C (J, K, R, K), of what an
    annotator says first, and of what is last."""

    T: Floats
    p: Floats
    logarithms: Floats
    likelihood: Floats
    iterations: int
    converged: Flags


def dawid_skene(
    annotations: Annotations,
    labels: int,
    *,
    smoothing: float = SMOOTHING,
    tolerance: float = TOLERANCE,
    most: int = 1000,
) -> LabelModel:
    """The model of labels 0 to `labels` - 1. ValueError for values that are none of them, and
    where there are no votes."""
    votes = _votes(annotations, labels)
    there = np.asarray(votes.sum(1)) > 0
    once = there[:, None].astype(np.float64)
    fit = _fitted(votes, _majority(votes, labels), once, smoothing, tolerance, most)
    return LabelModel(
        posterior=np.where(there[:, None], fit.T[:, 0], fit.p[0]),
        shares=fit.p[0],
        confusion=np.exp(fit.logarithms[:, :, 0]).transpose(0, 2, 1),
        log_likelihood=float(fit.likelihood[0]),
        iterations=fit.iterations,
        converged=bool(fit.converged[0]),
    )


def shares(
    annotations: Annotations,
    labels: int,
    *,
    smoothing: float = SMOOTHING,
    level: float = 0.95,
) -> Estimates:
    """(K,) of each label the share among items by the model, corrected for annotators' errors."""
    votes = _votes(annotations, labels)
    votes = votes[np.flatnonzero(np.asarray(votes.sum(1)) > 0)]
    n = votes.shape[0]
    whole = _fitted(votes, _majority(votes, labels), np.ones((n, 1)), smoothing, TOLERANCE, 1000)
    groups = np.random.default_rng(0).permutation(n) % GROUPS
    G = min(n, GROUPS)
    without = (groups[:, None] != np.arange(G)).astype(np.float64)  # (N, G)
    left = _fitted(votes, whole.T[:, 0], without, smoothing, TOLERANCE, 1000).p
    with np.errstate(divide="ignore", invalid="ignore"):
        z, parts = (np.log(one / (1 - one)) for one in (whole.p[0], left))
        errors = np.sqrt((G - 1) / G * ((parts - parts.mean(0)) ** 2).sum(0))
    found = student(z, errors, np.full(labels, G - 1.0), level)
    return Estimates(whole.p[0], *(1 / (1 + np.exp(-one)) for one in (found.low, found.high)))


def raw_shares(annotations: Annotations, labels: int, level: float = 0.95) -> Estimates:
    """(K,) of each label the share among votes, an item's mean each: Wilson's interval over items.
    Errors do not cancel: what is rare looks more frequent than it is."""
    votes = _votes(annotations, labels)
    votes = votes[np.flatnonzero(np.asarray(votes.sum(1)) > 0)]
    each = _majority(votes, labels)
    found = [mean_share(each[:, at], level) for at in range(labels)]
    values, low, high = np.array([(one.value, one.low, one.high) for one in found]).T
    return Estimates(values, low, high)


def _votes(annotations: Annotations, labels: int) -> csr_array:
    """(N, J · K) how often each annotator said each label of each item."""
    from scipy.sparse import csr_array

    said = annotations.value.astype(np.int64)
    if not len(said):
        raise ValueError("there are no votes to fit a model to")
    if ((said != annotations.value) | (said < 0) | (said >= labels)).any():
        raise ValueError(f"a value is no label: they are whole numbers from 0 to {labels - 1}")
    shape = (annotations.items, annotations.annotators * labels)
    where = (annotations.item, annotations.annotator * labels + said)
    return csr_array((np.ones(len(said)), where), shape=shape)


def _majority(votes: csr_array, labels: int) -> Floats:
    """(N, K) shares among each item's votes; even where it has none."""
    each = votes @ np.tile(np.eye(labels), (votes.shape[1] // labels, 1))
    total = each.sum(1, keepdims=True)
    return np.asarray(np.where(total > 0, each / np.maximum(total, 1), 1 / labels), np.float64)


def _fitted(
    votes: csr_array,
    start: Floats,
    weights: Floats,
    smoothing: float,
    tolerance: float,
    most: int,
) -> _Fit:
    """The fits to items that count by weights (N, R), all at once, from posteriors (N, K)."""
    N, R = weights.shape
    K = start.shape[1]
    T = np.broadcast_to(start[:, None], (N, R, K))
    penalised = np.full(R, -np.inf)
    converged = np.zeros(R, np.bool_)
    iterations = 0
    while iterations < most and not converged.all():
        iterations += 1
        counted = weights[:, :, None] * T
        p = counted.sum(0) / weights.sum(0)[:, None]
        counts = (votes.T @ counted.reshape(N, R * K)).reshape(-1, K, R, K) + smoothing
        total = counts.sum(1, keepdims=True)  # (J, 1, R, K)
        C = np.divide(counts, total, out=np.full_like(counts, 1 / K), where=total > 0)
        log_C = np.log(np.maximum(C, TINY))
        log_T = (votes @ log_C.reshape(-1, R * K)).reshape(N, R, K) + np.log(np.maximum(p, TINY))
        peak = log_T.max(2, keepdims=True)
        T = np.exp(log_T - peak)
        sums = T.sum(2, keepdims=True)
        T = T / sums
        likelihood = (weights * (peak + np.log(sums))[:, :, 0]).sum(0)
        before, penalised = penalised, likelihood + smoothing * log_C.sum((0, 1, 3))
        converged = penalised - before <= tolerance * np.abs(penalised)
    return _Fit(T, p, log_C, likelihood, iterations, converged)
