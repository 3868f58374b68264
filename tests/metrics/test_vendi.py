"""Vendi score against vendi-score, what leaving out takes, and the interval."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from vendi_score import vendi

from benchmarks.statistics_of_sources import p_values
from benchmarks.statistics_sources import Source, drawn_texts
from benchmarks.texts import news
from inference.pool import ModelPool
from inference.protocol import NoModels
from metrics.core.errors import TooManySamples
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Sample
from metrics.core.result import Result
from metrics.core.rows import Floats, Settled
from metrics.core.run import score
from metrics.statistics.intervals import jackknife
from metrics.statistics.weights import unit_keys
from metrics.vendi import METRIC
from tests.metrics.lexical_texts import CHINESE, ENGLISH, RUSSIAN

ORDERS = [1, 2, 0.5, 20]


def vectors(n: int, width: int, seed: int) -> Floats:
    """Directions with a spectrum, and a mean that half of them share."""
    draw = np.random.default_rng(seed)
    found = draw.normal(size=(n, width)) * np.arange(1, width + 1) ** -0.5
    shared = np.random.default_rng(0).normal(size=width)
    found += 0.4 * shared * (draw.random((n, 1)) < 0.5)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def settled(found: Floats, unit: Sequence[int] | None = None, **params: object) -> Settled:
    evidence = Evidence.of_rows(found)
    evidence = Evidence({"output": evidence.columns["row"]})
    return METRIC.bind(params).settle(
        evidence, np.arange(len(found)) if unit is None else np.array(unit)
    )


def value(rows: Floats) -> float:
    return float(METRIC.bind().reduce(rows.sum(0))[0])


def result(texts: Sequence[str], **params: object) -> Result:
    samples = [Sample(str(at), (text,)) for at, text in enumerate(texts)]
    return score(samples, [METRIC.bind({"similarity": "ngrams", **params})])[0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("n", "width"), [(10, 30), (30, 30), (90, 30), (230, 8)])
def test_values_are_those_of_vendi_score(n: int, width: int, order: float) -> None:
    """Of the likeness itself and of its dual, whichever is smaller. Eigenvalues are off by some
    roundings of the largest, 1e-15, whose square root is what the order 0.5 takes."""
    found = vectors(n, width, n)
    want = vendi.score_K(found @ found.T, q=order)
    assert value(settled(found, order=order).rows) == pytest.approx(want, rel=1e-5)
    if order >= 1:
        assert value(settled(found, order=order).rows) == pytest.approx(want, rel=1e-10)
        assert vendi.score_dual(found, q=order) == pytest.approx(want, rel=1e-10)


def cosines(texts: Sequence[list[str]], order: int) -> Any:
    """vendi-score's `ngram_vendi_score`, whose `.A` scipy has no more."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    found = []
    for n in range(1, order + 1):
        counts = CountVectorizer(tokenizer=str.split, ngram_range=(n, n), lowercase=False)
        unit = normalize(counts.fit_transform([" ".join(one) for one in texts]))
        found.append((unit @ unit.T).toarray())
    return np.mean(found, axis=0)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_ngrams_are_compared_as_there(order: int) -> None:
    texts = news(40, 3).outputs
    want = vendi.score_K(cosines([text.split() for text in texts], order))
    found = result(texts, tokenizer="whitespace", max_order=order).scores[0].value
    assert found == pytest.approx(want, rel=1e-10)


def test_texts_shorter_than_the_longest_ngrams_are_like_themselves() -> None:
    assert result(["да", "да", "да"]).scores[0].value == pytest.approx(1)
    assert result(["да", "нет", "yes", "no"]).scores[0].value == pytest.approx(4)
    half = result(["a b", "a c"], max_order=1).scores[0].value  # cosine 1/2: 3/4 and 1/4
    assert half == pytest.approx(np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25))))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(4))
def test_loss_is_what_leaving_out_loses(order: float, seed: int) -> None:
    """Of samples of one output and of several, in either form of the likeness."""
    n, width = [(12, 30), (40, 6)][seed % 2]
    draw, found = np.random.default_rng(seed), vectors(n, width, seed)
    grouped = draw.integers(0, 5, n) if seed > 1 else np.arange(n)
    unit = np.unique(grouped, return_inverse=True)[1]
    whole = settled(found, unit.tolist(), order=order)
    assert whole.loss is not None
    for one in range(int(unit.max()) + 1):
        rest = found[unit != one]
        left = METRIC.bind().reduce(whole.rows.sum(0) - whole.loss[one])
        assert left[0] == pytest.approx(vendi.score_K(rest @ rest.T, q=order), rel=1e-5)


@pytest.mark.parametrize(("n", "width"), [(230, 400), (300, 12)])
@pytest.mark.parametrize("order", [1, 0.5, 0.1, 1.5])
def test_of_many_samples_too(n: int, width: int, order: float) -> None:
    """Of single outputs, of several (copies, too), and of a sample with many."""
    found, metric = vectors(n, width, 5), METRIC.bind({"order": order})
    found[204] = found[205]
    found[206] = found[20]
    many = np.r_[np.arange(204), np.repeat(np.arange(5), 2), np.zeros(n - 214, int)]
    for unit in (np.arange(n), many):
        whole = settled(found, unit.tolist(), order=order)
        assert whole.loss is not None
        for one in (0, 1, 3, 20, 200):
            rest = found[unit != one]
            value_left = metric.reduce(whole.rows.sum(0) - whole.loss[one])[0]
            square = rest @ rest.T if len(rest) < width else rest.T @ rest
            values = np.linalg.eigvalsh(square / len(rest))
            want = np.exp(vendi.entropy_q(values[values > 1e-12], order))  # copies': rounding
            assert value_left == pytest.approx(want, rel=1e-6)


