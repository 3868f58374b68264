"""Figures as SVG. The same table gives the same bytes.

Text stays text: the viewer's fonts show it, and it can be searched, copied and read aloud.
"""

from __future__ import annotations

import io
import warnings
from threading import Lock
from typing import Any

from service.figures import bars, heat
from service.figures.sheet import SIZE
from service.figures.table import Table
from service.figures.words import plain

ONE = Lock()  # matplotlib's settings are the process's: one figure at a time
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "assay",  # else ids differ from one drawing to the next
    "svg.fonttype": "none",
    "text.parse_math": False,  # a `$` in a name is a dollar
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],  # matplotlib brings it along
    "font.size": SIZE,
    "axes.formatter.use_mathtext": False,
}


def as_svg(table: Table) -> bytes:
    """The table's maps of p-values, or its bars where it has none."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    about = {"Title": plain(table.title), "Date": None, "Creator": None}
    file = io.BytesIO()
    with ONE, mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the viewer's fonts may have what ours lack
        figure = heat.draw(table) if table.heat else bars.draw(table)
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(file, metadata=about)
    return file.getvalue()
