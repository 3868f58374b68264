"""What a figure is drawn on: blocks below each other, names beside their rows. Sizes in inches."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from service.figures.words import plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINT = 1 / 72
SIZE = 9.0  # points
MARGIN = 0.15
HEADING = 0.35
GAP = 0.08  # between a drawing and the texts at its ends
LONGEST = 48  # characters of a name

DARK, GREY, LIGHT = "#1b1f24", "#6b7280", "#e5e7eb"


class Sheet:
    """A figure with a title and a block of rows for each of `heights`.

    left, width, right  of the names, the drawing, and what stands behind it
    above, below        room at each block
    foot                room under the last one
    """

    def __init__(
        self,
        title: str,
        left: float,
        width: float,
        right: float,
        heights: Sequence[float],
        above: float,
        below: float,
        foot: float = 0.0,
    ) -> None:
        from matplotlib.figure import Figure

        self.left, self.width = left + 2 * MARGIN, width
        self.heights, self.above, self.below = heights, above, below
        blocks = sum(heights) + len(heights) * (above + below)
        across = max(self.left + width + right, widest([named(title, 90)], 11.0))
        self.size = (across + 2 * MARGIN, HEADING + blocks + foot + MARGIN)
        self.figure = Figure(figsize=self.size, facecolor="white")
        at = (MARGIN / self.size[0], 1 - (MARGIN + SIZE * POINT) / self.size[1])
        self.figure.text(*at, named(title, 90), fontsize=11, weight="bold", color=DARK)

    def axes(self, block: int, width: float | None = None) -> Axes:
        """The axes of a block, of the whole width where none is given."""
        before = sum(self.heights[:block]) + block * (self.above + self.below)
        top = HEADING + before + self.above
        bottom = self.size[1] - top - self.heights[block]
        place = (
            self.left / self.size[0],
            bottom / self.size[1],
            (width or self.width) / self.size[0],
            self.heights[block] / self.size[1],
        )
        return self.figure.add_axes(place)

    def heading(self, axes: Axes, text: str) -> None:
        """The title of a block, above all that belongs to it."""
        box = axes.get_position()
        height = box.y1 + (self.above - SIZE * POINT - 0.03) / self.size[1]
        self.figure.text(box.x0, height, named(text), color=DARK, fontsize=SIZE)

    def beside(self, axes: Axes, row: int, before: str, behind: str, size: float = SIZE) -> None:
        """Texts at both ends of a row."""
        from matplotlib.transforms import ScaledTranslation

        for x, text, side, colour in ((0, before, "right", DARK), (1, behind, "left", GREY)):
            gap = ScaledTranslation((2 * x - 1) * GAP, 0, self.figure.dpi_scale_trans)
            place = axes.get_yaxis_transform() + gap
            if text:
                axes.text(
                    x, row, text, transform=place, ha=side, va="center", fontsize=size, color=colour
                )


def named(text: str, length: int = LONGEST) -> str:
    """A name as figures show it."""
    return short(plain(text), length)


def widest(texts: Sequence[str], size: float = SIZE) -> float:
    """Inches that the longest of the texts takes, roughly: fonts are the viewer's."""
    ems = (
        sum(1.0 if unicodedata.east_asian_width(one) in "WF" else 0.6 for one in text)
        for text in texts
    )
    return max(ems, default=0.0) * size * POINT
