"""Comparing verdicts: from stored replicates or rows, and refusing what must not be compared."""

from dataclasses import replace

import numpy as np
import pytest

from metrics.evidence.comparing import Testing as How
from metrics.evidence.comparing import compare
from metrics.evidence.declaration import Sample
from metrics.evidence.measuring import items_of, measure
from metrics.evidence.packing import pack, unpack
from metrics.evidence.signature import parts
from metrics.evidence.verdict import conclude
from tests.metrics.evidence.toy import KINDS, MODELS, WORDS, WordsParams

PARAMS = WordsParams()
IDS = [f"пример {i}" for i in range(60)]


def texts(seed: int, more: int = 0):
    rng = np.random.default_rng(seed)
    return ["w " * (5 + int(k) + more) for k in rng.integers(0, 6, 60)]


def verdict(outputs, ids=IDS, metric=WORDS, params=PARAMS, **options):
    samples = [Sample(one, (text,)) for one, text in zip(ids, outputs, strict=True)]
    items, unit = items_of(samples)
    evidence = measure(metric, params, items, MODELS)
    return conclude(metric, params, evidence, unit, ids, parts(metric, params, MODELS), **options)


def test_stored_replicates_and_rows_agree() -> None:
    a, b = unpack(pack(verdict(texts(0)))), unpack(pack(verdict(texts(1))))
    (stored,) = compare(WORDS, PARAMS, a, IDS, b, IDS)
    (fresh,) = compare(WORDS, PARAMS, replace(a, replicates=None), IDS, b, IDS)
    assert stored == fresh
    assert stored.name == "words"
    assert stored.difference.value == pytest.approx(a.scores[0].value - b.scores[0].value)
    assert (stored.a, stored.b) == (a.scores[0].value, b.scores[0].value)
    assert stored.difference.units == 60
    assert stored.difference.p_value > 0.05
    (fewer,) = compare(WORDS, PARAMS, a, IDS, b, IDS, How(replicates=200))
    assert fewer.difference.p_value == pytest.approx(stored.difference.p_value, abs=0.12)


def test_a_real_difference_is_found_by_every_test() -> None:
    a, b = verdict(texts(0, more=2)), verdict(texts(1))
    for testing in (
        How(),
        How(recipe="sacrebleu"),
        How(test="approximate_randomization"),
        How(level=0.99),
    ):
        (found,) = compare(WORDS, PARAMS, a, IDS, b, IDS, testing)
        assert found.difference.p_value < 0.01
        assert 0 < found.difference.interval[0] < found.difference.value
        assert found.difference.level == testing.level


def test_units_are_matched_by_id_not_by_place() -> None:
    a, outputs = verdict(texts(0)), texts(1)
    order = np.random.default_rng(2).permutation(60)
    moved_ids = [IDS[i] for i in order]
    moved = verdict([outputs[i] for i in order], moved_ids)
    assert compare(WORDS, PARAMS, a, IDS, moved, moved_ids) == compare(
        WORDS, PARAMS, a, IDS, verdict(outputs), IDS
    )


def test_only_units_that_count_in_both_are_compared() -> None:
    left, right = texts(0), texts(1)
    left[3], right[5] = "", ""
    a, b = verdict(left), verdict(right[:50], IDS[:50])
    (found,) = compare(WORDS, PARAMS, a, IDS, b, IDS[:50])
    kept = [i for i in range(50) if i not in (3, 5)]
    (want,) = compare(
        WORDS,
        PARAMS,
        verdict([left[i] for i in kept], [IDS[i] for i in kept]),
        [IDS[i] for i in kept],
        verdict([right[i] for i in kept], [IDS[i] for i in kept]),
        [IDS[i] for i in kept],
    )
    assert found == want
    assert found.difference.units == 48


def test_refusals() -> None:
    a, b = verdict(texts(0)), verdict(texts(1))
    other = verdict(texts(1), params=WordsParams(lower=True))
    (found,) = compare(WORDS, PARAMS, a, IDS, other, IDS)
    assert found.error == "signatures differ: lower: false / true"
    assert (found.a, found.b, found.difference) == (None, None, None)
    strangers = [f"other {i}" for i in range(60)]
    (found,) = compare(WORDS, PARAMS, a, IDS, b, strangers)
    assert found.error == "no unit counts in both"
    nothing = verdict([""] * 60)
    (found,) = compare(WORDS, PARAMS, a, IDS, nothing, IDS)
    assert found.error == "no value: 60 of 60 outputs: empty output"


def test_metrics_of_the_whole_set_are_compared_by_the_jackknife() -> None:
    fixed = replace(KINDS, settle=lambda *given: replace(KINDS.settle(*given), signature={}))
    a, b = verdict(texts(0), metric=fixed), verdict(["w"] * 60, metric=fixed)
    (found,) = compare(fixed, PARAMS, a, IDS, b, IDS, How(test="approximate_randomization"))
    assert found.difference.test == "paired_jackknife"
    assert found.difference.value == pytest.approx(a.scores[0].value - 1 / 60)
    assert found.difference.error >= np.sqrt(2e-6)  # both verdicts' own variance
    (refused,) = compare(fixed, PARAMS, a, IDS, verdict(["w"] * 59, IDS[:59], fixed), IDS[:59])
    assert refused.error == "kinds depends on the whole set, and the sets differ"
