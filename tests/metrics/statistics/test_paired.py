"""Paired tests: sizes and powers by simulation, agreement with sacrebleu, symmetries, ties."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest, Result

from metrics.statistics.influence import Reduce
from metrics.statistics.paired import (
    Difference,
    approximate_randomization,
    from_replicates,
    paired_bootstrap,
)
from metrics.statistics.paired_jackknife import paired_jackknife
from metrics.statistics.resampling import evaluate, replicate
from metrics.statistics.weights import Floats
from tests.known import known
from tests.metrics.statistics.simulation import (
    Statistic,
    bleu,
    bleu_rows,
    each,
    keys,
    ratio,
    side_by_side,
)

Test = Callable[..., tuple[Difference, ...]]
TESTS: list[Test] = [paired_bootstrap, approximate_randomization, paired_jackknife]


def one(statistic: Statistic) -> Reduce:
    return lambda sums: statistic(sums)[..., None]


def with_ones(values: list[float] | NDArray[np.generic]) -> Floats:
    column = np.asarray(values, float)
    return np.stack([column, np.ones_like(column)], 1)


# Rejections of a true null at 5%. With 1,000 pairs of data sets the figure's error is 0.7 points.
SIMS, N = 1000, 100


def null_pairs(seed: int, shift: float = 0.0) -> list[Floats]:
    """Two systems of equal skill over common, unequally hard units: proportions."""
    rng = np.random.default_rng(seed)
    hard = rng.beta(2, 2, (SIMS, N))
    a, b = (rng.random((SIMS, N)) < hard * (1 - worse) for worse in (0.0, shift))
    ones = np.ones((SIMS, N))
    return [side_by_side(np.stack([hits, ones], 2).astype(float)) for hits in (a, b)]


def test_few_units_rest_on_students_t() -> None:
    """Replicates of six are too narrow: counts rejected 11%, and percentiles covered 89%."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(500):
        a, b = (with_ones(values) for values in rng.normal(size=(2, 6)))
        (one_pair,) = paired_bootstrap(a, b, keys(6), one(ratio), seed=seed, replicates=200)
        found.append(one_pair)
    assert {each.p_method for each in found} == {"t"}
    held = [known(each.interval)[0] <= 0 <= known(each.interval)[1] for each in found]
    assert 0.93 <= np.mean(held) <= 0.98
    assert 0.02 <= np.mean([each.p_value <= 0.05 for each in found]) <= 0.07


def rejections(found: Sequence[Difference]) -> float:
    return 100 * float(np.mean([one.p_value <= 0.05 for one in found]))


def test_size_of_the_paired_bootstrap() -> None:
    """The default recipe holds its level; the usual one, kept for comparability, does not."""
    a, b = null_pairs(1)
    assert 3 <= rejections(paired_bootstrap(a, b, keys(N), each(ratio, SIMS))) <= 6.5
    usual = paired_bootstrap(a, b, keys(N), each(ratio, SIMS), recipe="sacrebleu")
    assert rejections(usual) > 9


def test_size_of_approximate_randomization() -> None:
    """Near 5% where values are continuous; at most that where ties make the test conservative."""

    def size(a: Floats, b: Floats) -> float:
        reduce = each(ratio, SIMS)
        return rejections(
            approximate_randomization(a, b, keys(N), reduce, trials=2000, replicates=50)
        )

    assert 1.5 <= size(*null_pairs(2)) <= 5.5
    values = np.random.default_rng(2).gamma(2.0, size=(2, SIMS, N, 1))
    a, b = (side_by_side(np.concatenate([one, np.ones_like(one)], 2)) for one in values)
    assert 3 <= size(a, b) <= 7


def test_size_of_the_paired_jackknife() -> None:
    sims = 300
    rng = np.random.default_rng(3)
    hard = rng.beta(2, 2, (sims, N))
    rows = (rng.random((2, sims, N)) < hard).astype(float)
    found = [
        paired_jackknife(with_ones(a), with_ones(b), keys(N), one(ratio))[0]
        for a, b in zip(*rows, strict=True)
    ]
    assert 2 <= rejections(found) <= 8.5


def test_size_for_bleu() -> None:
    rng = np.random.default_rng(4)
    sims, n = 500, 150
    skill = rng.normal(0, 0.08, (sims, n))
    a, b = (side_by_side(bleu_rows(rng, (sims, n), skill)) for _ in range(2))
    found = paired_bootstrap(a, b, keys(n), each(bleu, sims))
    assert 2.5 <= rejections(found) <= 8
    bounds = [known(x.interval) for x in found]
    inside = [low <= 0 <= high for low, high in bounds]
    assert 92 <= 100 * np.mean(inside) <= 97.5


