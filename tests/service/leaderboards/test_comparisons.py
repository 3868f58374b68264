"""Comparisons of many over HTTP: every pair, a baseline, tests, corrections, slices, clusters."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from assay import AssayError, Client, ComparisonResult
from tests.known import known
from tests.service.scored import scored
from tests.service.texts import samples

SIZE = 60
SYSTEMS = 4


@pytest.fixture(scope="module")
def evaluations(assay: Client) -> list[str]:
    """Four systems, each with the worse output on more of the samples; five samples a document."""
    good, bad = samples(SIZE), samples(SIZE, worse=True)
    good = [one | {"output": one["references"][0]} for one in good]
    made = []
    for number in range(SYSTEMS):
        given = [
            dict(bad[at] if at % 7 < number else good[at])
            | {"metadata": {"document": f"d{at // 5}", "lang": "ru" if at % 2 else "en"}}
            for at in range(SIZE)
        ]
        done = scored(
            assay,
            system=f"system {number}",
            dataset="many",
            samples=given,
            metrics=["chrf", "exact_match", "bleu", "distinct_n"],
        )
        made.append(done.id)
    return made


def values(assay: Client, evaluation: str, score: str) -> list[float]:
    found = {one.id: known(one.scores[score]) for one in assay.all_samples(evaluation)}
    return [found[id] for id in sorted(found)]


def ends(one: ComparisonResult) -> tuple[str, str]:
    return one.system_a, one.system_b


def test_every_pair_and_each_against_a_baseline(assay: Client, evaluations: list[str]) -> None:
    found = assay.compare(evaluations, metrics="chrf")
    pairs = [(one.evaluation_a, one.evaluation_b) for one in found]
    assert pairs == list(combinations(evaluations, 2))
    assert [one.system_a for one in found[:3]] == ["system 0"] * 3
    against = assay.compare(evaluations[:2], metrics="chrf", baseline=evaluations[3])
    assert [one.evaluation_b for one in against] == [evaluations[3]] * 2
    (two,) = assay.compare(evaluations[0], evaluations[3], metrics="chrf")
    assert two.difference == found[2].difference == against[0].difference
    assert two.interval == found[2].interval
    assert two.standard_error == found[2].standard_error
    assert (known(two.wins) + known(two.ties) + known(two.losses)) == two.n == SIZE
    assert known(two.losses) == 0
    assert known(two.samples_to_separate) <= SIZE
    assert two.significant
    body = assay.request(
        "POST", "/v1/comparisons", {"evaluations": evaluations, "metrics": ["chrf"]}
    )
    assert body["a"] is None
    assert body["systems"] == [f"system {number}" for number in range(SYSTEMS)]


def test_tests_of_samples_are_scipys(assay: Client, evaluations: list[str]) -> None:
    a, b = evaluations[0], evaluations[2]
    gaps = np.subtract(values(assay, a, "exact_match"), values(assay, b, "exact_match"))
    (t,) = assay.compare(a, b, "exact_match", test="t")
    want = scipy.stats.ttest_1samp(gaps, 0)
    assert t.p_value == pytest.approx(want.pvalue, rel=1e-9)
    low, high = want.confidence_interval(0.95)
    assert t.interval == pytest.approx((low, high), rel=1e-3)
    (ranks,) = assay.compare(a, b, "exact_match", test="wilcoxon")
    assert ranks.p_value == pytest.approx(scipy.stats.wilcoxon(gaps).pvalue, rel=1e-9)
    (exact,) = assay.compare(a, b, "exact_match", test="mcnemar")
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    assert (exact.wins, exact.losses) == (wins, losses)
    want_p = scipy.stats.binomtest(wins, wins + losses).pvalue
    assert exact.p_value == pytest.approx(want_p, rel=1e-9)
    assert exact.p_method == "exact"
    (bleu,) = assay.compare(a, b, "bleu", test="t")
    assert "not their mean" in bleu.warnings[0]
    (refused,) = assay.compare(a, b, "bleu", test="mcnemar")
    assert "0 or 1" in known(refused.error)
    whole = assay.compare(a, b, "distinct_n", test="t")
    assert {one.test for one in whole} == {"paired_jackknife"}


@pytest.mark.parametrize(("correction", "method"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_corrections_are_statsmodels(
    assay: Client, evaluations: list[str], correction: str, method: str
) -> None:
    found = assay.compare(evaluations, correction=correction)
    p_values = [known(one.p_value) for one in found]
    assert len(p_values) > 30
    want = multipletests(p_values, 0.05, method)[1]
    assert [known(one.p_corrected) for one in found] == pytest.approx(want.tolist())
    assert {one.p_method for one in found} == {"t"}  # counted, none could pass
    (far,) = [one for one in found if (one.name, *ends(one)) == ("chrf", "system 0", "system 3")]
    assert far.significant


def test_slices_and_clusters(assay: Client, evaluations: list[str]) -> None:
    a, b = evaluations[0], evaluations[1]
    gaps = np.subtract(values(assay, a, "exact_match"), values(assay, b, "exact_match"))
    order = sorted(one.id for one in assay.all_samples(a))
    tags = {one.id: one.metadata["lang"] for one in assay.all_samples(a)}
    russian = [tags[id] == "ru" for id in order]
    (part,) = assay.compare(a, b, "exact_match", slice="lang=ru")
    assert part.n == SIZE // 2
    assert part.difference == pytest.approx(gaps[russian].mean())
    (grouped,) = assay.compare(a, b, "exact_match", cluster="document")
    assert (grouped.n, grouped.clusters) == (SIZE, SIZE // 5)
    assert grouped.difference == pytest.approx(gaps.mean())
    place = {one.id: one.metadata["document"] for one in assay.all_samples(a)}
    documents = sorted(set(place.values()))
    sums = [gaps[[place[id] == one for id in order]].sum() for one in documents]
    single, whole_ones = np.var(gaps, ddof=1) * SIZE, np.var(sums, ddof=1) * len(sums)
    assert grouped.design_effect == pytest.approx(whole_ones / single, rel=1e-9)
    assert part.design_effect is None
    assert "only 12 clusters" in grouped.warnings[0]
    (whole,) = [one for one in assay.compare(a, b, slice="lang=ru") if one.name == "distinct_1"]
    assert "none of a slice" in known(whole.error)


@pytest.mark.parametrize(
    ("more", "param", "told"),
    [
        ({"slice": "lang=rus"}, "slice", "ru"),
        ({"slice": "language=ru"}, "slice", "lang"),
        ({"cluster": "documents"}, "cluster", "document"),
        ({"recipe": "sacrebleu", "test": "approximate_randomization"}, "recipe", "has none"),
        ({"metrics": ["chrff"]}, "metrics", "chrf"),
        ({"baseline": "eval_none"}, "baseline", "eval_none"),
    ],
)
def test_refusals(
    assay: Client, evaluations: list[str], more: dict[str, Any], param: str, told: str
) -> None:
    body = {"evaluations": evaluations, **more}
    with pytest.raises(AssayError, match=told) as refused:
        assay.request("POST", "/v1/comparisons", body)
    assert refused.value.param == param


def test_an_evaluation_does_not_differ_from_itself(assay: Client, evaluations: list[str]) -> None:
    a = evaluations[0]
    for more in ({"recipe": "sacrebleu"}, {"test": "approximate_randomization"}, {"test": "t"}):
        found: list[ComparisonResult] = assay.compare(a, a, **more)
        assert not any(one.significant for one in found)
        assert {one.p_value for one in found} == {1.0}


def test_unlike_seeds_levels_and_replicates(assay: Client) -> None:
    """The order of the two does not change p; what the evaluations were asked for is used."""
    given, worse = samples(40), samples(40, worse=True)
    mixed = [
        bad if at % 3 else good for at, (good, bad) in enumerate(zip(given, worse, strict=True))
    ]
    one, two = (
        scored(assay, system=str(seed), dataset="seeds", samples=texts, metrics=["chrf"], **more)
        for seed, texts, more in (
            (1, given, {"seed": 1, "replicates": 300, "level": 0.9}),
            (2, mixed, {"seed": 2, "replicates": 500, "level": 0.9}),
        )
    )
    (ab,), (ba,) = assay.compare(one.id, two.id), assay.compare(two.id, one.id)
    assert ab.p_value == ba.p_value
    assert ab.level == 0.9
    assert known(ab.interval) == pytest.approx([-end for end in reversed(known(ba.interval))])
    assert known(ab.p_value) >= 1 / 501


def test_a_single_sample_and_samples_that_differ_alike_are_told(assay: Client) -> None:
    for system, output in (("right", "x"), ("wrong", "y")):
        given = [
            {"id": str(at), "output": output, "references": ["x"], "metadata": {"one": at == 0}}
            for at in range(30)
        ]
        scored(assay, system=system, dataset="alike", samples=given, metrics=["exact_match"])
    rows = assay.leaderboard("alike", "exact_match").rows
    pair = [row.evaluation for row in rows]
    for test in ("paired_bootstrap", "t", "mcnemar"):
        (alike,) = assay.compare(*pair, test=test)
        assert (alike.difference, alike.interval, alike.significant) == (1.0, None, True)
        assert "differ by the same on all 30 samples" in alike.warnings[-1]
        (alone,) = assay.compare(*pair, test=test, slice="one=true")
        assert (alone.n, alone.p_value, alone.p_method, alone.significant) == (1, None, None, None)
        assert alone.note == "a single sample allows no test"
    (grouped,) = assay.compare(*pair, cluster="one", slice="one=true")
    assert grouped.note == "a single cluster allows no test"
