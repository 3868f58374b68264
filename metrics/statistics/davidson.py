"""Davidson's model of pairwise votes: Bradley and Terry's, with ties and controls.

    η = θ(first) - θ(second) + x · β

    P(first) : P(second) : P(tie)  =  exp(η / 2) : exp(-η / 2) : ν

    θ  (N,)  strengths: the difference of two is the log-odds of a win among decided votes
    β  (C,)  effects of controls, per unit of x: what else makes the first preferred
    ν        ties: of equal systems ν / (2 + ν) of the votes are ties; 0, and no parameter, where
             there is none

Each parameter (θ, log ν, and β per standard deviation of its x) has a normal prior of mean 0 and
deviation 3: less than half of what one vote between equals tells, and enough that a system that
won all of its votes has a finite strength. Strengths have a mean of zero in each component of the
graph of comparisons, as nothing is known between components.

The log-posterior is concave; Newton's method with halved steps finds its one maximum.

Source: Davidson (1970), "On extending the Bradley-Terry model to accommodate ties in paired
comparison experiments"; Bradley & Terry (1952); Agresti (2013), "Categorical Data Analysis", 11.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.comparison_graph import ComparisonGraph
from metrics.statistics.votes import Votes
from metrics.statistics.weights import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ints = NDArray[np.int64]

DEVIATION = 3.0  # of the prior, in log-odds
PENALTY = 1 / DEVIATION**2
STEPS = 100
NEAR = 1e-12  # squared distance from the maximum, in standard errors, before the last step


@dataclass(frozen=True, slots=True)
class Fit:
    """The maximum, and what its error is made of. K = N + C, and one more with ties.

    coefficients  (K,)   θ, β, log ν
    bread         (K, K) the inverse of the log-posterior's curvature: the covariance of the
                  coefficients were votes independent, and the model right
    scores        (n, K) scipy.sparse: each vote's gradient
    systems       N
    """

    coefficients: Floats
    bread: Floats
    scores: csr_array
    systems: int
    has_ties: bool

    @property
    def strengths(self) -> Floats:
        """(N,) θ, of mean 0 in each component."""
        return self.coefficients[: self.systems]

    @property
    def tie(self) -> float:
        """ν."""
        return float(np.exp(self.coefficients[-1])) if self.has_ties else 0.0


def probabilities(eta: Floats, tie: float) -> tuple[Floats, Floats, Floats]:
    """(...) the chances of first, second and tie at log-odds eta (...) with ν = tie."""
    with np.errstate(divide="ignore"):
        log_tie = np.log(tie)
    first, second, tied, _ = _chances(eta, float(log_tie))
    return first, second, tied


def information(eta: Floats, tie: float) -> Floats:
    """(...) Fisher's information on η in one vote; at most 1/4, that of two equals who never tie
    (with ties: 1/4 of the share that is decided)."""
    first, second, _ = probabilities(eta, tie)
    return np.asarray((first + second - (first - second) ** 2) / 4, np.float64)


def fit(
    votes: Votes, graph: ComparisonGraph, controls: Floats | None = None, penalty: float = PENALTY
) -> Fit:
    """The posterior's maximum.

    graph      of these votes
    controls   (n, C) x of each vote: the first less the second, or 1 for the place itself
    penalty    the prior's precision, 1 / deviation². 0, maximum likelihood, has a finite answer
               where each component is strongly connected alone

    Raises ValueError for a penalty below 0, or of 0 where the likelihood has no maximum.
    """
    endless = bool(graph.held.any()) or not votes.outcome.any()
    if penalty < 0 or (penalty == 0 and endless):
        raise ValueError(
            "the penalty must be above 0 where all votes are ties, or a system never lost or won"
        )
    extra = np.zeros((len(votes), 0)) if controls is None else controls
    problem = _Problem.of(votes, graph.component, extra, penalty)
    at = np.zeros(len(problem.prior))
    value = problem.value(at)
    for _ in range(STEPS):
        step, decrement = problem.step(at)
        size = 1.0
        while (moved := problem.value(at + size * step)) < value and size > NEAR:
            size /= 2
        if moved >= value or decrement < NEAR:
            at, value = at + size * step, moved
        if decrement < NEAR or size <= NEAR:
            break
    at[: problem.systems] = problem.centring @ at[: problem.systems]
    bread = np.linalg.inv(problem.curvature(at))
    centred = np.eye(len(at))
    centred[: problem.systems, : problem.systems] = problem.centring
    return Fit(
        at, centred @ bread @ centred.T, problem.scores(at), problem.systems, problem.has_ties
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    """design (n, N + C) scipy.sparse; prior (K,) precisions; centring (N, N) takes each component's
    mean away; sign (n,) of the outcome; tied (n,) 0 or 1."""

    design: csr_array
    sign: Floats
    tied: Floats
    prior: Floats
    centring: Floats
    systems: int
    has_ties: bool

    @classmethod
    def of(cls, votes: Votes, component: Ints, controls: Floats, penalty: float) -> _Problem:
        from scipy.sparse import coo_array, csr_array, hstack

        n, systems = len(votes), len(votes.systems)
        rows = np.r_[np.arange(n), np.arange(n)]
        places = np.r_[votes.first, votes.second]
        pairs = coo_array((np.repeat([1.0, -1.0], n), (rows, places)), shape=(n, systems))
        spread = controls.std(0) if n else np.zeros(controls.shape[1])
        spread = np.where(spread > 0, spread, 1.0)
        tied = (votes.outcome == 0).astype(np.float64)
        same = component[:, None] == component[None, :]
        return cls(
            csr_array(hstack([pairs, csr_array(controls)])),
            votes.outcome.astype(np.float64),
            tied,
            penalty * np.r_[np.ones(systems), spread**2, np.ones(int(tied.any()))],
            np.eye(systems) - same / same.sum(1),
            systems,
            bool(tied.any()),
        )

    def chances(self, at: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        eta = self.design @ at[: self.design.shape[1]]
        return _chances(eta, float(at[-1]) if self.has_ties else -np.inf)

    def value(self, at: Floats) -> float:
        eta = self.design @ at[: self.design.shape[1]]
        log_tie = float(at[-1]) if self.has_ties else 0.0
        log_norm = self.chances(at)[3]
        likelihood = self.sign @ eta / 2 + self.tied.sum() * log_tie - log_norm.sum()
        return float(likelihood - self.prior @ at**2 / 2)

    def scores(self, at: Floats) -> csr_array:
        from scipy.sparse import csr_array, hstack

        first, second, tied, _ = self.chances(at)
        pull = (self.sign - (first - second)) / 2
        parts = [self.design.multiply(pull[:, None])]
        if self.has_ties:
            parts.append(csr_array((self.tied - tied)[:, None]))
        return csr_array(hstack(parts))

    def curvature(self, at: Floats) -> Floats:
        """(K, K) of the negative log-posterior; positive along a common shift of all strengths,
        too, which moves nothing."""
        first, second, tied, _ = self.chances(at)
        lead = first - second
        weight = (first + second - lead**2) / 4
        found = np.diag(self.prior)
        size = self.design.shape[1]
        found[:size, :size] += (self.design.T @ self.design.multiply(weight[:, None])).toarray()
        found[: self.systems, : self.systems] += np.eye(self.systems) - self.centring
        if self.has_ties:
            found[:size, -1] = found[-1, :size] = self.design.T @ (-lead * tied / 2)
            found[-1, -1] += tied @ (1 - tied)
        return found

    def step(self, at: Floats) -> tuple[Floats, float]:
        """Newton's step, and its squared length in standard errors."""
        first, second, tied, _ = self.chances(at)
        ties = [(self.tied - tied).sum()] if self.has_ties else []
        pull = self.design.T @ ((self.sign - (first - second)) / 2)
        gradient = np.r_[pull, ties] - self.prior * at
        step = np.linalg.solve(self.curvature(at), gradient)
        return step, float(gradient @ step)


def _chances(eta: Floats, log_tie: float) -> tuple[Floats, Floats, Floats, Floats]:
    """(n,) of first, second, tie; and the logarithm of what their weights add up to."""
    half = eta / 2
    largest = np.maximum(np.abs(half), log_tie)
    first, second = np.exp(half - largest), np.exp(-half - largest)
    tie = np.exp(log_tie - largest)
    total = first + second + tie
    return first / total, second / total, tie / total, largest + np.log(total)
