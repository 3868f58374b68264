"""Boards and comparisons over HTTP: which differences are real, and what is not compared."""

from __future__ import annotations

import pytest

from assay import AssayError, Client
from tests.known import known
from tests.service.scored import scored
from tests.service.texts import samples


def test_a_board_ranks_and_tells_real_differences(assay: Client) -> None:
    many = samples(64)
    for system, worse in (("good", False), ("bad", True), ("good-too", False)):
        given = samples(64, worse=worse)
        scored(assay, system=system, dataset="board", samples=given, metrics=["chrf"])
    board = assay.leaderboard("board", "chrf")
    assert [(row.rank, row.system) for row in board.rows] == [
        (1, "good"),
        (1, "good-too"),
        (3, "bad"),
    ]
    assert [row.rank_interval for row in board.rows] == [(1, 2), (1, 2), (3, 3)]
    assert known(board.rows[1].p_vs_next) < 0.05
    assert len(many) == board.rows[0].n
    scored(
        assay,
        system="other",
        dataset="board",
        samples=many,
        metrics=[{"name": "chrf", "params": {"word_order": 2}}],
    )
    mixed = assay.leaderboard("board", "chrf")
    assert [row.system for row in mixed.rows] == ["good", "good-too", "bad"]
    assert mixed.left_out[0]["system"] == "other"
    assert "word_order: 0 / 2" in mixed.left_out[0]["reason"]
    with pytest.raises(AssayError) as missing:
        assay.leaderboard("board", "rougeL")
    assert missing.value.status == 404
    assert "chrf" in missing.value.message
    assert assay.leaderboard("board", "CHRF").metric == "chrf"
    with pytest.raises(AssayError, match="takes them as `slices`") as missing:
        assay.leaderboard("board", "chrf", slice="lang=ru")
    assert missing.value.param == "slice"


def test_comparisons_are_paired_and_refuse_unlike_signatures(assay: Client) -> None:
    good = scored(assay, dataset="pair", samples=samples(48), metrics=["chrf", "bleu"])
    bad = scored(assay, dataset="pair", samples=samples(48, worse=True), metrics=["chrf", "bleu"])
    for test in ("paired_bootstrap", "approximate_randomization"):
        results = {one["name"]: one for one in assay.compare(good.id, bad.id, test=test)}
        chrf = results["chrf"]
        assert chrf["difference"] == pytest.approx(
            good.score("chrf").value - bad.score("chrf").value
        )
        assert chrf["interval"][0] <= chrf["difference"] <= chrf["interval"][1]
        assert chrf["p_value"] < 0.01
        assert chrf["significant"]
        assert chrf["n"] == 48
    same = assay.compare(good.id, good.id, metrics=["bleu"])
    assert same[0]["difference"] == 0
    assert not same[0]["significant"]
    other = scored(
        assay,
        dataset="pair",
        samples=samples(48),
        metrics=[{"name": "chrf", "params": {"lowercase": True}}],
    )
    refused = assay.compare(good.id, other.id)[0]
    assert refused["p_value"] is None
    assert "lowercase: false / true" in refused["error"]


def test_samples_that_are_not_the_same_are_not_compared(assay: Client) -> None:
    given = samples(8)
    one = scored(assay, dataset="first-set", samples=given, metrics=["chrf"])
    retold = [sample | {"references": ["Quite another reference."]} for sample in given]
    other = scored(assay, dataset="second-set", samples=retold, metrics=["chrf"])
    with pytest.raises(AssayError) as refused:
        assay.compare(one.id, other.id)
    assert (refused.value.status, refused.value.code) == (422, "different_samples")
    assert "first-set@1" in refused.value.message
    tagged = [sample | {"metadata": {"lang": "xx"}} for sample in given]
    more = scored(assay, dataset="first-set", samples=tagged, metrics=["chrf"])
    assert more.dataset_version == 2
    assert assay.compare(one.id, more.id)[0]["n"] == 8


def test_one_metric_twice_is_compared_signature_by_signature(assay: Client) -> None:
    metrics = [{"name": "bleu", "params": {"tokenize": "char"}}, "bleu"]
    done = scored(assay, dataset="twice", samples=samples(), metrics=metrics)
    results = assay.compare(done.id, done.id)
    assert len(results) == 2
    for result in results:
        assert result["error"] is None
        assert result["difference"] == 0
    found = assay.samples(done.id, sort="bleu", limit=100)
    shown = [known(one.scores["bleu"]) for one in found]
    assert shown == sorted(shown)  # what is shown is what was sorted by
