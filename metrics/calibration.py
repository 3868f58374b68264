"""Calibration: are answers right as often as they were given confidence?

Conventions
    A sample's metadata holds the confidence in its answer, a number from 0 to 1, in the field
    `confidence`; samples without one are missing. Whether an output is right is decided as
    `accuracy` does. Confidences fall into `bins` of equal width, (0, 1/15] first; of bin b with n_b
    of n outputs, c_b is the mean confidence and a_b the share of right ones:
        ece           Σ n_b / n |c_b - a_b|, the expected calibration error. Few samples a bin make
                      it too high, for a perfectly calibrated model, too
        ece_debiased  ece - (E - ece), with E what ece would be if each a_b had its sampling noise
                      once more; may be below 0 (Kumar et al. 2019, in closed form; the noise of a
                      bin of one output is that of its confidence)
        brier         mean of (confidence - right)²; it rewards knowing, too, not calibration alone
    `diagram` adds the reliability diagram: `confidence_k` and `accuracy_k` of each bin, none where
    it is empty. Computed over the set; several outputs of a sample count as one together. Lower is
    better, but for the diagram.
    Two systems' ece and ece_debiased are tested by exchanging their answers at random
    (`metrics.statistics.exchange`): leaving samples out, by which the others are tested, does not
    know how an absolute gap varies where there is none.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> answers = [("Париж", 0.9), ("Лион", 0.9), ("Париж", 0.6), ("Париж", 0.7)]
    >>> samples = [
    ...     Sample(str(n), (said,), ("Париж",), metadata={"confidence": sure})
    ...     for n, (said, sure) in enumerate(answers)
    ... ]
    >>> (result,) = score(samples, [METRIC.bind()])
    >>> {found.name: round(found.value, 3) for found in result.scores if found.name != "brier"}
    {'ece': 0.375, 'ece_debiased': 0.288}
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.protocol import Models
from metrics.core import beside
from metrics.core.errors import MissingInput
from metrics.core.evidence import Column, Evidence
from metrics.core.metric import Exchange, Item, Metric, Sample, Score, Source, settle_only
from metrics.core.rows import Floats, Ints, Settled, average
from metrics.text.labels import LabelParams, lacks_label

STANDARD_ERRORS = 1.0  # by which a gap has a side
DIAGRAM = {
    "confidence": "mean confidence of the bin",
    "accuracy": "share of right ones in the bin",
}


class CalibrationParams(LabelParams):
    """Where the confidence stands, and how it is cut into bins."""

    confidence: str = settle_only(
        "confidence", min_length=1, max_length=200, description="field of the samples' metadata"
    )
    bins: int = settle_only(15, ge=1, le=100, description="of equal width")
    diagram: bool = settle_only(
        False, description="add each bin's mean confidence and share of right answers"
    )


def check(params: CalibrationParams, samples: Sequence[Sample]) -> None:
    """Raises MissingInput for a sample with neither references nor choices."""
    for index, sample in enumerate(samples):
        if lacks_label(sample):
            raise MissingInput("calibration", "references", index, sample.id, "samples")


def measure(items: Sequence[Item], params: CalibrationParams, models: Models) -> Evidence:
    """`right`: 0 or 1 of each output."""
    return Evidence({"right": Column(np.array([params.right(i) or 0 for i in items], np.uint8))})


def settle(evidence: Evidence, unit: Ints, params: CalibrationParams) -> Settled:
    """Rows (brier, n_b, confidence in b, right in b, 1), of 3 · bins + 2 columns; NaN where there
    is no confidence between 0 and 1."""
    right = evidence["right"].astype(np.float64)
    sure = beside.read(evidence, params.confidence)
    sure = np.where((sure >= 0) & (sure <= 1), sure, np.nan)
    edges = np.arange(1, params.bins) / params.bins
    place = np.searchsorted(edges, sure, side="left")  # (lower, upper]; NaN comes last
    rows = np.zeros((len(right), 3 * params.bins + 2))
    rows[:, 0], rows[:, -1] = (sure - right) ** 2, 1
    every = np.arange(len(right))
    place = 1 + np.minimum(place, params.bins - 1)
    for part, values in enumerate((np.ones_like(sure), sure, right)):
        rows[every, place + part * params.bins] = values
    return Settled(average(rows, unit))


def reduce(sums: Floats, params: CalibrationParams) -> Floats:
    """(..., 3 · bins + 2) -> ece, ece_debiased, brier, and the diagram."""
    counts, sure, right = np.split(sums[..., 1:-1], 3, axis=-1)
    total = sums[..., -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, share = sure / counts, right / counts
        known = np.where(counts > 0, mean, 0.0), np.where(counts > 0, share, 0.0)
        gap = np.abs(known[0] - known[1])
        at = np.where(counts > 1, known[1], known[0])
        noise = np.sqrt(np.clip(at * (1 - at), 0, None) / np.maximum(counts, 1))
        ece = (counts * gap).sum(-1) / total[..., 0]
        again = (counts * _folded(gap, noise)).sum(-1) / total[..., 0]
        brier = sums[..., 0] / total[..., 0]
    found = [ece[..., None], (2 * ece - again)[..., None], brier[..., None]]
    if params.diagram:
        found += [np.stack([mean, share], -1).reshape(*sums.shape[:-1], -1)]
    return np.concatenate(found, -1)


def _folded(mean: Floats, deviation: Floats) -> Floats:
    """E |X| of X normal."""
    from scipy.special import ndtr

    there = deviation > 0
    z = np.where(there, mean / np.where(there, deviation, 1.0), np.inf)
    density = np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2)
    return np.where(there, deviation * density + mean * (1 - 2 * ndtr(-z)), mean)


def orders(a: Floats, b: Floats, params: CalibrationParams) -> tuple[Ints, Ints]:
    """Confidences and right answers in each other's place in bins in which the one system is too
    sure and the other not sure enough, each by a standard error or more: there, of the one that is
    too sure. Its gap is as wide as it was, on the side of the other's."""
    sure = [_surely(rows, params.bins) for rows in (a, b)]
    apart = (np.minimum(*np.abs(sure)) >= STANDARD_ERRORS) & (sure[0] * sure[1] < 0)
    found = []
    for one in sure:
        order = np.arange(a.shape[1])
        here = 1 + params.bins + np.flatnonzero(apart & (one > 0))
        order[here], order[here + params.bins] = here + params.bins, here
        found.append(order)
    return found[0], found[1]


