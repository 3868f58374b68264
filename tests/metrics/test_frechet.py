"""Fréchet distance against the formula by scipy's root of a matrix, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from inference.pool import ModelPool
from metrics.core.errors import TooFewSamples
from metrics.core.evidence import Evidence
from metrics.core.metric import Sample
from metrics.core.rows import Floats, Settled
from metrics.core.run import score
from metrics.frechet import METRIC
from metrics.statistics.intervals import jackknife
from metrics.statistics.weights import unit_keys

BOUND = METRIC.bind()


def features(n: int, width: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Floats:
    spread = np.arange(1, width + 1) ** -0.5
    drawn = np.random.default_rng(seed).normal(size=(n, width))
    return np.asarray((drawn * scale + shift) * spread, np.float64)


def settled(outputs: Floats, references: Floats) -> Settled:
    """One output and one reference a sample."""
    evidence = Evidence.of_ragged({"references": list(references[:, None])}, {"output": outputs})
    return BOUND.settle(evidence, np.arange(len(outputs)))


def value(rows: Floats) -> float:
    return float(BOUND.reduce(rows.sum(0))[0])


def theirs(outputs: Floats, references: Floats) -> float:
    """As pytorch-fid writes it."""
    from scipy.linalg import sqrtm

    apart = outputs.mean(0) - references.mean(0)
    first, second = np.cov(outputs, rowvar=False), np.cov(references, rowvar=False)
    root = np.trace(sqrtm(first @ second).real)
    return float(apart @ apart + np.trace(first) + np.trace(second) - 2 * root)


@pytest.mark.parametrize(
    ("n", "width", "scale", "shift"),
    [(40, 8, 1.0, 0.0), (100, 24, 1.3, 0.3), (300, 24, 0.5, 1.0), (50, 49, 1.1, 0.1)],
)
def test_values_are_those_of_the_formula(n: int, width: int, scale: float, shift: float) -> None:
    """References are float32, as embeddings are."""
    outputs = features(n, width, 1, scale, shift).astype(np.float32).astype(np.float64)
    references = features(n, width, 2).astype(np.float32).astype(np.float64)
    want = theirs(outputs, references)
    assert value(settled(outputs, references).rows) == pytest.approx(want, rel=1e-7)


@pytest.mark.parametrize(("n", "width"), [(10, 30), (20, 20), (60, 200)])
def test_of_fewer_texts_than_dimensions(n: int, width: int) -> None:
    """scipy's root of a singular matrix is off by the root of a rounding, times the dimensions."""
    outputs, references = features(n, width, 1, 1.5), features(n, width, 2)
    found = settled(outputs, references)
    assert value(found.rows) == pytest.approx(theirs(outputs, references), rel=1e-4)
    assert "no more than" in found.warnings[0]
    assert not settled(features(300, 20, 1), features(300, 20, 2)).warnings


def test_of_dimensions_that_say_nothing() -> None:
    """More texts than dimensions, of which some are copies, or are nearly always 0."""
    outputs, references = features(80, 6, 1, 1.5), features(80, 6, 2)
    want = theirs(outputs, references)
    for weight in (0.0, 1.0, 1e-6):
        more = [np.hstack([one, weight * one]) for one in (outputs, references)]
        assert value(settled(*more).rows) == pytest.approx(want * (1 + weight**2), rel=1e-6)


def test_by_hand() -> None:
    """Of one dimension, (m - r)² + (s - t)²; of axes that do not turn, a sum of those; of equal
    sides 0, and of a side and itself moved, how far."""
    outputs, references = np.array([[1.0], [3.0], [5.0]]), np.array([[0.0], [1.0], [2.0]])
    assert value(settled(outputs, references).rows) == pytest.approx(4 + (2 - 1) ** 2)
    cross = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    spread = (cross**2).sum(0) / 3
    want = float(((np.sqrt(spread) * ([2, 3] - np.ones(2))) ** 2).sum())
    assert value(settled(cross * [2, 3], cross).rows) == pytest.approx(want)
    same = features(30, 6, 3).astype(np.float32).astype(np.float64)
    assert value(settled(same, same).rows) == pytest.approx(0, abs=1e-12)
    assert value(settled(same + 0.5, same).rows) == pytest.approx(6 / 4, rel=1e-5)


