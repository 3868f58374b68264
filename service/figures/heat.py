"""Maps of p-values: a square for each test, its colour saying who is better and how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.figures.sheet import DARK, GREY, LIGHT, SIZE, Sheet, named, widest
from service.figures.table import Heat, Table, Verdict
from service.figures.words import STARS, p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, COLUMN = 0.25, 0.52  # inches
TALLEST = 14.0  # inches of a map with very many rows
READABLE = 0.08  # inches of a row, below which its name is left out
WRITTEN = 30  # rows or columns, up to which the p-values stand in the squares

AHEAD = {1: ("#0b559f", "#4c93c8", "#a5cde3"), -1: ("#a63603", "#ec7f2d", "#fdc692")}
UNTESTED = "#ffffff"


def draw(table: Table) -> Figure:
    """The table's maps, one below the other, and what their colours mean."""
    most = max(max(len(heat.rows), len(heat.columns)) for heat in table.heat)
    row = min(ROW, TALLEST / most)
    column = COLUMN if most <= WRITTEN else row
    size = min(SIZE, row * 50) if row >= READABLE else 0.0
    names = [named(one) for heat in table.heat for one in heat.rows] if size else []
    across = [named(one) for heat in table.heat for one in heat.columns] if size else []
    sheet = Sheet(
        table.title,
        widest(names, size),
        max(4.6, column * max(len(heat.columns) for heat in table.heat)),
        0.0,
        [row * len(heat.rows) for heat in table.heat],
        above=0.4 + widest(across, size),
        below=0.1,
        foot=0.65,
    )
    for at, heat in enumerate(table.heat):
        axes = sheet.axes(at, column * len(heat.columns))
        _draw(axes, heat, most <= WRITTEN)
        sheet.heading(axes, heat.title)
        for place, name in enumerate(heat.rows if size else ()):
            sheet.beside(axes, place, named(name), "", size)
        for place, name in enumerate(heat.columns if size else ()):
            axes.text(
                place, -0.65, named(name), rotation=90, ha="center", fontsize=size, color=DARK
            )
    _key(sheet.figure, table.heat[0])
    return sheet.figure


def _draw(axes: Axes, heat: Heat, written: bool) -> None:
    from matplotlib.colors import to_rgb

    squares = [[to_rgb(_colour(cell)) for cell in row] for row in heat.cells]
    axes.imshow(squares, aspect="auto", interpolation="none")
    axes.set_axis_off()
    for at, row in enumerate(heat.cells if written else ()):
        for place, cell in enumerate(row):
            if cell is not None:
                colour = "white" if _level(cell) in {0, 1} else DARK
                text = p_value(cell.p_value)
                axes.text(place, at, text, ha="center", va="center", fontsize=7.5, color=colour)


def _key(figure: Figure, heat: Heat) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(color=AHEAD[side][level], label=f"{named(name, 24)} better, p < {STARS[level][0]:g}")
        for side, name in ((1, heat.sides[0]), (-1, heat.sides[1]))
        for level in range(len(STARS))
    ]
    patches.append(Patch(color=LIGHT, label="no verdict"))
    patches += [Patch(alpha=0.0, label=" ")] * 2  # a column for each side, and one for none
    figure.legend(
        handles=patches, loc="lower left", ncols=3, fontsize=7.5, frameon=False, labelcolor=GREY
    )


def _level(cell: Verdict) -> int | None:
    """Which of the levels the test passes; None where it says nothing."""
    passed = (at for at, (below, _) in enumerate(STARS) if cell.p_value < below)
    return next(passed, None) if cell.ahead else None


def _colour(cell: Verdict | None) -> str:
    if cell is None:
        return UNTESTED
    level = _level(cell)
    return LIGHT if level is None else AHEAD[cell.ahead][level]
