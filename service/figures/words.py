"""Cells as documents show them: one line of text each."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from service.figures.table import Cell, Kind, Table

MOST_DIGITS = 6
# control characters, what turns the direction of the text behind it, and what XML cannot hold
UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+"
)
BROKEN = re.compile(r"[\ud800-\udfff\ufffe\uffff]")

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def plain(text: str) -> str:
    """The text on one line, without what would command a terminal or break a document."""
    return BROKEN.sub("\ufffd", UNSHOWN.sub(" ", text)).strip()


def short(text: str, length: int) -> str:
    """The text, no longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"


def arrow(higher_is_better: bool | None) -> str:
    """Which direction is better; None: neither."""
    return {True: "↑", False: "↓", None: ""}[higher_is_better]


def headed(score: str, higher_is_better: bool | None) -> str:
    """The score with its arrow behind it, where it has one."""
    return f"{score} {arrow(higher_is_better)}".strip()


def stars(p_value: float | None) -> str:
    """One for p < 0.05, two for p < 0.01, three for p < 0.001."""
    return next((mark for below, mark in STARS if p_value is not None and p_value < below), "")


def legend(marks: Sequence[str], meaning: str) -> list[tuple[str, str]]:
    """What the stars among `marks` mean, in one entry; none where there are none."""
    used = [(mark, f"{below:g}") for below, mark in reversed(STARS) if mark in marks]
    if not used:
        return []
    named, levels = (" / ".join(one) for one in zip(*used, strict=True))
    return [(named, f"p < {levels}, {meaning}")]


def digits(value: float | None, interval: tuple[float, float] | None) -> int:
    """Behind the decimal point: two that count of the interval's width, else four of the value; of
    shares never less than two."""
    low, high = interval or (0.0, 0.0)
    width, least = high - low, 2 if max(abs(value or 0.0), abs(low), abs(high)) <= 1 else 0
    size, counted = (width, 2) if width > 0 else (abs(value or 0.0), 4)
    if not math.isfinite(size) or size == 0:
        return 2
    return max(least, min(MOST_DIGITS, counted - 1 - math.floor(math.log10(size))))


def precision(column: Sequence[tuple[float | None, tuple[float, float] | None]]) -> int:
    """The digits of values with intervals that stand below each other: the narrowest's."""
    ranged = [one for one in column if one[1] is not None] or column
    return max((digits(*one) for one in ranged), default=2)


def number(value: float, places: int) -> str:
    """With so many digits behind the point; without the sign of a zero."""
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def p_value(value: float) -> str:
    """As `0.012`, or `<0.001`."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def cells(table: Table) -> Iterator[list[str]]:
    """Of each row, the text of the columns that are shown."""
    shown = table.shown()
    for row, places in zip(table.rows, table.digits, strict=True):
        yield [plain(said(row[at], column.kind, places)) for at, column, _ in shown]


def marked(table: Table, escape: Callable[[str], str], bold: str, mark: str) -> list[list[str]]:
    """The same texts escaped, the best and the significant marked."""
    names = [column.name for _, column, _ in table.shown()]
    found = []
    for at, row in enumerate(cells(table)):
        line = []
        for name, text in zip(names, row, strict=True):
            cell = escape(text)
            if (at, name) in table.best and cell:
                cell = bold.format(cell)
            said = table.marks.get((at, name), "")
            line.append(cell + (mark.format(escape(said)) if said else ""))
        found.append(line)
    return found


def said(value: Cell, kind: Kind, places: int) -> str:  # noqa: PLR0911 (a kind each)
    """A cell's text; empty for None."""
    if value is None:
        return ""
    if kind == "interval" and isinstance(value, tuple):
        return f"[{number(value[0], places)}, {number(value[1], places)}]"
    if kind == "ranks" and isinstance(value, tuple):
        low, high = value
        return f"{low}" if low == high else f"{low}–{high}"
    if kind == "p_value" and isinstance(value, float):
        return p_value(value)
    if kind == "number" and isinstance(value, int | float):
        return number(value, places)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if kind == "texts" and isinstance(value, list):
        return "; ".join(value)
    return exact(value)


def exact(value: Any) -> str:
    """A value as files of text hold it: numbers to the last digit, objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str)
