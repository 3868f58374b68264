"""Boards over several datasets, and Pareto's front, over HTTP."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest

from assay import AssayError, Client
from tests.known import known
from tests.service.scored import scored
from tests.service.texts import samples


@pytest.fixture(scope="module")
def parts(assay: Client) -> list[dict[str, object]]:
    """Two datasets with samples of the same ids: good and fair on both, bad is bad, part lacks
    one."""
    for dataset, count in (("first-part", 48), ("second-part", 32)):
        for system in ("good", "fair", "bad", "part"):
            if (dataset, system) == ("second-part", "part"):
                continue
            given = samples(count, worse=system == "bad", tag=dataset)
            if system == "fair":
                given[::4] = samples(count, worse=True, tag=dataset)[::4]
            metrics = ["chrf", "exact_match", "length"]
            request: dict[str, Any] = {"system": system, "dataset": dataset, "metrics": metrics}
            scored(assay, samples=given, slices=["lang"], **request)
    return [{"dataset": "first-part", "score": "chrf"}, {"dataset": "second-part", "score": "chrf"}]


def test_a_board_over_two_datasets_ranks_who_has_both(
    assay: Client, parts: list[dict[str, object]]
) -> None:
    made = assay.create_board("both", parts)
    assert assay.create_board("both", parts).created_at == made.created_at
    board = assay.board("both")
    assert [(row.rank, row.system) for row in board.rows] == [(1, "good"), (2, "fair"), (3, "bad")]
    for row in board.rows:
        assert row.value == pytest.approx(np.mean([part.value for part in row.parts]))
        low, high = known(row.interval)
        assert low < row.value < high
    assert board.rows[2].rank_interval == (3, 3)
    assert known(board.rows[1].p_vs_next) < 0.05
    assert [part.weight for part in board.parts] == [0.5, 0.5]
    (left,) = board.left_out
    assert (left.system, left.reason) == ("part", "no chrf on second-part@1")
    assert "both" in [one.name for one in assay.boards()]
    assert assay.board("both").computed_at == board.computed_at  # stored
    scored(
        assay,
        system="part",
        dataset="second-part",
        samples=samples(32, tag="second-part"),
        metrics=["chrf"],
    )
    assert assay.board("both").size == 4
    with pytest.raises(AssayError) as taken:
        assay.create_board("both", parts, "z")
    assert (taken.value.status, taken.value.code) == (409, "board_exists")
    assert assay.delete_board("both").deleted
    with pytest.raises(AssayError) as gone:
        assay.board("both")
    assert gone.value.status == 404


@pytest.mark.parametrize("aggregate", ["z", "mean_rank", "win_rate"])
def test_unlike_scales_are_put_together_by_other_means(
    assay: Client, parts: list[dict[str, object]], aggregate: str
) -> None:
    asked: list[dict[str, object]]
    asked = [parts[0], {"dataset": "second-part", "score": "perplexity"}]
    with pytest.raises(AssayError, match="no system has 'perplexity'") as unknown:
        assay.create_board("unlike", asked)
    assert unknown.value.param == "parts[1].score"
    asked = [
        parts[0],
        {"dataset": "second-part", "score": "length", "weight": 0.5, "slice": "lang=ru"},
    ]
    with pytest.raises(AssayError, match="take aggregate z or mean_rank") as refused:
        assay.create_board("unlike", asked)
    assert (refused.value.code, refused.value.param) == ("unlike_scales", "aggregate")
    name = f"unlike/{aggregate}"
    assay.create_board(name, asked, aggregate)
    board = assay.board(name)
    assert board.higher_is_better == (aggregate != "mean_rank")
    assert board.rows[0].system == "good"
    assert board.rows[-1].system == "bad"
    assert board.rows[-1].rank_interval == (len(board.rows), len(board.rows))
    assert [part.weight for part in board.parts] == pytest.approx([2 / 3, 1 / 3])
    for row in board.rows:
        low, high = known(row.interval)
        assert low <= row.value <= high
    table = httpx.get(assay.url + f"/v1/boards/{name}?format=csv", timeout=60).content
    assert b"length for lang=ru, second-part" in table
    assay.delete_board(name)


def test_a_slice_that_a_new_version_lacks_leaves_the_board_empty(assay: Client) -> None:
    given = samples(20, tag="grows")
    for system in ("one", "other"):
        request: dict[str, Any] = {"system": system, "dataset": "grows", "metrics": ["chrf"]}
        scored(assay, samples=given, slices=["lang"], **request)
    part = {"dataset": "grows", "score": "chrf", "slice": "lang=ru"}
    assay.create_board("growing", [part], aggregate="z")
    assert assay.board("growing").size == 2
    bare = [{name: text for name, text in one.items() if name != "metadata"} for one in given]
    scored(assay, system="third", dataset="grows", samples=bare, metrics=["chrf"])
    board = assay.board("growing")
    assert (board.size, board.parts[0].version) == (0, 2)
    assert board.warnings == ["no system has chrf for lang=ru on grows@2"]


def test_a_board_as_it_stood(assay: Client) -> None:
    def add(system: str, dataset: str, count: int = 20, *, worse: bool = False) -> str:
        given = samples(count, worse=worse, tag=dataset)
        request: dict[str, Any] = {"system": system, "samples": given, "metrics": ["chrf"]}
        done = scored(assay, dataset=dataset, **request)
        return known(assay.evaluation(done.id).finished_at).isoformat()

    half = add("first", "then-a")
    whole = add("first", "then-b")
    add("second", "then-a", worse=True)
    add("second", "then-b", worse=True)
    parts = [{"dataset": name, "score": "chrf"} for name in ("then-a", "then-b")]
    assay.create_board("then", parts)
    now = assay.board("then")
    assert ([row.system for row in now.rows], now.at) == (["first", "second"], None)
    assert assay.board("then", at=datetime.now(UTC).isoformat()).rows == now.rows
    add("third", "then-b", 21)  # a new version of the dataset
    assert (assay.board("then").size, assay.board("then").parts[1].version) == (0, 2)
    stood = assay.board("then", at=whole)
    assert ([row.system for row in stood.rows], stood.at) == (
        ["first"],
        datetime.fromisoformat(whole),
    )
    assert [part.version for part in stood.parts] == [1, 1]
    assert assay.board("then").at is None  # what is stored is the board of now
    early = assay.board("then", at=half)
    assert (early.size, early.warnings) == (0, ["no system has chrf on then-b@2"])
    query = {"at": whole, "format": "csv"}
    table = httpx.get(assay.url + "/v1/boards/then", params=query, timeout=60)
    assert [row["system"] for row in csv.DictReader(table.text.splitlines())] == ["first"]
    query["format"] = "latex"
    written = httpx.get(assay.url + "/v1/boards/then", params=query, timeout=60).text
    assert f", as it stood at {whole[:10]}" in written
    query |= {"at": "9999-12-31T23:59:59-14:00"}  # a year later in UTC, which Python has not
    assert httpx.get(assay.url + "/v1/boards/then", params=query, timeout=60).status_code == 200
    for at, status, said in (
        ("2001-01-01", 404, "nothing had landed by"),
        ("yesterday", 422, "is no date"),
    ):
        with pytest.raises(AssayError, match=said) as refused:
            assay.board("then", at=at)
        assert (refused.value.status, refused.value.param) == (status, "at")


def test_a_front_of_quality_and_length(assay: Client, parts: list[dict[str, object]]) -> None:
    front = assay.pareto("first-part", ["chrf", "length"], lower=["length"])
    rows = {row.system: row for row in front.rows}
    assert [score.higher_is_better for score in front.scores] == [True, False]
    assert rows["good"].on_front
    assert rows["bad"].on_front  # the shortest
    assert rows["good"].share == rows["bad"].share == 1.0
    both = assay.pareto("first-part", ["chrf", "length"])
    rows = {row.system: row for row in both.rows}
    assert not rows["bad"].on_front
    assert {"good", "fair"} <= set(rows["bad"].beaten_by)
    assert rows["bad"].share == 0.0
    with pytest.raises(AssayError) as unknown:
        assay.pareto("first-part", ["chrf", "bleurt"])
    assert (unknown.value.status, unknown.value.param) == (422, "metric")
    figure = httpx.get(
        assay.url + "/v1/pareto/first-part?metric=chrf&metric=length&format=svg", timeout=60
    ).content
    assert b"<svg" in figure


def test_a_slice_has_tests(assay: Client, parts: list[dict[str, object]]) -> None:
    board = assay.leaderboard("first-part", "chrf", slice="lang=ru")
    assert [row.n for row in board.rows] == [24] * 4
    assert board.rows[-1].system == "bad"
    assert board.rows[-1].rank_interval == (4, 4)
    assert known(board.rows[-2].p_vs_next) < 0.05
    assert not any("samples have" in one for one in board.warnings)
    small = assay.leaderboard("second-part", "chrf", slice="lang=en")
    assert any("only 16 samples have lang=en" in one for one in small.warnings)
    ids = [
        next(row.evaluation for row in board.rows if row.system == name) for name in ("fair", "bad")
    ]
    (pair,) = assay.compare(ids, None, ["chrf"], slice="lang=ru", test="t")
    fair, bad = (next(row for row in board.rows if row.evaluation == id) for id in ids)
    assert pair.difference == pytest.approx(fair.value - bad.value)


def test_equal_outputs_and_references_are_flagged(assay: Client, parts: list[Any]) -> None:
    board = assay.leaderboard("first-part", "chrf")
    rows = {row.system: row for row in board.rows}
    assert known(rows["good"].same_outputs).system == "part"
    assert known(rows["good"].same_outputs).share == 1.0
    assert known(rows["fair"].same_outputs).share == 0.75
    assert any("the same outputs on every sample" in one for one in board.warnings)
    assert rows["good"].in_references == 0.0
    given = samples(8)
    told = [one | {"output": one["references"][0]} for one in given[:4]] + given[4:]
    scored(assay, system="teller", dataset="told", samples=told, metrics=["chrf"])
    assert assay.leaderboard("told", "chrf").rows[0].in_references == 0.5


def test_flags_of_a_slice_are_of_its_samples(assay: Client) -> None:
    given = samples(8)
    for at, one in enumerate(given):
        one["metadata"] = {"part": at // 4}
    told = [one | {"output": one["references"][0]} for one in given[:4]] + given[4:]
    for system, texts in (("honest", given), ("half", told)):
        asked: dict[str, Any] = {"samples": texts, "metrics": ["chrf"], "slices": ["part"]}
        scored(assay, system=system, dataset="halves", **asked)
    found = {}
    for part in (0, 1):
        board = assay.leaderboard("halves", "chrf", slice=f"part={part}")
        row = next(row for row in board.rows if row.system == "half")
        found[part] = (row.in_references, row.same_outputs and row.same_outputs.share)
        assert any("same outputs" in one for one in board.warnings) == (part == 1)
    assert found == {0: (1.0, None), 1: (0.0, 1.0)}
    (whole, _) = assay.leaderboard("halves", "chrf").rows
    assert known(whole.same_outputs).share == 0.5
