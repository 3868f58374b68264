"""Tables in the terminal, a bar for each interval. Colours come on a terminal alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from service.figures.table import LEFT, PAIRS, Bar, Panel, Table
from service.figures.words import cells, plain

BARS = (12, 36)  # columns of the screen that bars take, at least and at most
LEAST = 14  # that a text takes before it is folded
FOLDED = 32  # that a text may take before bars become narrower
GAP = 3  # between two columns, with the mark that one may have behind it
WIDE = 200  # columns of what is no terminal, where nothing says how many it has


def screen() -> Console:
    """The console of standard output; what is piped is not cut to eighty columns."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDE
    return console


def show(table: Table, console: Console) -> None:
    """Print the table, its legend and its notes."""
    console.print(Text(plain(table.title), style="bold"), soft_wrap=True)
    console.print(_grid(table, console))
    if table.legend:
        said = "; ".join(f"{mark}: {meaning}" for mark, meaning in table.legend)
        console.print(Text(said, style="dim"), soft_wrap=True)
    for note in table.notes:
        console.print(Text(f"- {plain(note)}"), soft_wrap=True)


def _grid(table: Table, console: Console) -> Grid:
    """Bars get what room there is. On a narrow screen there are none, and columns stand closer."""
    room = console.width - _taken(table)
    grid = Grid(
        box=box.ASCII if console.options.ascii_only else box.SIMPLE,
        padding=(0, 1) if room >= 0 else (0, 1, 0, 0),
    )
    for (_, column, title), longest in zip(table.shown(), _longest(table), strict=True):
        left = column.kind in LEFT
        grid.add_column(
            Text(plain(title)),
            justify="left" if left else "right",
            no_wrap=not left and column.kind not in PAIRS,
            overflow="fold" if left else "ellipsis",
            min_width=min(longest, LEAST) if left else None,
        )
    drawn = None
    width = min(BARS[1], room - GAP)
    if width >= BARS[0]:
        grid.add_column("", no_wrap=True, min_width=width)
        drawn = bars(table, width, console.options.ascii_only)
    for at, row in enumerate(cells(table)):
        line = []
        for (_, column, _), text in zip(table.shown(), row, strict=True):
            style = "bold" if (at, column.name) in table.best else ""
            cell = Text(text, style=style)
            cell.append(table.marks.get((at, column.name), ""), style="not bold")
            line.append(cell)
        grid.add_row(*line, *([Text(next(drawn), style="cyan")] if drawn is not None else []))
    return grid


def _longest(table: Table) -> list[int]:
    """Of each column that is shown, what its longest text takes of the screen."""
    lines = [[title for _, _, title in table.shown()], *cells(table)]
    return [max(cell_len(plain(text)) for text in texts) for texts in zip(*lines, strict=True)]


def _taken(table: Table) -> int:
    """What the table takes of the screen before its bars, where long texts are folded."""
    kinds = [column.kind for _, column, _ in table.shown()]
    widths = zip(kinds, _longest(table), strict=True)
    return GAP + sum(GAP + (min(one, FOLDED) if kind in LEFT else one) for kind, one in widths)


def bars(table: Table, width: int, plainly: bool = False) -> Iterator[str]:
    """A line of `width` characters for each row; the rows of a panel are on one scale."""
    signs = tuple("|-|o:" if plainly else "├─┤●┊")
    for panel in table.panels:
        low, high = scale(panel)
        for bar in panel.bars:
            yield _bar(bar, low, high, width, signs, panel.zero)


def scale(panel: Panel) -> tuple[float, float]:
    """Where a panel's scale begins and ends."""
    ends = [*(panel.ends or ())]
    ends += [end for bar in panel.bars for end in (bar.interval or ())]
    ends += [bar.value for bar in panel.bars if bar.value is not None]
    if panel.zero:
        most = max((abs(end) for end in ends), default=0.0)
        return -most, most
    return min(ends, default=0.0), max(ends, default=0.0)


def _bar(bar: Bar, low: float, high: float, width: int, signs: tuple[str, ...], zero: bool) -> str:
    if bar.value is None:
        return ""

    def place(value: float) -> int:
        part = (value - low) / (high - low) if high > low else 0.5
        return round(part * (width - 1))

    left, middle, right, point, origin = signs
    line = [" "] * width
    if zero:
        line[place(0.0)] = origin
    if bar.interval is not None:
        begin, end = place(bar.interval[0]), place(bar.interval[1])
        line[begin : end + 1] = middle * (end + 1 - begin)
        line[begin], line[end] = left, right
        if zero and begin < place(0.0) < end:
            line[place(0.0)] = origin
    line[place(bar.value)] = point
    return "".join(line).rstrip()
