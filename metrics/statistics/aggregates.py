"""One value of each system over several parts: scores on several sets, put together.

    values      (N,)    of N systems on a part
    replicates  (R, N)  their values in the same R draws of the part's samples
    weights     of the parts, above 0; they are divided by their sum

`linear` is for means of values and of z-scores: sums of parts. Draws of unlike sets are
independent, so their replicates are put together replicate by replicate, each set's in an order of
its own: sets whose samples have the same ids were drawn by the same numbers. Variances of sets add
up, and Welch and Satterthwaite's degrees of freedom go with the sum. Parts on one set, as two
scores of the same outputs, keep what they share.

`by_ranks` is for means of ranks and shares of wins. Ranks in replicates have no bootstrap that
holds near ties: redrawn ranks of equal systems are pulled to the middle. What is known of a rank is
which pairs differ, so all pairs of all parts are tested together (Holm), a rank's interval in each
part is what these leave open, and the mean's is the mean of the ends: with probability 1 - alpha
all hold at once. Two systems are apart where their ranks' difference, added up over the parts, can
have one sign alone: who is better in a part stands before the other there. Safe, and wide.

Sources: Satterthwaite (1946), "An approximate distribution of estimates of variance components";
Mogstad, Romano, Shaikh & Wilhelm (2024), "Inference for ranks".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from metrics.statistics.many import Pairwise, deviations_between, two_sided
from metrics.statistics.ranking import Ranks, bands, chances_of_first, holm, ranks
from metrics.statistics.weights import Floats

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """A score on a set, of systems that all have a value.

    pairs       the tests of all pairs, uncorrected
    incomplete  (N,) systems without a value on samples on which others have one
    group       what the draws are of: parts of one group share them
    uneven      (N,) the same, but also where that is by design: their pairs are tested over what
                both have, and nobody stands behind for it; None: the incomplete ones
    """

    values: Floats
    pairs: Pairwise
    replicates: Floats
    incomplete: Mask
    group: str
    weight: float = 1.0
    higher_is_better: bool = True
    uneven: Mask | None = None

    @property
    def worth(self) -> Floats:
        """(N,) the values, higher always better."""
        return self.values if self.higher_is_better else -self.values


@dataclass(frozen=True, slots=True)
class Aggregate:
    """values, low, high (N,); `p_first` (N,) the share of replicates in which each is first."""

    values: Floats
    low: Floats
    high: Floats
    ranks: Ranks
    p_first: Floats


def shares(parts: Sequence[Part]) -> Floats:
    """(K,) the weights, which sum to 1."""
    given = np.array([part.weight for part in parts])
    return np.asarray(given / given.sum(), np.float64)


def z_scores(part: Part) -> tuple[float, float]:
    """The centre and the scale of a part's values: their mean and standard deviation over the
    systems, taken for fixed. The scale is 0 where all are the same."""
    spread = float(part.values.std(ddof=1)) if len(part.values) > 1 else 0.0
    return float(part.values.mean()), spread


def linear(
    parts: Sequence[Part],
    coefficients: Sequence[float],
    centres: Sequence[float],
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
) -> Aggregate:
    """Of each system the sum over parts of coefficient · (value - centre)."""
    from scipy.special import stdtrit

    n = len(parts[0].values)
    terms = list(zip(parts, coefficients, centres, strict=True))
    values = np.sum([by * (part.values - centre) for part, by, centre in terms], axis=0)
    differences = np.sum([by * part.pairs.differences for part, by, _ in terms], axis=0)
    drawn = _replicates(parts, coefficients)
    spread, between = _Sum((n,)), _Sum((n, n))
    for group, own in drawn.items():
        inside = [(part, by) for part, by, _ in terms if part.group == group]
        units = np.min([part.pairs.units for part, _ in inside], axis=0)
        between.add(_errors(inside, own) ** 2, units)
        drawn_twice = np.isfinite(own).sum(0) > 1
        deviations = np.full(n, np.nan)
        deviations[drawn_twice] = np.nanstd(own[:, drawn_twice], axis=0, ddof=1)
        spread.add(deviations**2, np.diagonal(units))
    p_values = two_sided(differences, np.sqrt(between.variance), between.freedom + 1)
    np.fill_diagonal(p_values, np.nan)
    incomplete = np.logical_or.reduce([part.incomplete for part in parts])
    half = stdtrit(spread.freedom, 0.5 + level / 2) * np.sqrt(spread.variance)
    whole = values + _together(list(drawn.values()))
    return Aggregate(
        values=values,
        low=values - half,
        high=values + half,
        ranks=ranks(
            values,
            p_values,
            differences=differences,
            incomplete=incomplete,
            higher_is_better=higher_is_better,
            alpha=1 - level,
        ),
        p_first=_first(whole, incomplete, higher_is_better),
    )


def by_ranks(parts: Sequence[Part], *, wins: bool = False, level: float = 0.95) -> Aggregate:
    """The mean rank of each system over the parts, the least the best; of equal values the mean of
    their places. `wins`: instead, the share of the other systems that it beats, equal ones by half.
    """
    weights, alpha = shares(parts), 1 - level
    adjusted = _adjusted(parts)
    n = len(parts[0].values)
    value, best, worst = np.zeros(n), np.zeros(n), np.zeros(n)
    ahead = np.zeros((n, n))  # [i, j]: by so many ranks at least i stands behind j
    for part, weight, p_values in zip(parts, weights.tolist(), adjusted, strict=True):
        found = ranks(
            part.values,
            p_values,
            differences=part.pairs.differences,
            incomplete=part.incomplete,
            higher_is_better=part.higher_is_better,
            alpha=alpha,
            correct=np.copy,
        )
        value += weight * midranks(part.worth[None], part.incomplete)[0]
        best += weight * found.best
        worst += weight * found.worst
        ahead += weight * _behind(part, found, alpha)
    drawn = _mean_ranks(parts, weights)
    incomplete = np.logical_or.reduce([part.incomplete for part in parts])
    better = ahead > 1e-9
    rank = 1 + (value[None, :] < value[:, None] - 1e-9).sum(1)
    placed = Ranks(
        rank=rank,
        best=1 + better.sum(1),
        worst=n - better.sum(0),
        band=bands(rank, lambda at, first: bool(better[at, first])),
        p_values=np.full((n, n), np.nan),
    )
    first = _first(drawn, incomplete, higher_is_better=False)
    if not wins:
        return Aggregate(value, best, worst, placed, first)
    others = max(1, n - 1)
    return Aggregate((n - value) / others, (n - worst) / others, (n - best) / others, placed, first)


def midranks(worth: Floats, last: Mask) -> Floats:
    """(R, N) the ranks in each row of (R, N), the highest first; equal values share the mean of
    their places, and those in `last` (N,) stand behind the others."""
    from scipy.stats import rankdata

    span = worth.max() - worth.min() + 1.0
    return np.asarray(rankdata(-(worth - last * span), axis=1), np.float64)


def _behind(part: Part, found: Ranks, alpha: float) -> Floats:
    """(N, N) [i, j]: by how many ranks i stands behind j in a part, at least. Where j is better: by
    one, and by each that is between them."""
    sign = 1.0 if part.higher_is_better else -1.0
    better = (sign * part.pairs.differences < 0) & (np.nan_to_num(found.p_values, nan=1.0) <= alpha)
    counted = better.astype(np.float64)
    least = (found.best[:, None] - found.worst[None, :]).astype(np.float64)
    return np.where(better, np.maximum(least, 1.0 + counted @ counted), least)


class _Sum:
    """Variances that add up, with Satterthwaite's degrees of freedom."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.variance = np.zeros(shape)
        self._squares = np.zeros(shape)
        self._most = np.zeros(shape)

    def add(self, variance: Floats, units: Floats) -> None:
        """The bootstrap's variance of a mean over so many units, of which one is lost."""
        freedom = np.maximum(units - 1, 1)
        own = variance * units / freedom
        self.variance += own
        self._squares += own**2 / freedom
        self._most += freedom

    @property
    def freedom(self) -> Floats:
        """Between those of the smallest part and of all together."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.variance**2 / self._squares
        return np.where(self._squares > 0, found, self._most)


def _replicates(parts: Sequence[Part], coefficients: Sequence[float]) -> dict[str, Floats]:
    """(R, N) of each group, what the draws moved its sum by: around 0."""
    count = min(len(part.replicates) for part in parts)
    found: dict[str, Floats] = {}
    for part, by in zip(parts, coefficients, strict=True):
        moved = by * (part.replicates[:count] - part.values)
        found[part.group] = found[part.group] + moved if part.group in found else moved
    return {group: drawn[_order(group, count)] for group, drawn in found.items()}


def _order(group: str, count: int) -> NDArray[np.int64]:
    """In which the group's replicates meet the others': the same whenever it is asked for."""
    chance = np.random.default_rng(xxhash.xxh64_intdigest(group.encode()))
    return np.asarray(chance.permutation(count), np.int64)


def _errors(inside: Sequence[tuple[Part, float]], drawn: Floats) -> Floats:
    """(N, N) errors of the differences in a group. Of systems that lack values, whose pairs were
    tested over common samples, the parts' errors added up: no less than that of the sum."""
    errors = deviations_between(drawn)
    lacking = np.logical_or.reduce(
        [part.incomplete if part.uneven is None else part.uneven for part, _ in inside]
    )
    if lacking.any():
        most = np.sum([abs(by) * part.pairs.errors for part, by in inside], axis=0)
        pairs = lacking[:, None] | lacking[None, :]
        errors = np.where(pairs, most, errors)
    return errors


