"""Paired tests of the samples' own values: Student's t, Wilcoxon's signed ranks, McNemar's.

    gaps  (n, P)  a's values less b's, of P pairs of systems over the same n samples

They ask about single samples, not about a value of the whole set: for a mean that is one question,
for BLEU of a corpus it is two. All p-values are two-sided and (P,); the numbers are those of
scipy's `ttest_rel` and `wilcoxon` and of statsmodels' exact `mcnemar`.

Sources: Student (1908); Wilcoxon (1945), "Individual comparisons by ranking methods"; McNemar
(1947), "Note on the sampling error of the difference between correlated proportions"; for clusters,
Cameron & Miller (2015), "A practitioner's guide to cluster-robust inference".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.clusters import Clusters
from metrics.statistics.many import two_sided
from metrics.statistics.weights import Floats

SMALL = 50  # samples up to which Wilcoxon's distribution is exact where no values tie


@dataclass(frozen=True, slots=True)
class Tested:
    """p_values (P,), NaN where nothing can be said; `p_method` as in `Difference`; of the t-test
    also means and standard errors (P,)."""

    p_values: Floats
    p_method: str
    means: Floats | None = None
    errors: Floats | None = None


def paired_t(gaps: Floats, found: Clusters | None = None) -> Tested:
    """Student's t of the mean difference; with clusters, their robust error and G - 1 degrees."""
    n = len(gaps)
    sums = gaps if found is None else found.pooled(gaps)
    sizes = np.ones((n, 1)) if found is None else found.pooled(np.ones((n, 1)))
    groups = len(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = gaps.sum(0) / n
        apart = ((sums - sizes * means) ** 2).sum(0)
        errors = np.sqrt(apart * groups / (groups - 1)) / n
    return Tested(two_sided(means, errors, groups), "t", means, errors)


def wilcoxon(gaps: Floats, found: Clusters | None = None) -> Tested:
    """Signed ranks of the differences, zeros left out; of the clusters' means where there are some.

    Exact for up to 50 samples without ties, else by the normal with the ties' correction.
    """
    from scipy.stats import wilcoxon as signed_ranks

    if found is not None:
        gaps = found.pooled(gaps) / found.pooled(np.ones((len(gaps), 1)))
    if len(gaps) < 2:
        return Tested(np.full(gaps.shape[1], np.nan), "normal")
    with np.errstate(divide="ignore", invalid="ignore"):
        if len(gaps) > SMALL:
            p_values = np.asarray(signed_ranks(gaps, axis=0).pvalue, np.float64)
        else:  # together, the ties of one pair would decide how all others are tested
            p_values = np.array([signed_ranks(one).pvalue for one in gaps.T], np.float64)
    nothing = ~gaps.any(0)
    p_values = np.where(nothing, 1.0, np.maximum(p_values, np.finfo(np.float64).tiny))
    return Tested(p_values, "normal" if len(gaps) > SMALL else "exact")


def mcnemar(gaps: Floats) -> Tested:
    """Of the samples that only one of two got right, how many each did: exact binomial.

    Of values that are 0 or 1, see `binary`. p = min(1, 2 P(X <= min(b, c))), X ~ Bin(b + c, 1/2).
    """
    from scipy.special import bdtr

    wins, losses = (gaps > 0).sum(0), (gaps < 0).sum(0)
    fewer = np.minimum(wins, losses).astype(np.float64)
    tail = bdtr(fewer, (wins + losses).astype(np.int64), 0.5)
    p_values = np.maximum(np.minimum(2 * tail, 1.0), np.finfo(np.float64).tiny)
    return Tested(np.asarray(p_values, np.float64), "exact")


def binary(values: Floats) -> NDArray[np.bool_]:
    """(S,) which columns of (n, S) hold nothing but 0 and 1."""
    return np.asarray(((values == 0.0) | (values == 1.0)).all(0))
