"""MAUVE against mauve-text on the same features and seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.errors import InputError
from inference.pool import ModelPool
from metrics.core.errors import TooFewSamples
from metrics.core.evidence import Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import Item, Sample
from metrics.mauve import METRIC, MauveParams
from tests.conftest import MINILM
from tests.known import known
from tests.rounding import assert_same

Features = NDArray[np.float32]
PLACES = ["the river", "a small town", "the old library", "the market", "the harbour"]
PEOPLE = ["A teacher", "The baker", "My neighbour", "An engineer", "The mayor", "A child"]
PEOPLE_RU = ["Учитель", "Пекарь", "Мой сосед", "Инженер", "Врач", "Ребёнок"]
PLACES_RU = ["у реки", "в городе", "в библиотеке", "на рынке", "в порту"]
DID, DID_RU = ["walked to", "remembered"], ["гулял", "работал"]
PARAMS = MauveParams()


def features(n: int, shift: float = 0.0, seed: int = 0) -> Features:
    """(n, 24) correlated normal vectors."""
    spread = np.linspace(2.0, 0.1, 24)
    noise = np.random.default_rng(seed).normal(size=(n, 24))
    return (noise * spread + shift).astype(np.float32)


def evidence(outputs: Features, references: Features) -> Evidence:
    """One output and one reference an item."""
    return Evidence.of_ragged({"references": list(references[:, None])}, {"output": outputs})


def value(sums: NDArray[np.float64], params: MauveParams) -> float:
    return float(METRIC.reduce(sums, params)[0])


def theirs(outputs: Features, references: Features, **options: Any) -> float:
    from mauve import compute_mauve

    return float(compute_mauve(p_features=references, q_features=outputs, **options).mauve)


@pytest.mark.parametrize(
    ("n", "shift", "params", "options"),
    [
        (200, 0.3, {}, {}),
        (300, 0.1, {"seed": 1}, {"seed": 1}),
        (100, 0.0, {"num_clusters": 7}, {"num_buckets": 7}),
        (60, 1.0, {"scaling_factor": 2.0}, {"mauve_scaling_factor": 2.0}),
        (80, 0.2, {"curve_points": 60}, {"divergence_curve_discretization_size": 60}),
        (
            90,
            0.2,
            {"explained_variance": 0.5, "kmeans_redo": 2, "kmeans_iterations": 3},
            {"kmeans_explained_var": 0.5, "kmeans_num_redo": 2, "kmeans_max_iter": 3},
        ),
        (25, 0.2, {}, {}),  # a half is rounded to even
    ],
)
def test_equals_mauve_text(
    n: int, shift: float, params: dict[str, Any], options: dict[str, Any]
) -> None:
    outputs, references = features(n, shift, 1), features(n, 0.0, 2)
    parsed = MauveParams(**params)
    settled = known(METRIC.settle)(evidence(outputs, references), np.arange(n), parsed)
    want = theirs(outputs, references, **options)
    assert value(settled.rows.sum(0), parsed) == pytest.approx(want, abs=1e-12)


def test_golden_value() -> None:
    """What mauve-text 0.4.0 gave, so that a change of both on an upgrade is seen."""
    settled = known(METRIC.settle)(
        evidence(features(200, 0.3, 1), features(200, 0.0, 2)), np.arange(200), MauveParams()
    )
    assert value(settled.rows.sum(0), MauveParams()) == pytest.approx(0.91031039962988, abs=1e-9)


def test_unequal_sides_and_references_counted_once() -> None:
    """Three outputs a sample: 150 outputs, and each sample's two references once: 100."""
    outputs, references = features(150, 0.2, 3), features(100, 0.0, 4)
    unit = np.repeat(np.arange(50), 3)
    own = [references[2 * sample : 2 * sample + 2] for sample in unit]
    settled = known(METRIC.settle)(
        Evidence.of_ragged({"references": own}, {"output": outputs}), unit, MauveParams()
    )
    assert settled.rows.shape == (50, 20)
    np.testing.assert_array_equal(settled.rows.sum(1), 5.0)
    assert value(settled.rows.sum(0), MauveParams()) == pytest.approx(
        theirs(outputs, references), abs=1e-12
    )
    assert settled.signature == {"n": "100/150", "clusters": "10"}
    assert "n = 100 references and 150 outputs" in settled.warnings[0]


def test_variance_is_that_of_mauve_text_over_seeds() -> None:
    outputs, references = features(120, 0.3, 5), features(120, 0.0, 6)
    params = MauveParams(seed=3, num_seeds=4)
    settled = known(METRIC.settle)(evidence(outputs, references), np.arange(120), params)
    want = np.var([theirs(outputs, references, seed=seed) for seed in range(3, 7)], ddof=1)
    assert settled.variance is not None
    np.testing.assert_allclose(settled.variance, [want], rtol=1e-9)
    assert settled.freedom == 3
    alone = known(METRIC.settle)(
        evidence(outputs, references), np.arange(120), MauveParams(num_seeds=1)
    )
    assert alone.variance is None
    assert alone.freedom is None
    assert alone.shared is None


def test_shared_is_the_variance_over_seeds_of_what_each_sample_adds() -> None:
    outputs, references = features(60, 0.3, 5), features(60, 0.0, 6)
    rows = [
        known(METRIC.settle)(
            evidence(outputs, references), np.arange(60), MauveParams(seed=seed, num_seeds=1)
        ).rows
        for seed in range(3, 7)
    ]
    without = np.array([METRIC.reduce(one.sum(0) - one, PARAMS)[:, 0] for one in rows])  # (4, 60)
    centred = without - without.mean(1, keepdims=True)
    settled = known(METRIC.settle)(
        evidence(outputs, references), np.arange(60), MauveParams(seed=3, num_seeds=4)
    )
    want = centred.var(0, ddof=1).sum() * 59 / 60
    np.testing.assert_allclose(known(settled.shared), [want], rtol=1e-9)
    whole = Evidence.of_ragged({"references": [references] * 60}, {"output": outputs})
    alone = known(METRIC.settle)(whole, np.zeros(60, np.int64), MauveParams())
    assert known(alone.shared).tolist() == [0]  # one sample: nothing to leave out