def _together(drawn: Sequence[Floats]) -> Floats:
    return np.asarray(np.sum(drawn, axis=0), np.float64)


def _mean_ranks(parts: Sequence[Part], weights: Floats) -> Floats:
    """(R, N) the weighted mean of the ranks in each replicate."""
    count = min(len(part.replicates) for part in parts)
    whole = np.zeros((count, len(parts[0].values)))
    for part, weight in zip(parts, weights.tolist(), strict=True):
        drawn = part.replicates[:count][_order(part.group, count)]
        worth = drawn if part.higher_is_better else -drawn
        known = np.isfinite(worth).all(1)
        place = np.full_like(whole, np.nan)
        if known.any():
            place[known] = midranks(worth[known], part.incomplete)
        whole += weight * place
    return whole


def _first(drawn: Floats, incomplete: Mask, higher_is_better: bool) -> Floats:
    found = np.full(len(incomplete), np.nan)
    found[~incomplete] = chances_of_first(drawn[:, ~incomplete], higher_is_better)
    return found


def _adjusted(parts: Sequence[Part]) -> list[Floats]:
    """(N, N) of each part, Holm's p-values over the pairs of all parts."""
    upper = np.triu_indices(len(parts[0].values), 1)
    together = holm(np.concatenate([part.pairs.p_values[upper] for part in parts]))
    found = []
    for own in np.split(together, len(parts)):
        whole = np.full_like(parts[0].pairs.p_values, np.nan)
        whole[upper] = own
        whole.T[upper] = own
        found.append(whole)
    return found
