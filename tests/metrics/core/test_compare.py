"""Comparing results: from stored replicates or rows, and refusing what must not be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import scipy.stats

from metrics.core.compare import Grouping, Side, compare, compare_many
from metrics.core.compare import Testing as How
from metrics.core.measure import items_of, measure
from metrics.core.metric import Metric, Sample
from metrics.core.packing import pack, unpack
from metrics.core.result import Result, conclude
from metrics.core.signature import parts
from metrics.statistics.paired import Difference
from tests.known import known
from tests.metrics.core.toy import KINDS, MODELS, WORDS, WordsParams

IDS = [f"пример {i}" for i in range(60)]


def texts(seed: int, more: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["w " * (5 + int(k) + more) for k in rng.integers(0, 6, 60)]


def result(
    outputs: Sequence[str],
    ids: Sequence[str] = IDS,
    metric: Metric[WordsParams] = WORDS,
    params: Mapping[str, object] | None = None,
) -> Result:
    samples = [Sample(one, (text,)) for one, text in zip(ids, outputs, strict=True)]
    items, unit = items_of(samples)
    bound = metric.bind(params)
    evidence = measure(bound, items, MODELS)
    return conclude(bound, evidence, unit, ids, parts(bound, MODELS))


def test_stored_replicates_and_rows_agree() -> None:
    a, b = unpack(pack(result(texts(0)))), unpack(pack(result(texts(1))))
    (stored,) = compare(WORDS.bind(), a, IDS, b, IDS)
    (fresh,) = compare(WORDS.bind(), replace(a, replicates=None), IDS, b, IDS)
    assert stored == fresh
    assert stored.name == "words"
    values = known(a.scores[0].value), known(b.scores[0].value)
    assert known(stored.difference).value == pytest.approx(values[0] - values[1])
    assert (stored.a, stored.b) == values
    assert known(stored.difference).units == 60
    assert known(stored.difference).p_value > 0.05
    (fewer,) = compare(WORDS.bind(), a, IDS, b, IDS, How(replicates=200))
    assert known(fewer.difference).p_value == pytest.approx(
        known(stored.difference).p_value, abs=0.12
    )


def test_a_real_difference_is_found_by_every_test() -> None:
    a, b = result(texts(0, more=2)), result(texts(1))
    for testing in (
        How(),
        How(recipe="sacrebleu"),
        How(test="approximate_randomization"),
        How(level=0.99),
    ):
        (found,) = compare(WORDS.bind(), a, IDS, b, IDS, testing)
        difference = known(found.difference)
        assert difference.p_value < 0.01
        assert 0 < known(difference.interval)[0] < difference.value
        assert difference.level == (testing.level or 0.95)


def test_units_are_matched_by_id_not_by_place() -> None:
    a, outputs = result(texts(0)), texts(1)
    order = np.random.default_rng(2).permutation(60)
    moved_ids = [IDS[i] for i in order]
    moved = result([outputs[i] for i in order], moved_ids)
    assert compare(WORDS.bind(), a, IDS, moved, moved_ids) == compare(
        WORDS.bind(), a, IDS, result(outputs), IDS
    )


def test_only_units_that_count_in_both_are_compared() -> None:
    left, right = texts(0), texts(1)
    left[3], right[5] = "", ""
    a, b = result(left), result(right[:50], IDS[:50])
    (found,) = compare(WORDS.bind(), a, IDS, b, IDS[:50])
    kept = [i for i in range(50) if i not in (3, 5)]
    (want,) = compare(
        WORDS.bind(),
        result([left[i] for i in kept], [IDS[i] for i in kept]),
        [IDS[i] for i in kept],
        result([right[i] for i in kept], [IDS[i] for i in kept]),
        [IDS[i] for i in kept],
    )
    assert found == replace(want, only_a=11, only_b=1)
    assert known(found.difference).units == found.n == 48


def test_refusals() -> None:
    a, b = result(texts(0)), result(texts(1))
    other = result(texts(1), params={"lower": True})
    (found,) = compare(WORDS.bind(), a, IDS, other, IDS)
    assert known(found.error).endswith("cannot be compared: lower: false / true")
    assert (found.a, found.b, found.difference) == (None, None, None)
    strangers = [f"other {i}" for i in range(60)]
    (found,) = compare(WORDS.bind(), a, IDS, b, strangers)
    assert found.error == "no unit counts in both"
    (found,) = compare(WORDS.bind(), a, IDS, result([], []), [])
    assert (found.error, found.only_a) == ("no value: there is nothing to measure", 60)
    nothing = result([""] * 60)
    (found,) = compare(WORDS.bind(), a, IDS, nothing, IDS)
    assert found.error == "no value: 60 of 60 outputs: empty output"


def test_metrics_of_the_whole_set_are_compared_by_the_jackknife() -> None:
    fixed = replace(KINDS, settle=lambda *given: replace(known(KINDS.settle)(*given), signature={}))
    a, b = result(texts(0), metric=fixed), result(["w"] * 60, metric=fixed)
    (found,) = compare(fixed.bind(), a, IDS, b, IDS, How(test="approximate_randomization"))
    assert known(found.difference).test == "paired_jackknife"
    assert known(found.difference).value == pytest.approx(known(a.scores[0].value) - 1 / 60)
    assert known(found.difference).error >= np.sqrt(2e-6)  # both results' own variance
    (refused,) = compare(fixed.bind(), a, IDS, result(["w"] * 59, IDS[:59], fixed), IDS[:59])
    assert refused.error == "kinds depends on the whole set, and the sets differ"


def test_many_are_what_pairs_are() -> None:
    """Whole, with gaps, by clusters, over a slice, under every test: pair by pair the same."""
    sides = []
    for seed in range(5):
        outputs = texts(seed, more=seed // 3)
        if seed > 2:
            outputs[seed] = outputs[7] = ""
        sides.append(Side(replace(result(outputs), seed=seed // 4), IDS))
    pairs = list(combinations(range(5), 2))
    grouping = Grouping("text", {one: str(at // 6) for at, one in enumerate(IDS)})
    for testing in (How(), How(test="approximate_randomization", trials=500), How(test="t")):
        for cluster, chosen in ((None, None), (grouping, None), (None, set(IDS[:40]))):
            test = partial(
                compare_many, WORDS.bind(), testing=testing, grouping=cluster, chosen=chosen
            )
            found = test(sides, pairs)
            for (a, b), (one,) in zip(pairs, found, strict=True):
                both = [sides[a], sides[b]]
                (same,) = test(both, [(0, 1)])[0]
                assert replace(one, difference=None) == replace(same, difference=None)
                assert close(known(one.difference), known(same.difference))
                (turned,) = test(both, [(1, 0)])[0]
                assert known(turned.difference).p_value == known(same.difference).p_value
                assert (turned.wins, turned.only_a) == (same.losses, same.only_b)


def close(a: Difference, b: Difference) -> bool:
    """Equal up to rounding: products of matrices add up in other orders."""
    numbers = [[one.value, one.error, one.p_value, *known(one.interval)] for one in (a, b)]
    return numbers[0] == pytest.approx(numbers[1], rel=1e-9) and a.test == b.test


def test_wins_are_of_the_better_direction() -> None:
    a, b = result(["w w", "w", "w"], IDS[:3]), result(["w", "w", "w w w"], IDS[:3])
    (found,) = compare(WORDS.bind(), a, IDS[:3], b, IDS[:3])
    better = WORDS.bind().scores[0].higher_is_better
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)
    (one,) = compare(WORDS.bind(), a, IDS[:1], b, IDS[:1])
    assert (one.wins, one.losses) == ((1, 0) if better else (0, 1))


def test_enough_draws_for_a_correction_or_a_tail() -> None:
    """No correction is kept from passing by the number of draws, and the result says how."""
    a, b = result(texts(0, more=4)), result(texts(1))
    for test in ("paired_bootstrap", "approximate_randomization"):
        methods = []
        for tests in (1, 100, 10**6):
            (found,) = compare(WORDS.bind(), a, IDS, b, IDS, How(test=test, tests=tests))
            assert known(found.difference).p_value * tests < 0.05
            methods.append(known(found.difference).p_method)
        few = "counted" if test == "approximate_randomization" else "t"
        assert methods == ["counted", few, "t"]
    (tail,) = compare(WORDS.bind(), a, IDS, b, IDS, How(test=test, tests=10**6))
    gaps = known(a.per_sample)[:, 0] - known(b.per_sample)[:, 0]
    want = scipy.stats.ttest_1samp(gaps, 0).pvalue
    assert known(tail.difference).p_value == pytest.approx(want, rel=0.3)
