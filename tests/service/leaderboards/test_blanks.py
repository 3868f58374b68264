"""A system that leaves samples blank is never called better for it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from assay import Client, ComparisonResult
from tests.known import known
from tests.service.scored import scored

SIZE = 48
LETTERS = "abcdefghiklmnoprstuvwy"
METRIC = {"name": "perplexity", "params": {"model": "tiny-language"}}


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    """Two systems' outputs that are alike in nothing but their kind."""
    chance = random.Random(0)

    def text() -> str:
        return " ".join("".join(chance.sample(LETTERS, 4)) for _ in range(4))

    return [(text(), text()) for _ in range(SIZE)]


@pytest.fixture(scope="module")
def evaluations(assay: Client, texts: list[tuple[str, str]]) -> dict[str, Any]:
    """honest and other, as they are; picky: other's outputs, blank where honest's are better;
    poor: the worse output of the two, and three blanks."""

    def evaluate(system: str, outputs: list[str]) -> Any:
        given = [{"id": str(at), "output": text} for at, text in enumerate(outputs)]
        return scored(assay, system=system, dataset="blanks", samples=given, metrics=[METRIC])

    found = {
        name: evaluate(name, [pair[at] for pair in texts])
        for at, name in enumerate(("honest", "other"))
    }
    values = [
        [known(sample.scores["perplexity"]) for sample in assay.all_samples(found[name].id)]
        for name in ("honest", "other")
    ]
    ahead = [honest < other for honest, other in zip(*values, strict=True)]
    picky = ["" if first else pair[1] for first, pair in zip(ahead, texts, strict=True)]
    poor = [pair[1 if first else 0] for first, pair in zip(ahead, texts, strict=True)]
    found["picky"] = evaluate("picky", picky)
    found["poor"] = evaluate("poor", ["", "", "", *poor[3:]])
    return found


def compared(assay: Client, a: str, b: str) -> ComparisonResult:
    """The comparison of the score that is called as its metric."""
    (found,) = [one for one in assay.compare(a, b) if one.name == "perplexity"]
    return found


def test_a_board_calls_nobody_better_for_leaving_samples_blank(
    assay: Client, evaluations: dict[str, Any]
) -> None:
    board = assay.leaderboard("blanks", "perplexity")
    rows = {row.system: row for row in board.rows}
    assert rows["picky"].value < rows["honest"].value  # less is better
    assert rows["picky"].incomplete == rows["picky"].missing > 10
    assert rows["poor"].incomplete == 3
    assert [row.incomplete for row in board.rows[:2]] == [0, 0]
    assert {board.rows[0].system, board.rows[1].system} == {"honest", "other"}
    assert rows["honest"].rank_interval[0] == 1  # picky is not said to be before it
    assert rows["picky"].rank_interval[1] == 4
    assert rows["poor"].rank_interval[0] > 1  # others may be better than what lacks samples
    below = board.rows[1]
    assert board.rows[2].system == "picky"
    assert below.p_vs_next is None or below.p_vs_next > 0.05
    blank = {
        name: {
            one.id
            for one in assay.all_samples(evaluations[name].id)
            if one.scores["perplexity"] is None
        }
        for name in ("picky", "poor")
    }
    in_common = SIZE - len(blank["picky"] | blank["poor"])
    missing = rows["picky"].missing
    assert board.n_common == rows["picky"].n_common == in_common
    assert rows["honest"].n_common == SIZE - missing
    assert rows["honest"].p_first is not None
    assert rows["picky"].p_first is None
    assert known(rows["picky"].value_common) != rows["picky"].value
    assert rows["picky"].value_bounds is None  # perplexity has no upper end
    (warning,) = board.warnings
    assert f"picky ({missing})" in warning
    assert f"All systems have values on {board.n_common} samples" in warning


def test_a_comparison_gives_no_verdict_for_blanks(
    assay: Client, evaluations: dict[str, Any]
) -> None:
    found = compared(assay, evaluations["honest"].id, evaluations["picky"].id)
    assert known(found.difference) > 0
    assert known(found.p_corrected) < 0.05
    assert found.significant is None
    assert (found.only_a, found.only_b) == (evaluations["picky"].score("perplexity").missing, 0)
    assert "b has no value on" in known(found.note)
    turned = compared(assay, evaluations["picky"].id, evaluations["honest"].id)
    assert turned.significant is None
    assert "a has no value on" in known(turned.note)
    worse = compared(assay, evaluations["honest"].id, evaluations["poor"].id)
    assert worse.significant
    assert worse.note is None
    assert "3 samples have a value of a alone and 0 of b alone" in worse.warnings[0]
    assert worse.bounds is None  # perplexity has no upper end


def test_samples_that_were_never_sent_are_blanks_too(
    assay: Client, texts: list[tuple[str, str]], evaluations: dict[str, Any]
) -> None:
    picky = assay.all_samples(evaluations["picky"].id)
    given = [{"id": one.id, "output": one.outputs[0]} for one in picky if one.outputs[0]]
    fewer = scored(assay, system="fewer", dataset="fewer", samples=given, metrics=[METRIC])
    found = compared(assay, evaluations["honest"].id, fewer.id)
    assert found.significant is None
    assert found.only_a == SIZE - len(given)


def test_a_comparison_says_what_blanks_could_do_to_it(assay: Client, tmp_path: Path) -> None:
    """a: 40 of 44 right, and 6 blanks; b: 10 of 50 right, 2 of its first 6."""
    values = {
        "a": ["", *[""] * 5, *["1"] * 40, *["0"] * 4],
        "b": ["1", "1", *["0"] * 4, *["1"] * 8, *["0"] * 36],
    }
    ids = []
    for system, cells in values.items():
        rows = "".join(f"{at},x,{cell}\n" for at, cell in enumerate(cells))
        (tmp_path / "t.csv").write_text(f"id,output,acc\n{rows}")
        found = assay.import_results(tmp_path / "t.csv", system=system, dataset="worst-case")
        ids.append(assay.wait(known(found.evaluations[0].evaluation), timeout=60).id)
    (one,) = assay.compare(*ids)
    assert (one.n, one.only_a, one.only_b) == (44, 0, 6)
    assert one.bounds == pytest.approx((40 / 50 - 10 / 50, 46 / 50 - 10 / 50))
    assert "between 0.6 and 0.72" in one.warnings[0]
    (turned,) = assay.compare(*reversed(ids))
    assert turned.bounds == pytest.approx((-0.72, -0.6))
    (blank,) = [row for row in assay.leaderboard("worst-case", "acc").rows if row.incomplete]
    assert blank.value_bounds == pytest.approx((0.8, 0.92))