def _surely(rows: Floats, bins: int) -> Floats:
    """(bins,) confidence less share of right answers in each bin, in its standard errors."""
    sure, right = rows[:, 1 + bins : 1 + 2 * bins], rows[:, 1 + 2 * bins : 1 + 3 * bins]
    gaps = sure - right
    size = np.sqrt((gaps**2).sum(0))
    return np.asarray(gaps.sum(0) / np.where(size > 0, size, 1.0), np.float64)


def scores(params: CalibrationParams) -> tuple[Score, ...]:
    """ece, ece_debiased, brier; of the diagram two a bin."""
    found = [
        Score("ece", higher_is_better=False, high=1.0, about="expected calibration error"),
        Score("ece_debiased", False, -1.0, 1.0, "the same, without the bias of few samples"),
        Score("brier", higher_is_better=False, high=1.0, about="squared error of confidences"),
    ]
    for number in range(1, params.bins + 1) if params.diagram else ():
        for name, about in DIAGRAM.items():
            found.append(Score(f"{name}_{number}", True, 0.0, 1.0, about, judged=False))
    return tuple(found)


METRIC = Metric(
    name="calibration",
    version=1,
    about="How far confidences are from the share of right answers: ECE, its bias off, Brier.",
    formula="ece Σ n_b / n · |confidence_b − accuracy_b| over 15 bins; brier mean of (p − right)²",
    avoid="Fewer than some hundred samples: ece is then mostly noise, even its debiased form.",
    params=CalibrationParams,
    reads=("output", "references", "choices"),
    needs=(),
    scores=scores,
    interval="jackknife",
    source=Source(
        paper="Guo et al. 2017, arXiv:1706.04599; Kumar, Liang and Ma 2019, arXiv:1909.10155; "
        "Brier 1950, Monthly Weather Review 78",
        reference="uncertainty-calibration 0.1.4; scikit-learn 1.9.1, brier_score_loss",
    ),
    measure=measure,
    settle=settle,
    reduce=reduce,
    check=check,
    fields=lambda params: (params.confidence,),
    exchange=Exchange(scores=("ece", "ece_debiased"), orders=orders),
    own_rows=True,
    set_level=True,
)
