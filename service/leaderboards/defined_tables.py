"""Defined boards and Pareto's fronts as tables."""

from __future__ import annotations

from collections.abc import Sequence

from service.figures.table import Bar, Cell, Column, Kind, Panel, Table, tabulate
from service.figures.words import headed, legend, precision, stars
from service.leaderboards.defined_schemas import DefinedBoard, DefinedRow, Front, FrontRow
from service.leaderboards.moments import as_it_stood

KINDS: tuple[Kind, ...] = ("number", "interval", "text")  # of a score: value, interval, evaluation

BOARD = {
    "rank": "rank",
    "rank_interval": "could be",
    "system": "system",
    "value": "value",
    "interval": "interval",
    "p_vs_next": "p vs next",
    "p_first": "p first",
}


def defined_board_table(board: DefinedBoard) -> Table:
    """A row for each system, best first, with a column for each part behind."""
    given: dict[str, Cell] = {"board": board.name, "aggregate": board.aggregate}
    columns, rows = tabulate(DefinedRow, board.rows, given)
    at = next(place for place, column in enumerate(columns) if column.name == "parts")
    names = [
        f"{part.score} for {part.slice}, {part.dataset}"
        if part.slice
        else f"{part.score}, {part.dataset}"
        for part in board.parts
    ]
    shown = headed(board.aggregate, board.higher_is_better if board.judged else None)
    marks = {(place, "value"): stars(row.p_vs_next) for place, row in enumerate(board.rows)}
    what = "better than" if board.judged else "apart from"
    said = legend(list(marks.values()), f"{what} the row below, corrected for all pairs")
    values = [
        [*cells[:at], *cells[at + 1 :], *(part.value for part in row.parts)]
        for cells, row in zip(rows, board.rows, strict=True)
    ]
    first = {place for place, row in enumerate(board.rows) if row.rank == 1 and board.judged}
    bars = [Bar(row.system, row.value, row.interval) for row in board.rows]
    return Table(
        name=f"board-{board.name}",
        title=f"{board.name} by {board.aggregate} of {len(board.parts)} parts"
        + as_it_stood(board.at),
        columns=[*columns[:at], *columns[at + 1 :], *(Column(one, "number") for one in names)],
        rows=values,
        titles=BOARD | {"value": shown} | {name: name for name in names},
        digits=[precision([(row.value, row.interval) for row in board.rows])] * len(values),
        best=frozenset((place, "value") for place in first),
        marks={place: mark for place, mark in marks.items() if mark},
        legend=[*([("bold", "the best value")] if first else []), *said],
        notes=[
            *board.warnings,
            *(f"{row.system}: {note}" for row in board.rows for note in row.notes),
            *(f"left out: {one.system}: {one.reason}" for one in board.left_out),
        ],
        panels=[Panel(shown, bars)] if bars else [],
    )


def front_table(front: Front) -> Table:
    """A row for each system, those on the front first and bold, a panel for each score."""
    names = [one.score for one in front.scores]
    columns, rows = _front_cells(front, names)
    titled = {one.score: headed(one.score, one.higher_is_better) for one in front.scores}
    best = {at for at, row in enumerate(front.rows) if row.on_front}
    pairs = [[(row.values[name], row.intervals[name]) for name in names] for row in front.rows]
    first = names[0]
    bars = [Bar(row.system, row.values[first], row.intervals[first]) for row in front.rows]
    return Table(
        name=f"pareto-{front.dataset}-{front.version}",
        title=f"{front.dataset}@{front.version}: front of {' and '.join(names)}",
        columns=columns,
        rows=rows,
        titles={"system": "system", "share": "share on front"} | titled,
        digits=[precision(of) for of in pairs],
        best=frozenset((at, "system") for at in best),
        legend=[("bold", "on the front: nobody is as good by every score and better by one")]
        if best
        else [],
        notes=[
            *front.warnings,
            *(f"left out: {one.system}: {one.reason}" for one in front.left_out),
        ],
        panels=[Panel(titled[first], bars)] if bars else [],
    )


def _front_cells(front: Front, names: Sequence[str]) -> tuple[list[Column], list[list[Cell]]]:
    """What rows have of themselves, and behind it columns of each KIND for each score."""
    given: dict[str, Cell] = {
        "dataset": front.dataset,
        "version": front.version,
        "slice": front.slice,
    }
    columns, rows = tabulate(FrontRow, front.rows, given)
    hidden = {"values", "intervals", "evaluations"}
    shown = [at for at, column in enumerate(columns) if column.name not in hidden]
    added = [
        Column(name, kind) if kind == "number" else Column(f"{name}_{kind}", kind)
        for name in names
        for kind in KINDS
    ]
    values = [
        [
            *(cells[at] for at in shown),
            *(of[name] for name in names for of in (row.values, row.intervals, row.evaluations)),
        ]
        for cells, row in zip(rows, front.rows, strict=True)
    ]
    return [*(columns[at] for at in shown), *added], values