def test_rows_are_what_leaving_out_changes() -> None:
    """To first order: the distance without a sample, computed anew, is near."""
    outputs, references = features(200, 10, 1, 1.4, 0.2), features(200, 10, 2)
    rows = settled(outputs, references).rows
    without = BOUND.reduce(rows.sum(0) - rows[:20])[:, 0]
    again = [
        value(settled(np.delete(outputs, at, 0), np.delete(references, at, 0)).rows)
        for at in range(20)
    ]
    moved = without - value(rows), np.array(again) - value(rows)
    assert np.abs(moved[0] - moved[1]).max() < 0.1 * np.abs(moved[1]).max()


def test_unequal_sides_and_references_counted_once() -> None:
    """Three outputs a sample and two references: 60 and 40 texts."""
    outputs = features(60, 6, 1)
    references = features(40, 6, 2).astype(np.float32).astype(np.float64)
    unit = np.repeat(np.arange(20), 3)
    own = [references[2 * one : 2 * one + 2] for one in unit]
    found = BOUND.settle(Evidence.of_ragged({"references": own}, {"output": outputs}), unit)
    assert found.rows.shape == (20, 4)
    assert found.rows.sum(0)[[1, 3]].tolist() == [60, 40]
    assert value(found.rows) == pytest.approx(theirs(outputs, references), rel=1e-9)
    assert found.signature == {"n": "40/60"}


@pytest.mark.parametrize(
    ("n", "width", "scale"), [(20, 24, 1.0), (50, 24, 1.3), (20, 384, 1.3), (200, 24, 1.0)]
)
def test_the_interval_covers(n: int, width: int, scale: float) -> None:
    """Of the mean over sets of that size, whether the sides are of one distribution or not."""
    keys, values, ends = unit_keys([str(at) for at in range(n)]), [], []
    for seed in range(100):
        rows = settled(features(n, width, seed, scale), features(n, width, 1000 + seed)).rows
        found = jackknife(rows, keys, BOUND.reduce, bounds=BOUND.bounds(rows.sum(0)))
        values.append(value(rows))
        ends.append((found.low[0], found.high[0]))
    low, high = np.array(ends).T
    truth = np.mean(values)
    assert np.mean((low <= truth) & (truth <= high)) >= 0.9
    assert np.mean(high - low) < 8 * np.std(values)


def test_too_few_is_a_message_not_a_number() -> None:
    with pytest.raises(TooFewSamples, match="there are 1 and 1"):
        settled(features(1, 4, 1), features(1, 4, 2))


def test_end_to_end_in_any_script(model_pool: ModelPool) -> None:
    """References themselves are at 0, texts of another kind far, a blank one is a text."""
    texts = [
        "Кот спит на диване.",
        "It will rain.",
        "東京は雨です。",
        "مرحبا بالعالم",
        "👍🏽🎉",
        "x = 1",
    ]
    same = [Sample(str(at), (text,), (text,)) for at, text in enumerate(texts)]
    other = [Sample(str(at), ("Buy now!" * (at + 1),), (text,)) for at, text in enumerate(texts)]
    blank = [*same[1:], Sample("b", ("",), (texts[0],))]
    values = []
    for samples in (same, blank, other):
        found = score(samples, [METRIC.bind()], model_pool)[0].scores[0]
        assert found.value is not None
        assert found.missing == 0
        values.append(found.value)
    assert values[0] == pytest.approx(0, abs=1e-9)
    assert values[0] < values[1] < values[2]
