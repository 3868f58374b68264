"""MoverScore against moverscore_v2's arithmetic on the same states, the distance by linear
programming."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from inference.pool import ModelPool
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from metrics.moverscore import METRIC, moved
from tests.conftest import MINILM

PAIRS = [
    ("The cat sat on the mat, quietly.", "A cat was sitting quietly on a mat."),
    ("Prices rose 3.5% in May.", "In May, prices climbed by 3.5 percent!"),
    ("Кот спит на диване.", "На диване спит кошка."),
    ("東京は雨です。", "東京では雨が降る"),
    ("مرحبا بالعالم", "مرحبا يا عالم"),
    ("👍🎉 great", "Great! 👍"),
    ("It rains.", "It rains."),
]


def least(first: Any, second: Any, distances: Any) -> float:
    """The earth mover's distance by linear programming."""
    from scipy.optimize import linprog

    n, m = distances.shape
    rows = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    best = linprog(distances.ravel(), A_eq=np.vstack(rows), b_eq=np.r_[first, second])
    assert best.success
    return float(best.fun)


def theirs(pairs: Sequence[tuple[str, str]], pool: ModelPool, idf: bool, stop: set[str]) -> Any:
    """moverscore_v2's `word_mover_score`, one pair at a time, in double precision."""
    encoder = pool.encoder(MINILM)
    sides = [encoder.encode(list(side)) for side in zip(*pairs, strict=True)]
    weights = []
    for side in sides:
        having: dict[int, int] = {}
        for ids in side:
            for one in set(ids):
                having[one] = having.get(one, 0) + 1
        n = len(side)
        weights.append({k: np.log((n + 1) / (c + 1)) if idf else 1.0 for k, c in having.items()})
    found = []
    for hypothesis, reference in zip(*sides, strict=True):
        raw, mass = [], []
        for ids, idfs in ((reference, weights[1]), (hypothesis, weights[0])):
            states = encoder.hidden([ids], encoder.layers)[0].astype(np.float64)
            weight = np.array([idfs[one] for one in ids])
            for at, piece in enumerate(encoder.pieces(ids)):
                if piece in stop or "##" in piece or piece in set(string.punctuation):
                    states[at], weight[at] = 0, 0
            raw.append(states)
            mass.append(weight / (weight.sum() + 1e-30))
        first, second = (one / (np.linalg.norm(one, axis=1, keepdims=True) + 1e-30) for one in raw)
        squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
        found.append(1 - least(mass[0], mass[1], np.sqrt(squares.clip(1e-30))))
    return found


@pytest.mark.parametrize("idf", [True, False])
@pytest.mark.parametrize("stop", [(), ("the", "a", "in")])
def test_values_are_those_of_the_published_method(
    idf: bool, stop: tuple[str, ...], model_pool: ModelPool
) -> None:
    """States are float32's: off by 128 roundings at most, the root of whose double is 6e-3 where
    words are the same, and else 1e-4 of a distance."""
    samples = [Sample(str(at), (out,), (ref,)) for at, (out, ref) in enumerate(PAIRS)]
    (found,) = score(samples, [METRIC.bind({"idf": idf, "stop_words": stop})], model_pool)
    assert found.per_sample is not None
    want = theirs(PAIRS, model_pool, idf, set(stop))
    np.testing.assert_allclose(found.per_sample[:, 0], want, atol=2e-4)
    assert found.per_sample[-1, 0] == pytest.approx(1, abs=1e-6)
    assert np.ptp(want) > 0.3


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_the_least(seed: int) -> None:
    draw = np.random.default_rng(seed)
    n, m = draw.integers(1, 9, 2)
    first, second = draw.random(n) + 0.01, draw.random(m) + 0.01
    first, second = first / first.sum(), second / second.sum()
    distances = draw.random((n, m)) * 2
    want = least(first, second, distances)
    assert moved(first, second, distances) == pytest.approx(want, abs=1e-9)


def test_by_hand() -> None:
    """Half of the earth stays, the other half goes by 0.6; all goes by one way."""
    half = np.array([0.5, 0.5])
    assert moved(half, half, np.array([[0.0, 1.0], [1.0, 0.6]])) == pytest.approx(0.3)
    assert moved(np.ones(1), half, np.array([[0.2, 0.4]])) == pytest.approx(0.3)


def test_blank_texts_and_sets_of_one(model_pool: ModelPool) -> None:
    samples = [
        Sample("1", ("", "the cat"), ("the cat",)),  # -1 and 1
        Sample("2", ("...",), ("a dog barked",)),
        Sample("3", ("a dog",), ("", " ")),
        Sample("4", ("rain",), ("", "rain", "the sun is out")),
    ]
    (found,) = score(samples, [METRIC.bind({"idf": False})], model_pool)
    assert found.per_sample is not None
    assert found.per_sample[[0, 1, 3], 0].tolist() == pytest.approx([0, -1, 1], abs=1e-6)
    assert np.isnan(found.per_sample[2, 0])
    assert found.scores[0].missing == 1
    (alone,) = score([Sample("1", ("кот",), ("дом",))], [METRIC.bind()], model_pool)
    assert alone.scores[0].value is not None
    assert alone.scores[0].value < 0.99


def test_long_texts_are_cut_and_layers_checked(model_pool: ModelPool) -> None:
    long = [Sample("1", ("word " * 9000,), ("other " * 9000,))]
    (found,) = score(long, [METRIC.bind({"max_tokens": 64})], model_pool)
    assert any("cut" in warning for warning in found.scores[0].warnings)
    with pytest.raises(InputError, match="layer 9"):
        METRIC.bind({"layer": 9}).measure([Item("a", ("b",))], model_pool)