def test_size_where_draws_do_not_suffice() -> None:
    """The tails that stand for counts: of the bootstrap and of approximate randomization."""
    a, b = null_pairs(6)
    many = 10**6
    bootstrap = paired_bootstrap(a, b, keys(N), each(ratio, SIMS), tests=many)
    assert {one.p_method for one in bootstrap} == {"t"}
    assert 3 <= rejections(bootstrap) <= 6.5
    swapped = approximate_randomization(
        a, b, keys(N), each(ratio, SIMS), trials=500, replicates=50, tests=many
    )
    assert {one.p_method for one in swapped} == {"t"}
    assert 3 <= rejections(swapped) <= 6.5


def test_power_and_pairing() -> None:
    """A real difference is found, and more often than two unpaired intervals would find it."""
    a, b = null_pairs(5, shift=0.3)
    for test in (paired_bootstrap, approximate_randomization):
        assert rejections(test(a, b, keys(N), each(ratio, SIMS))) > 55


@pytest.mark.parametrize("test", TESTS)
def test_equal_systems_do_not_differ(test: Test) -> None:
    rows = with_ones(np.random.default_rng(0).random(60))
    (found,) = test(rows, rows.copy(), keys(60), one(ratio))
    assert (found.value, found.p_value, found.interval) == (0.0, 1.0, (0.0, 0.0))
    assert found.units == 60
    (usual,) = paired_bootstrap(rows, rows.copy(), keys(60), one(ratio), recipe="sacrebleu")
    assert usual.p_value == 1.0


@pytest.mark.parametrize("test", TESTS)
def test_a_against_b_mirrors_b_against_a(test: Test) -> None:
    rng = np.random.default_rng(0)
    a, b = with_ones(rng.random(80)), with_ones(rng.random(80) + 0.05)
    (ab,), (ba,) = test(a, b, keys(80), one(ratio)), test(b, a, keys(80), one(ratio))
    assert ab.value == -ba.value
    assert ab.p_value == ba.p_value
    low, high = known(ab.interval)
    assert (low, high) == pytest.approx(tuple(-end for end in reversed(known(ba.interval))))
    assert low <= ab.value <= high
    assert ab.error == pytest.approx(ba.error)


@pytest.mark.parametrize("test", TESTS)
def test_order_of_units_is_immaterial(test: Test) -> None:
    rng = np.random.default_rng(1)
    a, b, order = with_ones(rng.random(90)), with_ones(rng.random(90)), rng.permutation(90)
    (plain,) = test(a, b, keys(90), one(ratio))
    (moved,) = test(a[order], b[order], keys(90)[order], one(ratio))
    assert plain.value == moved.value
    assert plain.p_value == pytest.approx(moved.p_value, rel=1e-12)
    assert plain.interval == pytest.approx(moved.interval, rel=1e-10)


def test_randomization_counts_ties() -> None:
    """Of the 2^10 swaps of ten pairs all won by a, two are as extreme: p = 2/1024."""
    a, b = with_ones(np.full(10, 0.3)), with_ones(np.full(10, 0.1))
    (found,) = approximate_randomization(a, b, keys(10), one(ratio), trials=100_000)
    assert found.p_value == pytest.approx(2 / 1024, rel=0.3)
    flips = np.random.default_rng(0).integers(0, 2, 40)
    a, b = with_ones(flips), with_ones(np.where(np.arange(40) < 12, 1 - flips, flips))
    (found,) = approximate_randomization(a, b, keys(40), one(ratio), trials=100_000)
    wins = int((a[:12, 0] > b[:12, 0]).sum())  # with 0/1 scores this is the exact sign test
    assert found.p_value == pytest.approx(scipy.stats.binomtest(wins, 12).pvalue, abs=0.01)


def test_few_pairs_never_show_what_they_cannot() -> None:
    a, b = with_ones([0.9, 0.8, 0.7]), with_ones([0.1, 0.1, 0.1])
    for test in TESTS:
        (found,) = test(a, b, keys(3), one(ratio))
        assert found.p_value >= 0.24
    (alone,) = paired_bootstrap(a[:1], b[:1], keys(1), one(ratio))
    assert alone.interval is None
    assert np.isnan(alone.p_value)


def test_jackknife_of_means_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=40)
    b = a + rng.normal(0.1, 0.3, size=40)
    (found,) = paired_jackknife(with_ones(a), with_ones(b), keys(40), one(ratio))
    want = scipy.stats.ttest_rel(a, b)
    assert found.p_value == pytest.approx(want.pvalue, rel=0.01)
    assert found.interval == pytest.approx(tuple(want.confidence_interval(0.95)), rel=1e-3)