def test_of_many_samples_orders_above_are_to_first_order() -> None:
    found = vectors(300, 12, 5)
    for order in (2, 20):
        whole = settled(found, order=order)
        assert whole.loss is None
        without = METRIC.bind().reduce(whole.rows.sum(0) - whole.rows[:20])[:, 0]
        exact = [
            np.exp(vendi.entropy_q(np.linalg.eigvalsh(rest.T @ rest / 299), order))
            for rest in (np.delete(found, at, axis=0) for at in range(20))
        ]
        moved = without - value(whole.rows), np.array(exact) - value(whole.rows)
        assert np.abs(moved[0] - moved[1]).max() < 0.1 * np.abs(moved[1]).max()


def test_of_many_samples_the_least_orders_are_refused() -> None:
    with pytest.raises(TooManySamples, match="an order below"):
        settled(vectors(201, 8, 0), order=0.05)
    assert settled(vectors(200, 8, 0), order=0.05).loss is not None


def test_many_equal_systems_by_ngrams_are_rejected_as_often_as_asked() -> None:
    """To first order, 17 in 100 were."""
    metric, n = METRIC.bind({"similarity": "ngrams"}), 250
    source = Source("short texts", metric, drawn_texts(metric, 10))
    draw = np.random.default_rng(0)
    found = [p_values(source, *source.draw(draw, n), seed) for seed in range(60)]
    assert np.mean(np.array(found) <= 0.05) <= 0.1


@pytest.mark.parametrize(
    ("n", "width", "order"),
    [(20, 384, 1), (50, 384, 1), (50, 24, 2), (250, 24, 1), (210, 384, 0.5)],
)
def test_the_interval_covers(n: int, width: int, order: float) -> None:
    """Of the mean over sets of that size."""
    values, ends = [], []
    keys, bound = unit_keys([str(at) for at in range(n)]), METRIC.bind({"order": order})
    for seed in range(100):
        whole = settled(vectors(n, width, seed), order=order)
        limits = bound.bounds(whole.rows.sum(0))
        found = jackknife(
            whole.rows,
            keys,
            bound.reduce,
            loss=whole.loss,
            bounds=limits,
            shares=np.zeros(1, np.bool_),
        )
        values.append(value(whole.rows))
        ends.append((found.low[0], found.high[0]))
    low, high = np.array(ends).T
    truth = np.mean(values)
    assert np.mean((low <= truth) & (truth <= high)) >= 0.9
    assert np.mean(high - low) < 7 * np.std(values)


def test_the_interval_is_as_wide_as_sets_differ_and_ends_at_n() -> None:
    """Not between 1 and n, of which the value may be any: that was 15 standard deviations wide on
    either side."""
    some = news(400, 0).samples
    found = [
        result([one.outputs[0] for one in some[at : at + 20]]).scores[0] for at in range(0, 400, 20)
    ]
    values = np.array([one.value for one in found])
    ends = np.array([one.interval for one in found])
    assert np.mean((ends[:, 0] <= values.mean()) & (values.mean() <= ends[:, 1])) >= 0.8
    assert np.mean(ends[:, 1] - ends[:, 0]) < 7 * values.std()
    assert ends.max() <= 20
    assert {one.interval_method for one in found} == {"jackknife"}


@pytest.mark.parametrize(
    "texts",
    [
        ["東京は雨です。", "上海今天下雪。", "القاهرة مدينة كبيرة", "👍🏽🎉", "Кот спит"],
        ["مرحبا", "سلام", "😀", "漢字", "да"],
    ],
)
def test_any_script(texts: list[str], model_pool: ModelPool) -> None:
    """What has nothing in common is as many as it is; the encoder sees a difference, too."""
    apart = result(texts).scores[0]
    assert apart.value == pytest.approx(len(texts))
    twice = result(texts * 2).scores[0]
    assert twice.value == pytest.approx(len(texts))
    samples = [Sample(str(at), (text,)) for at, text in enumerate(texts)]
    (by_encoder,) = score(samples, [METRIC.bind()], model_pool)
    assert by_encoder.scores[0].value is not None
    assert 1.2 < by_encoder.scores[0].value <= len(texts)


def test_embeddings_are_the_encoders(model_pool: ModelPool) -> None:
    texts = [output for output, _ in ENGLISH + RUSSIAN + CHINESE if output.strip()]
    samples = [Sample(str(at), pair) for at, pair in enumerate(pairwise(texts))]
    (found,) = score(samples, [METRIC.bind()], model_pool)
    encoder = model_pool.encoder("builtin/minilm-l6")
    both = [text for one in pairwise(texts) for text in one]
    alone = [encoder.pooled(encoder.encode([text]))[0] for text in both]
    assert found.scores[0].value == pytest.approx(vendi.score_X(np.array(alone)), rel=1e-4)
    assert found.scores[0].signature.count(f"n:{len(alone)}") == 1


def test_what_has_no_value_says_so() -> None:
    """No model is run for blank texts; a single text is worth one."""
    alone = result(["один текст"]).scores[0]
    assert alone.value == pytest.approx(1)
    found = result(["кот", "", "...", "дождь"]).scores[0]
    assert found.value == pytest.approx(2)
    assert found.missing == 2
    assert any("no text" in warning for warning in found.warnings)
    assert result(["", "..."]).scores[0].value is None


def test_too_many_texts_are_refused_and_long_ones_are_not() -> None:
    with pytest.raises(TooManySamples, match="at most 4000"):
        METRIC.bind({"similarity": "ngrams"}).settle(
            METRIC.bind({"similarity": "ngrams"}).measure([Item("a")] * 4001, NoModels()),
            np.arange(4001),
        )
    assert result(["a " * 100_000, "b " * 100_000]).scores[0].value == pytest.approx(2)
