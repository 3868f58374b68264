"""Scores of which neither high nor low is better: no form shows a direction, or calls one best."""

from __future__ import annotations

import httpx
from rich.console import Console

from assay import Client
from service.figures.formats import FORMATS
from service.figures.terminal import show
from service.leaderboards.tables import board_table, comparison_table
from tests.known import known
from tests.service.figures.boards import board, comparison, result
from tests.service.live import Live
from tests.service.scored import scored

ARROWS = ("↑", "↓", "uparrow", "downarrow")


def test_a_board_has_no_arrow_and_no_best_value() -> None:
    console = Console(width=200)
    for judged in (True, False):
        table = board_table(board(["one", "two"], metric="length", judged=judged))
        with console.capture() as captured:
            show(table, console)
        written = [FORMATS[name].render(table).decode() for name in ("md", "latex", "svg")]
        for text in (captured.get(), *written):
            assert any(one in text for one in ARROWS) == judged
        assert bool(table.best) == judged
        assert ("better" in table.legend[-1][1]) == judged


def test_nobody_is_better_by_it_in_a_comparison() -> None:
    results = [result("chrf", 5.0, 0.001), result("length", 5.0, 0.001, judged=False)]
    table = comparison_table(comparison(results))
    column = [one.name for one in table.columns].index("better")
    assert [row[column] for row in table.rows] == ["модель_a", None]
    assert table.best == {(0, "a")}
    assert set(table.marks) == {(0, "difference"), (1, "difference")}


def test_the_declaration_reaches_boards_comparisons_and_evaluations(
    live: Live, assay: Client
) -> None:
    samples = [{"id": str(at), "output": "a b c" * at, "references": ["a b"]} for at in range(12)]
    asked = {"dataset": "directions", "metrics": ["length", "chrf"]}
    one, two = (
        scored(assay, system=name, samples=part, **asked)
        for name, part in (("one", samples), ("two", [x | {"output": "a"} for x in samples]))
    )
    wanted = {"length": False, "chrf": True}
    assert {x.name: x.judged for x in one.scores} == wanted
    assert {x.name: x.judged for x in assay.compare(one.id, two.id)} == wanted
    assert {x.name: x.judged for x in assay.metric("length").scores} == {"length": False}
    assay.create_board("lengths", [{"dataset": "directions", "score": "length"}])
    own = known(assay.board("lengths"))
    assert (own.judged, own.parts[0].judged) == (False, False)
    for path in ("leaderboards/directions?metric=length", "boards/lengths?"):
        for form in ("csv", "md", "latex", "svg"):
            text = httpx.get(f"{live.base}/v1/{path}&format={form}").raise_for_status().text
            assert not any(one in text for one in ARROWS), (path, form)
    for name, judged in wanted.items():
        assert assay.leaderboard("directions", name).judged is judged
