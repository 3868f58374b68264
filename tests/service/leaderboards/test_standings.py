"""Where systems stand: the same tests as pair by pair, all at once, and what is missing is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import pytest

from benchmarks import statistics_calibration as calibration
from benchmarks.statistics_data import QUICK
from benchmarks.statistics_sets import Sides, ids, systems
from inference.protocol import NoModels
from metrics import find
from metrics.core import compare as comparing
from metrics.core.clustered import Cluster
from metrics.core.differences import match, values
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.result import conclude
from metrics.statistics.many import two_sided
from service.leaderboards import remarks
from service.leaderboards.board_results import commonest_field
from service.leaderboards.pair_tests import pairs_between
from service.leaderboards.paired import PairedResult
from service.leaderboards.standings import Standings, standings
from service.leaderboards.store import BoardScore
from service.score_file.comparing import paired_tests
from tests.known import known

N = 60
REFERENCE = "the vote of the committee was postponed to the first week of May"


def result(
    metric: str, outputs: Sequence[str | None], *, name: str | None = None, seed: int = 0
) -> PairedResult:
    """Of outputs for samples with one reference; None: the sample has no output."""
    bound = find(metric).bind()
    samples = [
        Sample(str(at), () if text is None else (text,), (REFERENCE,))
        for at, text in enumerate(outputs)
    ]
    items, unit = items_of(samples)
    ids = [one.id for one in samples]
    evidence = measure(bound, items, NoModels())
    found = conclude(bound, evidence, unit, ids, {"name": metric}, seed=seed, replicates=200)
    return PairedResult(
        bound, found, [one.id for one in samples], bound.score_names.index(name or metric)
    )


def outputs(system: int) -> list[str]:
    chance = np.random.default_rng(system)
    words = REFERENCE.split()
    return [
        " ".join(chance.permutation(words)[: chance.integers(4, len(words) - system)])
        for _ in range(N)
    ]


def told(paired: Sequence[PairedResult]) -> Standings:
    return standings([board_score(at, one) for at, one in enumerate(paired)], paired)


def board_score(at: int, one: PairedResult) -> BoardScore:
    value = one.result.scores[one.index]
    assert value.value is not None
    return BoardScore(
        evaluation_id=f"eval_{at}",
        dataset_id="ds_1",
        position=0,
        metric=one.metric.name,
        resolved=None,
        name=value.name,
        slice="",
        value=value.value,
        low=None,
        high=None,
        level=0.95,
        n=value.n,
        missing=value.missing,
        higher_is_better=value.higher_is_better,
        interval_method=value.interval_method,
        signature=value.signature,
        warnings=[],
        error=None,
        clusters=None,
        design_effect=None,
        variance=None,
        rated=value.rated,
        system=f"system {at}",
        finished_at=datetime(2026, 11, 24, tzinfo=UTC),
        protocol_digest=None,
    )


@pytest.mark.parametrize(
    ("metric", "name"), [("chrf", "chrf"), ("bleu", "bleu"), ("distinct_n", "distinct_2")]
)
def test_all_pairs_at_once_are_the_pairs_one_by_one(metric: str, name: str) -> None:
    paired = [result(metric, outputs(system), name=name) for system in range(4)]
    found = pairs_between(paired).pairs
    for a in range(4):
        for b in range(a):
            left, right = paired[a], paired[b]
            one = comparing.compare(
                left.metric,
                left.result,
                left.ids,
                right.result,
                right.ids,
                comparing.Testing(replicates=200),
            )[left.index].difference
            assert one is not None
            assert found.differences[a, b] == pytest.approx(one.value, abs=1e-12)
            assert found.errors[a, b] == pytest.approx(one.error, rel=1e-9)
            larger = 1 if metric == "distinct_n" else (N / (N - 1)) ** 0.5
            p_value = two_sided(np.array(one.value), np.array(one.error * larger), N)
            assert found.p_values[a, b] == pytest.approx(float(p_value), rel=1e-6)


def test_a_pair_s_test_by_mauve_is_the_same_wherever_it_is_asked_for() -> None:
    """Of two, of many, on a board, of two files, in a gate; whole, by clusters; one of them from
    before `shared` and `freedom` were stored."""
    chance, metric = np.random.default_rng(4), find("mauve").bind(QUICK)
    found = [
        one
        for sides in (Sides("near"), Sides("off", gap=0.4))
        for one in systems(chance, sides, N, metric)
    ]
    found[1] = replace(found[1], settled=replace(found[1].settled, shared=None, freedom=None))
    paired = [PairedResult(metric, one, ids(N), 0) for one in found]
    sides = [comparing.Side(one, ids(N)) for one in found]
    pairs = list(combinations(range(4), 2))
    samples = [Sample(one, ("",), metadata={"half": int(one) // 2}) for one in ids(N)]
    names = Cluster.of(samples, "half").names
    halves = comparing.Grouping("half", dict(zip(ids(N), names, strict=True)))
    for field, grouping in ((None, None), ("half", halves)):
        board = pairs_between(paired, field, names if field else None).pairs
        many = comparing.compare_many(metric, sides, pairs, grouping=grouping)
        for (a, b), (one,) in zip(pairs, many, strict=True):
            two = [sides[a], sides[b]]
            ((same,),) = comparing.compare_many(metric, two, [(0, 1)], grouping=grouping)
            p_value = known(one.difference).p_value
            assert known(same.difference).p_value == pytest.approx(p_value, rel=1e-9)
            (files,) = paired_tests([metric], [found[a]], [found[b]], samples, field, 0.95)
            assert files.p_value == pytest.approx(p_value, rel=1e-9)
            assert board.p_values[a, b] == board.p_values[b, a]
            assert board.p_values[a, b] == pytest.approx(p_value, rel=1e-6)
            assert board.errors[a, b] == pytest.approx(known(one.difference).error, rel=1e-9)
            units = match(metric, sides[a], sides[b], grouping=grouping)
            gate = values(metric, sides[a], sides[b], units, 0)
            assert gate.error() == pytest.approx(known(one.difference).error, rel=1e-9)
            assert two_sided(
                np.array(one.difference and one.difference.value),
                np.array(gate.error()),
                N,
                np.array(gate.freedom),
            ) == pytest.approx(p_value, rel=1e-9)


def test_a_pair_s_test_of_calibration_is_the_same_wherever_it_is_asked_for() -> None:
    chance = np.random.default_rng(4)
    kinds = (calibration.ALL[0], calibration.ALL[4])
    found = [one for kind in kinds for one in calibration.answers(chance, N, kind)]
    metric, of = calibration.METRIC, ids(N)
    names = Cluster.of([Sample(one, ("",), metadata={"half": int(one) // 2}) for one in of], "half")
    halves = comparing.Grouping("half", dict(zip(of, names.names, strict=True)))
    sides = [comparing.Side(one, of) for one in found]
    for field, grouping in ((None, None), ("half", halves)):
        for score in range(3):
            paired = [PairedResult(metric, one, of, score) for one in found]
            board = pairs_between(paired, field, names.names if field else None)
            assert board.exchanged is (score < 2)
            for a, b in combinations(range(4), 2):
                two = [sides[a], sides[b]]
                (told,) = comparing.compare_many(metric, two, [(0, 1)], grouping=grouping)
                one = known(told[score].difference)
                assert one.test == ("exchange" if score < 2 else "paired_jackknife")
                assert board.pairs.p_values[a, b] == pytest.approx(one.p_value, rel=1e-6)
                assert board.pairs.errors[a, b] == pytest.approx(one.error, rel=1e-9)
                units = match(metric, sides[a], sides[b], grouping=grouping)
                gate = values(metric, sides[a], sides[b], units, score)
                assert gate.error() == pytest.approx(one.error, rel=1e-9)
                half, whole = gate.error(1.0, -0.5), gate.error()
                assert 0.4 * whole < half < 1.1 * whole


def test_replicates_of_another_seed_are_drawn_again() -> None:
    paired = [result("chrf", outputs(system)) for system in range(3)]
    other = [*paired[:2], result("chrf", outputs(2), seed=7)]
    np.testing.assert_allclose(
        pairs_between(other).pairs.p_values, pairs_between(paired).pairs.p_values, rtol=1e-9
    )


def test_a_pair_is_tested_over_the_samples_that_both_have() -> None:
    """Of a mean, by the paired t-test of scipy over these samples."""
    from scipy.stats import ttest_rel

    chance = np.random.default_rng(0)
    blanks: list[list[str | None]] = []
    for system in range(3):
        gone = chance.random(N) < 0.2 * system
        texts = outputs(system)
        blanks.append([None if out else text for out, text in zip(gone, texts, strict=True)])
    paired = [result("token_f1", one) for one in blanks]
    pairs = pairs_between(paired).pairs
    for a in range(3):
        for b in range(a):
            left, right = (
                one.result.per_sample[:, one.index]  # type: ignore[index]
                for one in (paired[a], paired[b])
            )
            both = np.isfinite(left) & np.isfinite(right)
            assert pairs.units[a, b] == both.sum() < N
            expected = ttest_rel(left[both], right[both])
            assert pairs.p_values[a, b] == pytest.approx(expected.pvalue, rel=1e-6)
            difference = left[both].mean() - right[both].mean()
            assert pairs.differences[a, b] == pytest.approx(difference)


def test_nobody_gains_by_leaving_samples_out_and_what_it_could_be_is_told() -> None:
    """The hard third is blank in one, which is worse wherever it answers."""
    honest = [REFERENCE] * 30 + ["nothing alike"] * 20 + ["nothing"] * 10
    picky: list[str | None] = [*["wrong"] * 10, *[REFERENCE] * 20, *[None] * 30]
    paired = [result("exact_match", honest), result("exact_match", picky)]
    found = told(paired)
    assert paired[1].value == pytest.approx(2 / 3)
    assert paired[0].value == pytest.approx(1 / 2)
    assert found.ranks.rank.tolist() == [1, 2]
    assert found.ranks.best.tolist() == [1, 2]  # over what both have it is significantly worse
    assert found.ranks.p_values[0, 1] < 0.05
    assert found.incomplete.tolist() == [0, 30]
    assert found.in_common == 30
    assert found.n_common.tolist() == [30, 30]
    assert found.value_common.tolist() == pytest.approx([1.0, 2 / 3])
    assert found.bounds == [None, pytest.approx((1 / 3, 5 / 6))]
    assert found.stepped is None
    assert found.p_first[0] == 1.0
    assert np.isnan(found.p_first[1])


def test_a_result_that_is_gone_leaves_the_others_tested() -> None:
    paired = [result("chrf", outputs(system)) for system in range(3)]
    scores = [board_score(at, one) for at, one in enumerate(paired)]
    found = standings(scores, [paired[0], None, paired[2]])
    assert np.isnan(found.ranks.p_values[0, 1])
    assert np.isfinite(found.ranks.p_values[0, 2])
    assert found.tested == 2
    assert standings(scores, [None, None, None]).ranks.worst.tolist() == [3, 3, 3]


def test_of_a_metric_of_the_whole_set_clusters_are_those_of_comparisons() -> None:
    """What is a sum over samples is tested as pair by pair; nothing else is, and it is told."""
    names = [str(at // 3) for at in range(N)]
    paired = [result("distinct_n", outputs(at), name="distinct_1") for at in range(3)]
    scores = [board_score(at, one) for at, one in enumerate(paired)]
    found = standings(scores, paired, "passage", names)
    assert np.isnan(found.ranks.p_values).all()
    assert found.tested == 0
    assert (remarks.tests(scores, found, "passage")) is None
    told = remarks.warnings(scores, found, names, tested=True)
    assert "no pair is tested: distinct_n is no sum over samples: clusters cannot" in told[0]
    grouping = comparing.Grouping("passage", dict(zip(paired[0].ids, names, strict=True)))
    sums = [
        replace(one, result=replace(one.result, settled=replace(one.result.settled, loss=None)))
        for one in paired
    ]
    pairs = pairs_between(sums, "passage", names).pairs
    for given in (paired, sums):
        sides = [comparing.Side(one.result, one.ids) for one in given[:2]]
        (one, *_) = comparing.compare_many(given[0].metric, sides, [(0, 1)], grouping=grouping)[0]
        if given is paired:
            assert one.error is not None
            assert one.error in told[0]
        else:
            assert one.difference is not None
            assert pairs.errors[0, 1] == pytest.approx(one.difference.error, rel=1e-9)
            assert pairs.units[0, 1] == N // 3


def test_unlike_clusters_are_told() -> None:
    one = result("chrf", outputs(0))
    page = replace(one, result=replace(one.result, cluster="page"))
    said = "the evaluations have unlike clusters (1 by 'page', {} without): {}"
    assert commonest_field([page, one, one]) == (
        None,
        [said.format(2, "samples are taken for independent")],
    )
    assert commonest_field([page, one]) == ("page", [said.format(1, "here they are by 'page'")])
    assert commonest_field([one, one]) == (None, [])


def test_samples_that_belong_together_are_drawn_together() -> None:
    """Each sample three times over: as many clusters say as much as the samples did once."""
    once = [result("chrf", outputs(system)) for system in range(3)]
    names = [str(at) for at in range(N)]
    thrice = [
        result("chrf", [text for text in outputs(system) for _ in range(3)]) for system in range(3)
    ]
    tripled = [name for name in names for _ in range(3)]
    single = pairs_between(once, "passage", names).pairs
    clustered = pairs_between(thrice, "passage", tripled).pairs
    np.testing.assert_allclose(clustered.errors, single.errors, rtol=1e-9)
    np.testing.assert_allclose(clustered.p_values, single.p_values, rtol=1e-6)
    apart = pairs_between(thrice).pairs
    assert apart.errors[0, 2] == pytest.approx(single.errors[0, 2] / 3**0.5, rel=0.15)
    blank = [None if at % 5 == 0 else text for at, text in enumerate(outputs(1)) for _ in range(3)]
    lacking = pairs_between([thrice[0], result("chrf", blank)], "passage", tripled).pairs
    assert lacking.units[0, 1] == N - N // 5
    one_blank = [None if at % 5 == 0 else text for at, text in enumerate(outputs(1))]
    expected = pairs_between([once[0], result("chrf", one_blank)]).pairs
    assert lacking.errors[0, 1] == pytest.approx(expected.errors[0, 1], rel=0.02)
