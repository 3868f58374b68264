"""Best–worst scaling: of a few outputs shown together, which is the best and which the worst.

    shown        (n, m)  int64, the systems of each tuple, from 0; all of a tuple are different
    best, worst  (n,)    int64, the places (0 to m - 1) in the tuple of what was chosen
    annotator    (n,)    int64, from 0

    counts     (best - worst) / shown, from -1 to 1
    strengths  u of the MaxDiff model, P(best b, worst w) = exp(u_b - u_w) / Σ_ij exp(u_i - u_j)
               over ordered pairs i ≠ j of the tuple: a conditional logit. By Newton's method, with
               a normal prior of precision `prior` around 0, so that a system that always wins has
               a finite strength. They sum to 0 over systems that tuples connect

Intervals are over annotators, who are clusters (see `crossed`), by Student's t; a single annotator
has none. Strengths of systems that no chain of tuples connects cannot be compared: `part` says
which can. Without the prior, strengths are those of statsmodels' ConditionalLogit.

Sources: Louviere, Flynn & Marley (2015), "Best-Worst Scaling"; Marley & Louviere (2005), "Some
probabilistic models of best, worst, and best–worst choices"; Kiritchenko & Mohammad (2017),
"Best-worst scaling more reliable than rating scales".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.statistics.annotations import Ints
from metrics.statistics.crossed import one_way
from metrics.statistics.estimates import Estimates, student
from metrics.statistics.weights import Floats

PRIOR = 0.1  # a deviation of about 3, in logits: odds of 20 to 1
ROUNDS, SETTLED = 100, 1e-8
SINGULAR = 1e-10  # relative: a direction with less information has none


@dataclass(frozen=True, slots=True)
class Choices:
    """Rows of choices; `systems` is how many there are."""

    shown: Ints
    best: Ints
    worst: Ints
    annotator: Ints
    systems: int

    @classmethod
    def of(cls, shown: Ints, best: Ints, worst: Ints, annotator: Ints) -> Choices:
        """As many systems as are named. ValueError for columns of unlike lengths, a system twice
        in a tuple, a place outside it, or a best that is the worst."""
        n, m = shown.shape
        if not n == len(best) == len(worst) == len(annotator):
            raise ValueError("tuples, best, worst and annotators have to be equally many")
        if m < 2 or (np.diff(np.sort(shown, 1), axis=1) == 0).any():
            raise ValueError("a tuple has two systems or more, each of them once")
        places = np.r_[best, worst]
        if ((places < 0) | (places >= m)).any() or (best == worst).any():
            raise ValueError(f"best and worst are two different places from 0 to {m - 1}")
        return cls(shown, best, worst, annotator, int(shown.max(initial=-1)) + 1)

    @property
    def chosen(self) -> Floats:
        """(n, m) 1 for the best, -1 for the worst, 0 for the others."""
        found = np.zeros(self.shown.shape)
        rows = np.arange(len(found))
        found[rows, self.best], found[rows, self.worst] = 1.0, -1.0
        return found

    def spread(self, values: Floats) -> Floats:
        """(n, m) of places -> (n, S) of systems, 0 where a system was not shown."""
        found = np.zeros((len(values), self.systems))
        np.put_along_axis(found, self.shown, values, 1)
        return found


@dataclass(frozen=True, slots=True)
class Strengths:
    """(S,) strengths with intervals; part (S,), from 0, systems of one can be compared; the
    log-likelihood of the choices. NaN for a system that nobody saw."""

    strengths: Estimates
    part: Ints
    log_likelihood: float
    converged: bool


def counts(choices: Choices, level: float = 0.95) -> Estimates:
    """(S,) how much oftener each system was best than worst, of the times it was shown."""
    there = choices.spread(np.ones(choices.shown.shape))
    chosen = choices.spread(choices.chosen)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = chosen.sum(0) / there.sum(0)
        pull = np.nan_to_num((chosen - there * values) / there.sum(0))
    return _bounded(values, pull, choices.annotator, level)


def strengths(choices: Choices, *, prior: float = PRIOR, level: float = 0.95) -> Strengths:
    """(S,) the model's strengths, in logits: exp(2 (u_a - u_b)) are the odds of "a best, b worst"
    against "b best, a worst"."""
    u = np.zeros(choices.systems)
    won = choices.spread(choices.chosen).sum(0)
    converged = False
    for _ in range(ROUNDS):
        expected, inverse, _ = _moments(choices, u, prior)
        gradient = won - choices.spread(expected).sum(0) - prior * u
        step = inverse @ gradient
        u = u + step / max(1.0, float(np.abs(step).max(initial=0.0)))  # a logit at most
        converged = bool(np.abs(step).max(initial=0.0) < SETTLED)
        if converged:
            break
    expected, inverse, log_sum = _moments(choices, u, prior)
    pull = choices.spread(choices.chosen - expected) @ inverse
    found = one_way(pull, choices.annotator)
    seen = np.isin(np.arange(choices.systems), choices.shown)
    values = np.where(seen, u, np.nan)
    likelihood = (choices.chosen * u[choices.shown]).sum() - log_sum.sum()
    return Strengths(
        student(values, found.errors, found.freedom, level),
        _parts(choices),
        float(likelihood),
        converged,
    )


def _moments(choices: Choices, u: Floats, prior: float) -> tuple[Floats, Floats, Floats]:
    """(n, m) what is expected of each place (best less worst), (S, S) the inverse of the
    information, and (n,) the logarithm of the model's denominator."""
    m = choices.shown.shape[1]
    worth = u[choices.shown]
    apart = worth[:, :, None] - worth[:, None, :]  # (n, m best, m worst)
    apart[:, np.arange(m), np.arange(m)] = -np.inf
    peak = apart.max((1, 2), keepdims=True)
    weight = np.exp(apart - peak)
    total = weight.sum((1, 2), keepdims=True)
    p = weight / total
    best, worst = p.sum(2), p.sum(1)
    expected = best - worst
    covariance = -p - p.transpose(0, 2, 1) - expected[:, :, None] * expected[:, None, :]
    covariance[:, np.arange(m), np.arange(m)] += best + worst
    information = prior * np.eye(len(u))
    rows = np.broadcast_to(choices.shown[:, :, None], covariance.shape)
    columns = np.broadcast_to(choices.shown[:, None, :], covariance.shape)
    np.add.at(information, (rows, columns), covariance)
    inverse = np.asarray(np.linalg.pinv(information, rcond=SINGULAR, hermitian=True), np.float64)
    return expected, inverse, (peak + np.log(total))[:, 0, 0]


def _bounded(values: Floats, pull: Floats, annotator: Ints, level: float) -> Estimates:
    found = one_way(pull, annotator)
    wide = student(values, found.errors, found.freedom, level)
    return Estimates(values, np.maximum(wide.low, -1.0), np.minimum(wide.high, 1.0))


def _parts(choices: Choices) -> Ints:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = np.repeat(choices.shown[:, :1], choices.shown.shape[1], 1).ravel()
    edges = (np.ones(len(first)), (first, choices.shown.ravel()))
    graph = coo_array(edges, shape=(choices.systems, choices.systems))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
