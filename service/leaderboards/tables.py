"""Boards and comparisons as tables: what every format and the terminal render."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from service.figures.table import Bar, Cell, Heat, Panel, Table, Verdict, tabulate
from service.figures.words import digits, headed, legend, precision, stars
from service.leaderboards.moments import as_it_stood
from service.leaderboards.schemas import BoardRow, ComparisonOut, ControlRow, Leaderboard, ResultOut

BOARD = {
    "rank": "rank",
    "rank_interval": "could be",
    "label": "system",
    "value": "value",
    "interval": "interval",
    "n": "n",
    "missing": "missing",
    "p_vs_next": "p vs next",
    "p_first": "p first",
}


def board_table(board: Leaderboard) -> Table:
    """A row for each system, best first; stars where it is better than the next."""
    score = f"{board.metric} for {board.slice}" if board.slice else board.metric
    shown = headed(score, board.higher_is_better if board.judged else None)
    names = _names(board)
    given: dict[str, Cell] = {
        "dataset": board.dataset,
        "version": board.version,
        "metric": board.metric,
        "slice": board.slice,
        "signature": board.signature,
    }
    columns, rows = tabulate(BoardRow, board.rows, given, {"label": names})
    titles = BOARD | {"value": shown}
    if not any(row.missing for row in board.rows):
        del titles["missing"]
    marks = {(at, "value"): stars(row.p_vs_next) for at, row in enumerate(board.rows)}
    values = [row.value for row in board.rows]
    best = _best(values, board.higher_is_better) if board.judged else []
    what = "better than" if board.judged else "apart from"
    said = legend(list(marks.values()), f"{what} the row below, corrected for all pairs")
    scale = zip(names, board.rows, strict=True)
    panel = Panel(shown, [Bar(name, row.value, row.interval) for name, row in scale])
    return Table(
        name=f"{board.dataset}-{board.version}-{score}",
        title=f"{board.dataset}@{board.version} by {score}{as_it_stood(board.at)}",
        columns=columns,
        rows=rows,
        titles=titles,
        digits=[precision([(row.value, row.interval) for row in board.rows])] * len(rows),
        best=frozenset((at, "value") for at in best),
        marks={at: mark for at, mark in marks.items() if mark},
        legend=[*([("bold", "the best value")] if best else []), *said],
        notes=_board_notes(board),
        panels=[panel] if rows else [],
    )


def _board_notes(board: Leaderboard) -> list[str]:
    return [
        *board.warnings,
        *(_control(one) for one in board.controls or []),
        *(f"{row.system}: {note}" for row in board.rows for note in row.notes),
        *(f"left out: {one.system}: {one.reason}" for one in board.left_out),
        *(["more rows follow on the next page"] if board.has_more else []),
    ]


def _control(one: ControlRow) -> str:
    value = "no value" if one.value is None else f"{one.value:.4g}"
    return "; ".join([f"control, {one.about}: {value}", *one.notes])


def _names(board: Leaderboard) -> list[str]:
    """Systems as they are told apart: by how their outputs were made, where one is there twice."""
    count = Counter(row.system for row in board.rows)
    made = [row.protocol.text if row.protocol else row.evaluation for row in board.rows]
    return [
        row.system if count[row.system] == 1 else f"{row.system} ({how})"
        for row, how in zip(board.rows, made, strict=True)
    ]


def _best(values: Sequence[float], higher: bool) -> list[int]:
    if not values:
        return []
    best = max(values) if higher else min(values)
    return [at for at, value in enumerate(values) if value == best]


def comparison_table(found: ComparisonOut) -> Table:
    """A row for each test; the better value is bold, stars where the difference is significant."""
    results = found.results
    pairs = [_pair(one) for one in results]
    ahead = [_ahead(one) for one in results]
    given: dict[str, Cell] = {"correction": found.correction}
    better = [
        pair[0 if side > 0 else 1] if side and one.significant else None
        for one, side, pair in zip(results, ahead, pairs, strict=True)
    ]
    labels = {f"label_{side}": [pair[at] for pair in pairs] for at, side in enumerate("ab")}
    columns, rows = tabulate(ResultOut, results, given, labels | {"better": better})
    marks = {
        (at, "difference"): stars(one.p_corrected if one.significant else None)
        for at, one in enumerate(results)
    }
    best = frozenset((at, "a" if side > 0 else "b") for at, side in enumerate(ahead) if side)
    said = legend(list(marks.values()), f"the two differ, correction: {found.correction}")
    bars = [Bar(one.name, one.difference, one.interval) for one in results]
    return Table(
        name="-".join(["comparison", *(one for one in (found.a, found.b) if one)]),
        title=f"Comparison of {_listed(pairs)}",
        columns=columns,
        rows=rows,
        titles=_titles(pairs),
        digits=[digits(one.difference, one.interval) for one in results],
        best=best,
        marks={at: mark for at, mark in marks.items() if mark},
        legend=[*([("bold", "the better value")] if best else []), *said],
        notes=_comparison_notes(found, pairs),
        panels=[Panel(bar.label, [bar], zero=True) for bar in bars],
        heat=heat_maps(results, pairs, ahead),
    )


def _comparison_notes(found: ComparisonOut, pairs: Sequence[tuple[str, str]]) -> list[str]:
    several = len(set(pairs)) > 1
    return [
        *found.notes,
        *(f"not shared: {what}" for what in found.differs),
        *dict.fromkeys(
            f"{' – '.join(pair)}: {one.name}: {said}" if several else f"{one.name}: {said}"
            for one, pair in zip(found.results, pairs, strict=True)
            for said in (one.note, one.error, *one.warnings)
            if said
        ),
    ]


def _pair(one: ResultOut) -> tuple[str, str]:
    """The two systems of a result, told apart by their evaluations where they are the same."""
    a, b = one.system_a, one.system_b
    if a == b:
        return f"{a} ({one.evaluation_a})", f"{b} ({one.evaluation_b})"
    return a, b


def _ahead(one: ResultOut) -> int:
    """1: a is better, -1: b is; 0: the same, or nobody may be called better."""
    if not one.judged or not one.difference or one.note is not None or one.error is not None:
        return 0
    return 1 if (one.difference > 0) == one.higher_is_better else -1


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    return " and ".join(names) if len(names) <= 2 else f"{len(names)} systems"


def _titles(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    several = {} if len(set(pairs)) == 1 else {"label_a": "first", "label_b": "second"}
    a, b = ("first's", "second's") if several else pairs[0]
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


def heat_maps(
    results: Sequence[ResultOut], pairs: Sequence[tuple[str, str]], ahead: Sequence[int]
) -> list[Heat]:
    """Of two systems or pairs with one baseline, one map; of all against all, one a score."""
    names = _score_names(results, pairs)
    cells: dict[str, dict[tuple[str, str], Verdict]] = {name: {} for name in names}
    for name, one, pair, side in zip(names, results, pairs, ahead, strict=True):
        if one.p_corrected is not None:
            cells[name][pair] = Verdict(one.p_corrected, side)
    scores = list(cells)
    several = list(dict.fromkeys(pairs))
    sides = ("first", "second")
    if len(several) == 1:
        a, b = several[0]
        line = [[cells[score].get(several[0])] for score in scores]
        return [Heat("p, corrected", scores, [f"{a} – {b}"], line, (a, b))]
    if len({a for a, _ in several}) == 1 or len({b for _, b in several}) == 1:
        rows = [[cells[score].get(pair) for score in scores] for pair in several]
        return [Heat("p, corrected", [f"{a} – {b}" for a, b in several], scores, rows, sides)]
    systems = list(dict.fromkeys(name for pair in several for name in pair))
    return [
        Heat(
            f"{score}: p, corrected",
            systems,
            systems,
            _square(cells[score], systems),
            ("row", "column"),
        )
        for score in scores
    ]


def _score_names(results: Sequence[ResultOut], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Names of scores; a number behind that of one which a pair has twice, with two signatures."""
    seen: Counter[tuple[str, tuple[str, str]]] = Counter()
    found = []
    for one, pair in zip(results, pairs, strict=True):
        seen[one.name, pair] += 1
        count = seen[one.name, pair]
        found.append(one.name if count == 1 else f"{one.name} ({count})")
    return found


def _square(
    found: Mapping[tuple[str, str], Verdict], systems: Sequence[str]
) -> list[list[Verdict | None]]:
    """Each pair's verdict from either side, those of the pairs as they were asked for first."""
    places = {name: at for at, name in enumerate(systems)}
    cells: list[list[Verdict | None]] = [[None] * len(systems) for _ in systems]
    for (a, b), one in found.items():
        cells[places[b]][places[a]] = Verdict(one.p_value, -one.ahead)
    for (a, b), one in found.items():
        cells[places[a]][places[b]] = one
    return cells