def test_jackknife_in_groups_takes_the_same_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """One system's rows are wide, the other's narrow: both lose the same groups of units."""
    rng = np.random.default_rng(3)
    a = rng.random(900)
    b = a + rng.normal(0, 0.01, 900)
    wide = np.concatenate([with_ones(b), np.zeros((900, 5000))], 1)
    (plain,) = paired_jackknife(with_ones(a), with_ones(b), keys(900), one(ratio))
    (found,) = paired_jackknife(with_ones(a), wide, keys(900), one(ratio))
    assert found.error != plain.error  # groups
    assert found.error == pytest.approx(plain.error, rel=0.25)


def test_stored_replicates_are_paired() -> None:
    """Made apart, in other orders: the same differences as from the rows together."""
    rng = np.random.default_rng(4)
    a, b, order = with_ones(rng.random(70)), with_ones(rng.random(70)), rng.permutation(70)
    drawn_a = replicate(a, keys(70), one(ratio), 0, 1000)
    drawn_b = replicate(b[order], keys(70)[order], one(ratio), 0, 1000)
    values = [evaluate(one(ratio), rows.sum(0)) for rows in (a, b)]
    (apart,) = from_replicates(drawn_a, drawn_b, *values, units=70)
    (together,) = paired_bootstrap(a, b, keys(70), one(ratio))
    assert apart.p_value == together.p_value
    assert apart.interval == pytest.approx(together.interval, rel=1e-9)
    assert apart.error == pytest.approx(together.error, rel=1e-9)
    with pytest.raises(ValueError, match="do not match"):
        from_replicates(drawn_a, drawn_b[:10], *values, units=70)


def test_no_value_no_verdict() -> None:
    nothing = np.zeros((30, 2))
    for test in TESTS:
        (found,) = test(nothing, with_ones(np.ones(30)), keys(30), one(ratio))
        assert np.isnan(found.p_value)
        assert found.interval is None


# Against sacrebleu

ENGLISH = "the a cat dog sat ran on under mat tree old red quickly and then it was not seen"
RUSSIAN = "кот пёс сидел бежал на под ковром деревом старый и потом его не видели быстро там"
WORDS = {"en": ENGLISH.split(), "ru": RUSSIAN.split()}


def corpus(lang: str, n: int, noise: float, seed: int) -> tuple[list[str], list[str], list[str]]:
    draw = random.Random(seed)
    references = [" ".join(draw.choices(WORDS[lang], k=draw.randint(6, 20))) for _ in range(n)]

    def system(rate: float) -> list[str]:
        spoil = random.Random(seed + int(1000 * rate))
        return [
            " ".join(
                spoil.choice(WORDS[lang]) if spoil.random() < rate else word
                for word in line.split()
            )
            for line in references
        ]

    return references, system(0.30), system(0.30 + noise)


def sufficient(hypotheses: list[str], references: list[str]) -> Floats:
    """sacrebleu's own statistics: sys_len, ref_len, 4 matches, 4 totals."""
    return np.array(BLEU()._extract_corpus_statistics(hypotheses, [references]), float)


def sacrebleu_score(sums: Floats) -> Floats:
    flat = np.asarray(sums).reshape(-1, 10)
    scores = [BLEU()._compute_score_from_stats(list(row)).score for row in flat]
    return np.array(scores).reshape(*np.shape(sums)[:-1], 1)


@pytest.mark.parametrize(
    ("lang", "noise"), [("en", 0.015), ("ru", 0.02), ("en", 0.1)], ids=["close", "ru", "far"]
)
def test_sacrebleu_agrees(lang: str, noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same data, other random numbers: values equal, p-values within resampling's own error."""
    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    references, hyp_a, hyp_b = corpus(lang, 200, noise, 11)
    rows_a, rows_b = sufficient(hyp_a, references), sufficient(hyp_b, references)
    systems: list[tuple[str, Sequence[str]]] = [("a", hyp_a), ("b", hyp_b)]

    _, reference = PairedTest(systems, {"BLEU": BLEU()}, [references], "bs", 1000)()
    first, theirs = reference["BLEU"]
    assert isinstance(first, Result)
    assert isinstance(theirs, Result)
    (ours,) = paired_bootstrap(rows_a, rows_b, keys(200), sacrebleu_score, recipe="sacrebleu")
    assert first.score - theirs.score == pytest.approx(ours.value, abs=1e-9)
    assert ours.p_value == pytest.approx(theirs.p_value, abs=0.04)
    drawn = replicate(rows_b, keys(200), sacrebleu_score, 0, 1000)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (high - low) / 2 == pytest.approx(theirs.ci, rel=0.1)

    _, reference = PairedTest(systems, {"BLEU": BLEU()}, [references], "ar", 2000)()
    (ours,) = approximate_randomization(
        rows_a, rows_b, keys(200), sacrebleu_score, trials=2000, replicates=50
    )
    theirs = reference["BLEU"][1]
    assert isinstance(theirs, Result)
    p = known(theirs.p_value)
    assert ours.p_value == pytest.approx(p, abs=max(5 * (p * (1 - p) / 1000) ** 0.5, 0.002))
