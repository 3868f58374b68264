"""Markdown shows what was meant, whatever systems are called."""

from __future__ import annotations

import re

from service.evaluations.tables import evaluation_table
from service.figures.latex import as_latex
from service.figures.markdown import as_markdown, in_markdown
from service.figures.words import digits, number, p_value, plain
from service.leaderboards.tables import board_table, comparison_table
from tests.service.figures.boards import HOSTILE, board, comparison, evaluation, result, score


def markdown_rows(text: str) -> list[list[str]]:
    """Cells of the table's lines, split at bars that are not escaped; escapes taken away."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in split]


def test_markdown_keeps_its_columns_and_names() -> None:
    text = as_markdown(board_table(board(HOSTILE))).decode()
    head, rule, *rows = markdown_rows(text)
    assert head == ["rank", "could be", "system", "chrf ↑", "interval", "n", "p vs next"]
    assert rule[2:4] == ["---", "---:"]
    assert {len(row) for row in rows} == {len(head)}
    assert [row[2] for row in rows] == [plain(name) for name in HOSTILE]
    assert [row[3] for row in rows[:3]] == ["**60.0*****", "59.0*", "58.0"]
    assert [row[4] for row in rows[:3]] == ["[58.8, 61.2]", "[57.8, 60.2]", ""]
    assert [row[6] for row in rows[:3]] == ["<0.001", "0.030", "0.200"]
    assert "\\* / \\*\\*\\*: p \\< 0.05 / 0.001, better than the row below" in text
    assert "- left out: a\\_b: no value" in text


def test_markdown_makes_no_markup_of_a_name() -> None:
    for name in HOSTILE:
        bare = re.sub(r"\\.", "", in_markdown(name))
        assert not re.search(r"[`*_\[\]<>|~$&#{}^!@\\\x00-\x1f]|://", bare), name
    assert in_markdown("see https://x.example or www.x.example") == (
        "see https\\://x.example or www\\.x.example"
    )


def test_a_board_without_rows_is_still_a_document() -> None:
    empty = board_table(board([], left_out=[]))
    assert as_markdown(empty).decode() == "### news/ru\\@3 by chrf\n\nNo rows.\n"
    assert "\\multicolumn{8}{l}{No rows.}" in as_latex(empty).decode()


def test_the_better_of_two_is_bold_and_no_verdict_is_not() -> None:
    withheld = result("bleu", 2.0, 0.01, significant=None, note="a lacks some")
    lower = result("perplexity", 2.0, 0.001)
    table = comparison_table(comparison([result("chrf", 2.0, 0.2), lower, withheld]))
    head, _, *rows = markdown_rows(as_markdown(table).decode())
    assert head[:4] == ["score", "модель_a", "b$", "difference"]
    assert [row[1:4] for row in rows] == [
        ["**41.2**", "39.2", "2.0"],
        ["41.2", "**39.2**", "2.0**"],
        ["41.2", "39.2", "2.0"],
    ]
    assert [row[-1] for row in rows] == ["", "b$", ""]
    assert "bleu: a lacks some" in table.notes


def test_an_evaluation_says_what_failed_and_what_to_know() -> None:
    one = evaluation([score("chrf", 40.0), score("bleu", None)], [score("chrf", 44.0, "lang=ru")])
    text = as_markdown(evaluation_table(one)).decode()
    assert [row[0] for row in markdown_rows(text)[2:]] == ["chrf", "chrf", "bleu"]
    assert "95% interval" in text
    assert "- bleu: it failed" in text
    assert "- chrf for lang=ru: few samples" in text


def test_as_many_digits_as_the_interval_leaves_meaning() -> None:
    cases: list[tuple[float, tuple[float, float] | None, str]] = [
        (41.234, (40.1, 42.6), "41.2"),
        (0.41234, (0.39, 0.44), "0.412"),
        (1234.5, (1100.0, 1400.0), "1234"),
        (0.5, None, "0.5000"),
        (0.5, (0.5, 0.5), "0.5000"),
        (-0.001, (-0.3, 0.4), "0.00"),
    ]
    assert [number(value, digits(value, ends)) for value, ends, _ in cases] == [
        text for _, _, text in cases
    ]
    assert (p_value(0.0), p_value(0.00099), p_value(0.001)) == ("<0.001", "<0.001", "0.001")
