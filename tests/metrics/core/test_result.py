"""Results: what is missing, what a slice is, and that stored bytes give the same again."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from inference.errors import Cancelled, InputError
from metrics import find
from metrics.core.errors import TooFewSamples
from metrics.core.evidence import Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import Metric, Sample
from metrics.core.packing import pack, unpack
from metrics.core.result import Result, conclude, failed
from metrics.core.rows import Floats, Ints, Settled
from metrics.core.settling import restrict
from metrics.core.signature import parts
from metrics.statistics.quantiles import t_quantile
from tests.known import known
from tests.metrics.core.toy import KINDS, MODELS, WORDS, WordsParams

TEXTS = [("один", "два слова"), ("", "a b c d"), ("",), ("ЕЩЁ РАЗ", "one"), ("x y z",)]


def result(
    outputs: Sequence[tuple[str, ...]] = TEXTS,
    metric: Metric[WordsParams] = WORDS,
    **options: Any,
) -> Result:
    samples = [Sample(f"s{i}", texts) for i, texts in enumerate(outputs)]
    items, unit = items_of(samples)
    bound = metric.bind()
    evidence = measure(bound, items, MODELS)
    ids = [sample.id for sample in samples]
    return conclude(bound, evidence, unit, ids, parts(bound, MODELS), **options)


def test_a_unit_is_averaged_over_what_was_measured() -> None:
    found = result()
    (score,) = found.scores
    assert found.settled.rows.tolist() == [[1.5, 1], [4, 1], [0, 0], [1.5, 1], [3, 1]]
    assert score.value == pytest.approx((1.5 + 4 + 1.5 + 3) / 4)
    assert (score.n, score.missing) == (4, 1)
    assert found.missing.tolist() == [False, False, True, False, False]
    np.testing.assert_array_equal(known(found.per_sample)[:, 0], [1.5, 4, np.nan, 1.5, 3])
    assert score.warnings[:2] == (
        "2 of 8 outputs: empty output",
        "1 of 8 outputs: shouting",
    )
    low, high = known(score.interval)
    assert low <= known(score.value) <= high
    assert score.error is None
    assert score.signature.startswith("words|version:1|lower:false")
    assert (score.interval_method, score.level) == ("bootstrap", 0.95)


def test_missing_units_at_either_end_keep_their_place() -> None:
    found = result([("",), ("a",), ("",), ("b b",), ("",)])
    assert found.settled.rows[:, 0].tolist() == [0, 1, 0, 2, 0]
    assert found.missing.tolist() == [True, False, True, False, True]
    assert found.scores[0].value == 1.5
    no_outputs = result([(), ("a",), ()])
    assert no_outputs.missing.tolist() == [True, False, True]


def test_what_is_missing_does_not_move_the_interval() -> None:
    """The same as over the measured units alone: weights follow the id, not the place."""
    texts = [(" ".join("w" * (1 + i % 7)),) for i in range(60)]
    holes = [("",) if i % 5 == 0 else text for i, text in enumerate(texts)]
    with_holes = result(holes)
    chosen = np.flatnonzero(~with_holes.missing)
    samples = [Sample(f"s{i}", texts[i]) for i in chosen]
    items, unit = items_of(samples)
    alone = conclude(
        WORDS.bind(),
        measure(WORDS.bind(), items, MODELS),
        unit,
        [s.id for s in samples],
        {"name": "words"},
    )
    assert with_holes.scores[0].interval == alone.scores[0].interval
    assert np.array_equal(known(with_holes.replicates), known(alone.replicates))


def test_nothing_measured_is_no_value_with_a_reason() -> None:
    for found in (result([("",), ("", "")]), result([(), ()])):
        (score,) = found.scores
        assert score.value is None
        assert score.interval is None
        assert (score.n, score.missing) == (0, 2)
        assert found.missing.all()
    assert result([("",), ("", "")]).scores[0].error == "no value: 3 of 3 outputs: empty output"
    assert result([(), ()]).scores[0].error == "no value: there is nothing to measure"


def test_rows_that_are_not_finite_count_as_missing() -> None:
    def settle(evidence: Evidence, unit: Ints, params: WordsParams) -> Settled:
        rows = evidence["row"].astype(float)
        rows[1, 0], rows[3, 0] = np.nan, np.inf
        return Settled(rows)

    found = result(
        [("",), ("a",), ("b b",), ("c c c",), ("d",)], replace(WORDS, pooling=None, settle=settle)
    )
    (score,) = found.scores
    assert score.value == 2.0
    assert (score.n, score.missing) == (2, 3)
    assert np.isfinite(found.settled.rows).all()
    assert "2 units: not a finite number, left out" in score.warnings
    assert found.missing.tolist() == [True, False, True, False, True]


def test_a_value_that_is_not_finite_is_none() -> None:
    def overflow(sums: Floats, params: WordsParams) -> Floats:
        return np.where(sums[..., :1] > 0, np.inf, 0.0)

    (score,) = result([("a",), ("b",)], replace(WORDS, reduce=overflow)).scores
    assert (score.value, score.interval) == (None, None)
    assert score.error == "not defined for these samples (the sums reduce to inf)"


def test_a_metric_that_fails_to_settle_fails_alone() -> None:
    def settle(evidence: Evidence, unit: Ints, params: WordsParams) -> Settled:
        raise TooFewSamples("2 texts are too few to cluster")

    found = result([("a",), ("b",)], replace(WORDS, pooling=None, settle=settle))
    (score,) = found.scores
    assert (score.value, score.error) == (None, "2 texts are too few to cluster")
    assert found.per_sample is None

    def stop(evidence: Evidence, unit: Ints, params: WordsParams) -> Settled:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        result([("a",)], replace(WORDS, pooling=None, settle=stop))


def test_mistakes_of_a_declaration_are_not_hidden() -> None:
    with pytest.raises(ValueError, match="flag 1 is not declared"):
        result(TEXTS, replace(WORDS, flags={}))
    short = replace(
        WORDS, pooling=None, settle=lambda evidence, unit, params: Settled(np.ones((1, 2)))
    )
    with pytest.raises(ValueError, match="1 rows for 2 units"):
        result([("a",), ("b",)], short)
    with pytest.raises(ValueError, match="evidence of 1 outputs for 2"):
        conclude(WORDS.bind(), Evidence.of_rows(np.ones((1, 2))), np.arange(2), ["a", "b"], {})


def test_set_level_metrics_have_a_jackknife_and_no_rows_of_samples() -> None:
    found = result([("a",), ("b b",), ("c",), ("",), ("d d d",)], KINDS)
    (score,) = found.scores
    assert score.value == 0.75
    assert (score.n, score.missing) == (4, 1)
    assert score.interval_method == "jackknife_wilson"
    low, high = known(score.interval)
    assert 0 <= low < 0.75 < high <= 1
    assert found.per_sample is None
    assert found.replicates is None
    assert score.signature.endswith("|kinds:3")
    assert "few kinds" in score.warnings
    loss = known(found.settled.loss)
    assert loss.shape == (5, 2)
    assert loss[3].tolist() == [0, 0]
    # by hand: without each unit 3/3, 2/3, 3/3, 2/3; its variance 1/12, half of (1/6)² for the
    # largest part, 0.05 / 4² for the unseen, 1e-6 of its own; Wilson's for the n that gives it
    (half,) = result([("a",), ("b b",), ("c",), ("",), ("d d d",)], KINDS, level=0.5).scores
    z2 = t_quantile(0.75, 3) ** 2 * (1 / 12 + 1 / 72 + 0.05 / 16 + 1e-6) / (0.75 * 0.25)
    upper = (0.75 + z2 / 2 + (0.75 * 0.25 * z2 + z2**2 / 4) ** 0.5) / (1 + z2)
    assert known(half.interval)[1] == pytest.approx(upper, rel=1e-9)


def test_one_unit_has_a_value_and_no_interval() -> None:
    for metric in (WORDS, KINDS):
        (score,) = result([("a b c",)], metric).scores
        assert score.value is not None
        assert score.interval is None
        assert "a single unit allows no interval" in score.warnings


def test_a_slice_is_the_set_of_its_units() -> None:
    samples = [Sample(f"s{i}", texts) for i, texts in enumerate(TEXTS)]
    items, unit = items_of(samples)
    evidence = measure(WORDS.bind(), items, MODELS)
    for chosen in ([3, 0], [4], [2], []):
        cut, of_cut = restrict(evidence, unit, np.array(chosen, np.int64))
        assert of_cut.tolist() == sorted(of_cut.tolist())  # outputs of a unit stay together
        ids = [f"s{i}" for i in chosen]
        found = conclude(WORDS.bind(), cut, of_cut, ids, {"name": "words"})
        alone_items, alone_unit = items_of([samples[i] for i in chosen])
        alone = conclude(
            WORDS.bind(),
            measure(WORDS.bind(), alone_items, MODELS),
            alone_unit,
            ids,
            {"name": "words"},
        )
        assert found.scores == alone.scores
        assert np.array_equal(found.missing, alone.missing)


def test_packed_verdicts_come_back_exactly() -> None:
    few = replace(result().settled, variance=np.ones(1), freedom=4, shared=np.zeros(1))
    for original in (
        result(),
        replace(result(), settled=few),
        result([("a",), ("b b",), ("",)], KINDS),
        result([("",)]),
        result([(f"x {'y ' * (i % 9)}",) for i in range(300)], seed=7, replicates=200),
    ):
        back = unpack(pack(original))
        assert back.scores == original.scores
        assert back.seed == original.seed
        assert back.settled.signature == dict(original.settled.signature)
        assert back.settled.warnings == original.settled.warnings
        assert back.settled.freedom == original.settled.freedom
        for a, b in (
            (back.settled.rows, original.settled.rows),
            (back.settled.loss, original.settled.loss),
            (back.settled.variance, original.settled.variance),
            (back.settled.shared, original.settled.shared),
            (back.per_sample, original.per_sample),
            (back.replicates, original.replicates),
            (back.missing, original.missing),
        ):
            assert (a is None) == (b is None)
            if a is not None and b is not None:
                assert a.shape == b.shape
                assert a.tobytes() == np.ascontiguousarray(b).tobytes()  # NaN included


def test_a_variance_without_degrees_of_freedom_is_refused() -> None:
    one = result()
    with pytest.raises(ValueError, match="freedom"):
        unpack(pack(replace(one, settled=replace(one.settled, freedom=0))))


def test_failed_verdicts_can_be_packed() -> None:
    found = failed(WORDS.bind(), ["a", "b"], {"name": "words"}, "no such model")
    assert unpack(pack(found)).scores[0].error == "no such model"
    assert found.scores[0].missing == 2


REFERENCES = ["кошка сидит на тёплом ковре", "the quick brown fox jumps over the lazy dog"] * 40
OUTPUTS = ["кошка лежит на тёплом ковре", "a quick brown fox jumped over the lazy dog"] * 40


def test_bleu_is_sacrebleus_whatever_the_order() -> None:
    metric = find("bleu").bind()

    def concluded(order: Iterable[int]) -> Result:
        samples = [Sample(str(i), (OUTPUTS[i],), (REFERENCES[i],)) for i in order]
        items, unit = items_of(samples)
        evidence = measure(metric, items, MODELS)
        found = parts(metric, MODELS)
        return conclude(metric, evidence, unit, [s.id for s in samples], found)

    order = np.random.default_rng(0).permutation(80)
    plain, moved = concluded(range(80)), concluded(order)
    want = BLEU().corpus_score(OUTPUTS, [REFERENCES]).score
    assert plain.scores[0].value == pytest.approx(want, abs=1e-12)
    assert plain.scores == moved.scores  # integer rows: to the bit
    assert np.array_equal(known(plain.replicates), known(moved.replicates))
    assert np.array_equal(known(plain.per_sample)[order], known(moved.per_sample))


def test_a_large_set_is_concluded_in_seconds() -> None:
    n = 100_000
    rows = np.random.default_rng(0).integers(1, 9, (n, 2))
    metric = replace(WORDS, pooling="pool")
    ids = [f"unit {i}" for i in range(n)]
    began = time.perf_counter()
    found = conclude(metric.bind(), Evidence.of_rows(rows), np.arange(n), ids, {"name": "words"})
    assert time.perf_counter() - began < 12  # 0.6 s on an idle core
    low, high = known(found.scores[0].interval)
    assert 0 < high - low < 0.02
    assert len(pack(found)) < 20 * n


def test_input_errors_name_the_field() -> None:
    error = InputError("k is larger than n", "params.k")
    assert (error.message, error.field, error.code) == (
        "k is larger than n",
        "params.k",
        "invalid_input",
    )
