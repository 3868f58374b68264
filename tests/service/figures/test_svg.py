"""Figures are well-formed, the same each time, and show every name as text."""

from __future__ import annotations

import itertools
import sys
import time
import xml.etree.ElementTree as ET

from pydantic import Field

from service.evaluations.tables import evaluation_table
from service.figures.sheet import named
from service.figures.svg import as_svg
from service.figures.table import Table, Verdict
from service.leaderboards.schemas import ComparisonOut, ResultOut
from service.leaderboards.tables import board_table, comparison_table
from tests.service.figures.boards import HOSTILE, board, comparison, evaluation, result, score

SVG = "{http://www.w3.org/2000/svg}"


def texts(content: bytes) -> list[str]:
    tree = ET.fromstring(content)  # noqa: S314 (our own)
    assert tree.tag == f"{SVG}svg"
    assert not list(tree.iter(f"{SVG}script"))
    return ["".join(one.itertext()) for one in tree.iter(f"{SVG}text")]


def drawn(table: Table) -> list[str]:
    return texts(as_svg(table))


def test_a_board_shows_hostile_and_russian_names_as_they_are() -> None:
    table = board_table(board(HOSTILE))
    shown = drawn(table)
    for name in HOSTILE:
        assert named(name).split() == next(
            text.split() for text in shown if text.split() == named(name).split()
        )
    assert "60.0 [58.8, 61.2]" in shown
    assert "58.0" in shown  # one without an interval


def test_the_same_board_gives_the_same_bytes() -> None:
    plotted = "matplotlib.pyplot" in sys.modules  # by libraries of other tests
    table = board_table(board(HOSTILE))
    first = as_svg(table)
    as_svg(evaluation_table(evaluation([score("chrf", 40.0)])))
    assert as_svg(table) == first
    assert b"dc:date" not in first
    assert ("matplotlib.pyplot" in sys.modules) == plotted


def test_two_hundred_systems_take_about_a_second() -> None:
    table = board_table(board([f"система {at}" for at in range(200)]))
    as_svg(table)
    began = time.process_time()
    shown = drawn(table)
    assert time.process_time() - began < 3.0
    assert sum(text.startswith("система") for text in shown) == 200


def test_each_score_has_a_scale_of_its_own() -> None:
    parts = [score("chrf", 44.0, "lang=ru")]
    shown = drawn(evaluation_table(evaluation([score("chrf", 40.0), score("x", None)], parts)))
    assert {"chrf ↑", "x ↑", "all", "lang=ru", "40.0 [37.5, 42.5]", "no value"} <= set(shown)


def test_a_score_that_is_not_judged_has_no_arrow() -> None:
    told = evaluation([score("length", 40.0), score("chrf", 40.0)])
    told.scores[0].judged = False
    titles = [panel.title for panel in evaluation_table(told).panels]
    assert titles == ["length", "chrf ↑"]


def test_nothing_to_draw_is_a_figure_too() -> None:
    assert "no rows" in drawn(board_table(board([])))
    assert drawn(evaluation_table(evaluation([])))


def test_a_comparison_is_a_map_of_p_values() -> None:
    table = comparison_table(
        comparison([result("chrf", 2.0, 0.0), result("perplexity", 2.0, 0.02)])
    )
    (heat,) = table.heat
    assert heat.rows == ["chrf", "perplexity"]
    assert heat.cells == [[Verdict(0.0, 1)], [Verdict(0.02, -1)]]
    shown = drawn(table)
    assert {"chrf", "perplexity", "<0.001", "0.020", "модель_a better, p < 0.05"} <= set(shown)
    twice = comparison_table(comparison([result("bleu", 1.0, 0.5), result("bleu", 1.0, 0.01)]))
    assert twice.heat[0].rows == ["bleu", "bleu (2)"]  # two signatures of one metric
    untested = comparison_table(comparison([result("chrf", None, 1.0)]))
    assert untested.heat[0].cells == [[None]]
    assert "chrf" in drawn(untested)
    assert "no rows" in drawn(comparison_table(comparison([])))


class Several(ResultOut):
    """A result of one pair among several."""

    evaluation_a: str = ""
    evaluation_b: str = ""
    system_a: str = ""
    system_b: str = ""


class Many(ComparisonOut):
    """A comparison of several systems."""

    results: list[Several] = Field(default_factory=list)  # type: ignore[assignment]


def many(pairs: list[tuple[str, str]], names: tuple[str, ...]) -> Table:
    found = [
        Several(**result(name, 2.0, 0.01).model_dump() | {"system_a": a, "system_b": b})
        for name in names
        for a, b in pairs
    ]
    return comparison_table(Many(**comparison([]).model_dump(exclude={"results"}), results=found))


def test_all_pairs_are_a_square_for_each_score() -> None:
    table = many(list(itertools.combinations("абв", 2)), ("chrf", "bleu"))
    assert [heat.title for heat in table.heat] == ["chrf: p, corrected", "bleu: p, corrected"]
    win, loss = Verdict(0.01, 1), Verdict(0.01, -1)
    assert table.heat[0].cells == [[None, win, win], [loss, None, win], [loss, loss, None]]
    assert {"а", "б", "в", "row better, p < 0.001"} <= set(drawn(table))
    assert (table.titles["label_a"], table.titles["label_b"]) == ("first", "second")
    place = [column.name for column in table.columns].index("label_a")
    assert [row[place] for row in table.rows[:3]] == ["а", "а", "б"]


def test_pairs_with_a_baseline_are_one_map() -> None:
    table = many([("x", "base"), ("y", "base")], ("chrf", "bleu"))
    (heat,) = table.heat
    assert heat.rows == ["x – base", "y – base"]
    assert heat.columns == ["chrf", "bleu"]
    assert heat.sides == ("first", "second")
