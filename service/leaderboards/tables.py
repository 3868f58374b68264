"""Boards and comparisons as tables: what every format and the terminal render."""

from __future__ import annotations

from collections.abc import Sequence

from service.figures.table import Bar, Cell, Heat, Panel, Table, Verdict, tabulate
from service.figures.words import arrow, digits, legend, precision, stars
from service.leaderboards.schemas import BoardRow, ComparisonOut, Leaderboard, ResultOut

BOARD = {
    "rank": "rank",
    "rank_interval": "could be",
    "system": "system",
    "value": "value",
    "interval": "interval",
    "n": "n",
    "missing": "missing",
    "p_vs_next": "p vs next",
}


def board_table(board: Leaderboard) -> Table:
    """A row for each system, best first; stars where it is better than the next."""
    score = f"{board.metric} for {board.slice}" if board.slice else board.metric
    given: dict[str, Cell] = {
        "dataset": board.dataset,
        "version": board.version,
        "metric": board.metric,
        "slice": board.slice,
        "signature": board.signature,
    }
    columns, rows = tabulate(BoardRow, board.rows, given)
    titles = BOARD | {"value": f"{score} {arrow(board.higher_is_better)}"}
    if not any(row.missing for row in board.rows):
        del titles["missing"]
    marks = {(at, "value"): stars(row.p_vs_next) for at, row in enumerate(board.rows)}
    best = _best([row.value for row in board.rows], board.higher_is_better)
    said = legend(list(marks.values()), "better than the row below, corrected for all pairs")
    return Table(
        name="-".join([board.dataset, str(board.version), score]),
        title=f"{board.dataset}@{board.version} by {score}",
        columns=columns,
        rows=rows,
        titles=titles,
        digits=[precision([(row.value, row.interval) for row in board.rows])] * len(rows),
        best=frozenset((at, "value") for at in best),
        marks={at: mark for at, mark in marks.items() if mark},
        legend=[*([("bold", "the best value")] if best else []), *said],
        notes=[
            *(f"{row.system}: {note}" for row in board.rows for note in row.notes),
            *(f"left out: {one.system}: {one.reason}" for one in board.left_out),
        ],
        panels=[
            Panel(
                f"{score} {arrow(board.higher_is_better)}",
                [Bar(row.system, row.value, row.interval) for row in board.rows],
            )
        ]
        if board.rows
        else [],
    )


def _best(values: Sequence[float], higher: bool) -> list[int]:
    if not values:
        return []
    best = max(values) if higher else min(values)
    return [at for at, value in enumerate(values) if value == best]


def comparison_table(found: ComparisonOut) -> Table:
    """A row for each test; the better value is bold, stars where the difference is significant."""
    pairs = [_pair(found, one) for one in found.results]
    given: dict[str, Cell] = {
        "evaluation_a": found.a,
        "evaluation_b": found.b,
        "system_a": found.system_a,
        "system_b": found.system_b,
        "correction": found.correction,
    }
    ahead = [_ahead(one) for one in found.results]
    better = [
        pair[0 if side > 0 else 1] if side and one.significant else None
        for one, side, pair in zip(found.results, ahead, pairs, strict=True)
    ]
    columns, rows = tabulate(ResultOut, found.results, given, {"better": better})
    marks = {
        (at, "difference"): stars(one.p_corrected)
        for at, one in enumerate(found.results)
        if one.significant
    }
    best = frozenset((at, "a" if side > 0 else "b") for at, side in enumerate(ahead) if side != 0)
    said = legend(list(marks.values()), f"the two differ, correction: {found.correction}")
    return Table(
        name=f"comparison-{found.a}-{found.b}",
        title="Comparison of " + _listed(pairs),
        columns=columns,
        rows=rows,
        titles=_titles(pairs),
        digits=[digits(one.difference, one.interval) for one in found.results],
        best=best,
        marks={at: mark for at, mark in marks.items() if mark},
        legend=[*([("bold", "the better value")] if best else []), *said],
        notes=[
            *(f"not shared: {what}" for what in found.differs),
            *(
                f"{one.name}: {said}"
                for one in found.results
                for said in (one.note, one.error)
                if said
            ),
        ],
        panels=[
            Panel(one.name, [Bar(one.name, one.difference, one.interval)], zero=True)
            for one in found.results
        ],
        heat=_heat(found.results, pairs, ahead),
    )


def _pair(found: ComparisonOut, one: ResultOut) -> tuple[str, str]:
    """The two systems of a result, told apart by their evaluations where they are the same."""
    given = found.model_dump(include={"a", "b", "system_a", "system_b"})
    own = one.model_dump(include={"evaluation_a", "evaluation_b", "system_a", "system_b"})
    a, b = (own.get(f"system_{side}") or given[f"system_{side}"] for side in "ab")
    if a == b:
        ids = [own.get(f"evaluation_{side}") or given[side] for side in "ab"]
        a, b = (f"{a} ({id})" for id in ids)
    return a, b


def _ahead(one: ResultOut) -> int:
    """1: a is better, -1: b is; 0: the same, or nobody may be called better."""
    if not one.difference or one.note is not None or one.error is not None:
        return 0
    return 1 if (one.difference > 0) == one.higher_is_better else -1


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    return " and ".join(names) if len(names) <= 2 else f"{len(names)} systems"


def _titles(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    one = set(pairs)
    (a, b), several = (next(iter(one)), {}) if len(one) == 1 else (("a", "b"), _SYSTEMS)
    return {
        "name": "score",
        **several,
        "a": a,
        "b": b,
        "difference": "difference",
        "interval": "interval",
        "p_corrected": "p",
        "n": "n",
        "better": "better",
    }


_SYSTEMS = {"system_a": "a", "system_b": "b"}


def _heat(
    results: Sequence[ResultOut], pairs: Sequence[tuple[str, str]], ahead: Sequence[int]
) -> list[Heat]:
    """Of two systems or pairs with one baseline, one map; of all against all, one a score."""
    cells = {
        (one.name, pair): Verdict(one.p_corrected, side)
        for one, pair, side in zip(results, pairs, ahead, strict=True)
        if one.p_corrected is not None
    }
    scores = list(dict.fromkeys(one.name for one in results))
    several = list(dict.fromkeys(pairs))
    sides = ("first", "second")
    if len(several) == 1:
        a, b = several[0]
        line = [[cells.get((score, several[0]))] for score in scores]
        return [Heat("p, corrected", scores, [f"{a} – {b}"], line, (a, b))]
    if len({a for a, _ in several}) == 1 or len({b for _, b in several}) == 1:
        rows = [[cells.get((score, pair)) for score in scores] for pair in several]
        return [Heat("p, corrected", [f"{a} – {b}" for a, b in several], scores, rows, sides)]
    names = list(dict.fromkeys(name for pair in several for name in pair))
    return [
        Heat(
            f"{score}: p, corrected",
            names,
            names,
            [[_both(cells, score, row, column) for column in names] for row in names],
            ("row", "column"),
        )
        for score in scores
    ]


def _both(
    cells: dict[tuple[str, tuple[str, str]], Verdict], score: str, row: str, column: str
) -> Verdict | None:
    """A pair's verdict from either side."""
    found = cells.get((score, (row, column)))
    if found is None and (turned := cells.get((score, (column, row)))) is not None:
        return Verdict(turned.p_value, -turned.ahead)
    return found
