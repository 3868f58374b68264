"""Values with their intervals, a panel for each scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.figures.sheet import DARK, GREY, LIGHT, SIZE, Sheet, named, widest
from service.figures.table import Bar, Panel, Table
from service.figures.words import number, said

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, WIDTH = 0.25, 4.2  # inches
LINE = "#2563a8"


def draw(table: Table) -> Figure:
    """The table's panels, one below the other."""
    bars = [bar for panel in table.panels for bar in panel.bars]
    names = widest([named(bar.label) for bar in bars])
    behind = [_behind(bar, places) for bar, places in zip(bars, table.digits, strict=True)]
    texts = iter(behind)
    panels = table.panels or [Panel("no rows", [])]
    heights = [ROW * max(len(panel.bars), 1) for panel in panels]
    sheet = Sheet(table.title, names, WIDTH, widest(behind), heights, above=0.32, below=0.28)
    for at, panel in enumerate(panels):
        axes = sheet.axes(at)
        _draw(axes, panel)
        sheet.heading(axes, panel.title)
        for row, bar in enumerate(panel.bars):
            sheet.beside(axes, row, named(bar.label), next(texts))
    return sheet.figure


def _draw(axes: Axes, panel: Panel) -> None:
    points = [(bar.value, at) for at, bar in enumerate(panel.bars) if bar.value is not None]
    ranges = [(at, *bar.interval) for at, bar in enumerate(panel.bars) if bar.interval is not None]
    if panel.zero:
        axes.axvline(0.0, color=GREY, linewidth=0.8)
    if ranges:
        rows, low, high = zip(*ranges, strict=True)
        axes.hlines(rows, low, high, color=LINE, linewidth=2.2, alpha=0.5)
    if points:
        values, rows = zip(*points, strict=True)
        axes.plot(values, rows, "o", color=LINE, markersize=4.5)
        axes.grid(axis="x", color=LIGHT, linewidth=0.7)
    if panel.ends is not None:
        axes.set_xlim(*panel.ends)
    axes.set_axisbelow(True)
    axes.set_ylim(max(len(panel.bars), 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.tick_params(axis="x", colors=GREY, labelsize=SIZE - 1, length=2)
    if not points:
        axes.set_xticks([])
        axes.text(0.0, 0.5, "no value", transform=axes.transAxes, va="center", color=DARK)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GREY)


def _behind(bar: Bar, places: int) -> str:
    if bar.value is None:
        return "–"
    return f"{number(bar.value, places)} {said(bar.interval, 'interval', places)}".rstrip()
