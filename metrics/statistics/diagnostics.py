"""What makes an interval less sure than it looks, as sentences.

    influence  (n, S) how much each unit moves each value, in the order in which units were given

Leverage: one sample, or a few, carry most of the variance; others drawn, the value and its
interval would be quite different. Neighbours: samples that follow each other are alike, so that
they say less than as many that have nothing to do with each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.remarks import Remark
from metrics.statistics.weights import Floats

DECIDES = 0.9  # of the variance: no interval can be given
LEVERAGE, LEVERAGE_OF_FEW = 1 / 3, 1 / 2  # of the variance, by one sample; below 50 samples
MANY = 50
HALF = 0.01  # fewer of the samples than that carry half of the variance: heavy tails
ALIKE, DEVIATIONS = 0.1, 3.3  # least correlation of neighbours, and in standard errors
TAIL = 5  # replicates beyond an end of the interval, below which it says that it is rough
FEW = 20  # units below which an interval says that it is rough
NOTHING_VARIES = (
    "all {n} samples have the same value: they do not show how far others might lie from it, so "
    "there is no interval"
)
ONE_DECIDES = (
    "one sample of {n} decides: it carries {share:.0%} of the variance, so no interval of this "
    "sample could be trusted"
)
FEW_DIFFER = (
    "too few of {n} samples differ from the others: resamples without them have no variance, so "
    "there is no interval"
)


def leverage(influence: Floats) -> Floats:
    """(S,) the largest share of one unit in the variance; 0 where there is none, NaN unknown."""
    squares = influence**2
    total = squares.sum(0)
    return np.asarray(squares.max(0, initial=0.0) / np.where(total == 0.0, 1.0, total), np.float64)


def carriers(influence: Floats) -> int:
    """How few units carry half of the variance of one score, influence (n,)."""
    squares = np.sort(influence**2)[::-1]
    return int(np.searchsorted(np.cumsum(squares), squares.sum() / 2)) + 1


def neighbours(influence: Floats) -> Floats:
    """(S,) correlation of each unit's influence with the next one's; 0 where there is none."""
    total = (influence**2).sum(0)
    products = (influence[1:] * influence[:-1]).sum(0)
    return np.asarray(products / np.where(total == 0.0, 1.0, total), np.float64)


def notes(
    influence: Floats, bounded: NDArray[np.bool_] | None = None
) -> tuple[tuple[Remark, ...], ...]:
    """(S,) sentences on each score; none for fewer than two units or without influence.

    bounded  (S,) scores whose bounds keep any single sample from weighing much
    """
    n, scores = len(influence), int(influence.shape[1])
    if n < 2:
        return ((),) * scores
    shares, alike = leverage(influence), neighbours(influence)
    held = np.zeros(scores, np.bool_) if bounded is None else bounded
    return tuple(
        (() if held[s] else _spread(influence[:, s], float(shares[s]))) + _alike(n, float(alike[s]))
        for s in range(scores)
    )


def _spread(influence: Floats, share: float) -> tuple[Remark, ...]:
    n = len(influence)
    if share > (LEVERAGE if n >= MANY else LEVERAGE_OF_FEW):
        return (
            Remark(
                "one sample of {n} carries {share:.0%} of the variance: look at it, without it "
                "value and interval would be others",
                n=n,
                share=share,
            ),
        )
    if n < MANY or not np.isfinite(share) or share == 0.0:
        return ()
    few = carriers(influence)
    if few <= max(2, HALF * n):
        return (
            Remark(
                "heavy tails: {few} of {n} samples carry half of the variance, so that the value "
                "rests on rare samples; what is rarer than 1 in {rare} may not be among them",
                few=few,
                n=n,
                rare=n // 3,
            ),
        )
    return ()


def _alike(n: int, correlation: float) -> tuple[Remark, ...]:
    if n < MANY or not correlation > max(ALIKE, DEVIATIONS / np.sqrt(n)):
        return ()
    return (
        Remark(
            "samples that follow each other are alike (correlation {correlation:.2f}), and the "
            "interval takes them for independent: where they share a document, name its field as "
            "`cluster`",
            correlation=correlation,
        ),
    )


def of_replicates(drawn: Floats, n: int, level: float) -> tuple[Remark, ...]:
    """What is to be said of replicates (R, S): lost ones, and too few for the level."""
    lost, count = int((~np.isfinite(drawn)).any(1).sum()), len(drawn)
    said = []
    if lost and n >= 2:
        lacking = "{lost} of {count} bootstrap replicates have no value: left out"
        said.append(Remark(lacking, lost=lost, count=count))
    if count * (1 - level) / 2 < TAIL - 1e-9 and n >= 2:
        wanted = int(np.ceil(2 * TAIL / (1 - level)))
        said.append(
            Remark(
                "fewer than {tail} of {count} replicates lie beyond either end of an interval of "
                "level {level:g}: ask for {wanted} `replicates` or a lower level",
                tail=TAIL,
                count=count,
                level=level,
                wanted=wanted,
            )
        )
    return tuple(said)


def few(n: int) -> tuple[Remark, ...]:
    """What is to be said of an interval of n units."""
    if n < 2:
        return (Remark("a single unit allows no interval"),) if n else ()
    return (Remark("only {n} units: the interval is rough", n=n),) if n < FEW else ()