def test_reduce_is_vectorised_and_symmetric() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (2, 5, 12)).astype(np.float64)
    counts[..., 0] += 1  # no side is empty
    counts[..., 6] += 1
    found = METRIC.reduce(counts, MauveParams())
    assert found.shape == (2, 5, 1)
    for index in np.ndindex(2, 5):
        assert found[index] == pytest.approx(METRIC.reduce(counts[index], PARAMS), abs=1e-14)
    swapped = np.concatenate([counts[..., 6:], counts[..., :6]], axis=-1)
    np.testing.assert_allclose(METRIC.reduce(swapped, MauveParams()), found, atol=1e-14)


def test_extremes() -> None:
    same = np.array([3.0, 4, 5, 0, 6, 8, 10, 0])
    assert value(same, MauveParams()) == pytest.approx(1.0, abs=1e-12)
    assert value(np.array([7.0, 0, 0, 7.0]), MauveParams()) == pytest.approx(
        0.00407209626, abs=1e-10
    )  # nothing in common
    assert np.isnan(value(np.zeros(4), MauveParams()))


def test_rows_support_leaving_a_unit_out() -> None:
    """total - row is the histogram pair without that sample, clustering unchanged."""
    n = 60
    settled = known(METRIC.settle)(
        evidence(features(n, 0.5), features(n, 0, 1)), np.arange(n), PARAMS
    )
    total = settled.rows.sum(0)
    without = METRIC.reduce(total - settled.rows, PARAMS)
    assert without.shape == (n, 1)
    rest = np.delete(settled.rows, 7, axis=0).sum(0)
    assert without[7, 0] == pytest.approx(value(rest, PARAMS), abs=1e-14)


@pytest.mark.parametrize(
    ("n", "params", "least"), [(19, {}, "20"), (30, {"num_clusters": 31}, "31")]
)
def test_too_few_is_a_message_not_a_number(n: int, params: dict[str, Any], least: str) -> None:
    with pytest.raises(TooFewSamples, match=f"at least {least} outputs.*there are {n} and {n}"):
        known(METRIC.settle)(
            evidence(features(n), features(n, 1.0, 1)), np.arange(n), MauveParams(**params)
        )


def test_too_few_distinct_texts() -> None:
    same = np.ones((40, 24), np.float32)
    with pytest.raises(TooFewSamples, match="only 1 distinct"):
        known(METRIC.settle)(evidence(same, same), np.arange(40), MauveParams())


def test_bad_params() -> None:
    with pytest.raises(InputError, match="num_clusters"):
        METRIC.bind({"num_clusters": 1})
    with pytest.raises(InputError, match="explained_variance"):
        METRIC.bind({"explained_variance": 1.0})


def test_end_to_end_on_english_and_russian(model_pool: ModelPool) -> None:
    """Texts to value: the features are the encoder's, and a system that repeats itself loses."""
    english = [f"{who} {did} {where}." for who in PEOPLE for did in DID for where in PLACES]
    russian = [
        f"{who} {did} {where}." for who in PEOPLE_RU for did in DID_RU for where in PLACES_RU
    ]
    texts = english + russian
    order = np.random.default_rng(0).permutation(len(texts))
    references, good = [texts[i] for i in order[:60]], [texts[i] for i in order[60:]]
    dull = [text if i % 10 == 0 else "A child slept." for i, text in enumerate(good)]
    values = {}
    for name, outputs in {"good": good, "dull": dull}.items():
        samples = [
            Sample(str(i), (output,), (reference,))
            for i, (output, reference) in enumerate(zip(outputs, references, strict=True))
        ]
        items, unit = items_of(samples)
        found = measure(METRIC.bind(PARAMS), items, model_pool)
        settled = known(METRIC.settle)(found, unit, PARAMS)
        values[name] = value(settled.rows.sum(0), PARAMS)
        encoder = model_pool.encoder(MINILM)
        alone = [encoder.pooled([ids])[0] for ids in encoder.encode(outputs)]
        assert_same(found["output"], np.stack(alone))
        ours, held = (found[column].astype(np.float32) for column in ("output", "references"))
        assert values[name] == pytest.approx(theirs(ours, held), abs=1e-12)
    assert values["dull"] < values["good"] - 0.2


def test_blank_texts_are_kept_and_flagged(model_pool: ModelPool) -> None:
    items = [Item("", ("текст", "other")), Item("a", ("b",)), Item("c", (" \n",))]
    found = measure(METRIC.bind(PARAMS), items, model_pool)
    assert found["flag"].tolist() == [1, 0, 1]
    assert found.lengths("references").tolist() == [2, 1, 1]
    assert np.isfinite(found["output"]).all()
    assert METRIC.flags[1].missing is False


def test_last_token_pooling(model_pool: ModelPool) -> None:
    metric = METRIC.bind({"pooling": "last"})
    found = measure(metric, [Item("a longer text", ("текст",)), Item("b", ("c",))], model_pool)
    encoder = model_pool.encoder(MINILM)
    want = [encoder.hidden([ids], 6)[0][-1] for ids in encoder.encode(["a longer text", "b"])]
    assert_same(found["output"], np.stack(want))
