"""The formats that any table has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.figures.data import as_csv, as_jsonl, as_parquet
from service.figures.latex import as_latex
from service.figures.markdown import as_markdown
from service.figures.svg import as_svg
from service.figures.table import Table


@dataclass(frozen=True, slots=True)
class Format:
    """A format by its name in `?format=`, its media type, and how its files end."""

    name: str
    media: str
    ending: str
    render: Callable[[Table], bytes]
    text: bool = True
    inline: bool = False  # shown by browsers, not saved
    drawn: bool = False  # a picture of the table, where it has one


FORMATS = {
    one.name: one
    for one in (
        Format("csv", "text/csv", "csv", as_csv),
        Format("jsonl", "application/jsonl", "jsonl", as_jsonl),
        Format("md", "text/markdown", "md", as_markdown, inline=True),
        Format("latex", "application/x-latex", "tex", as_latex),
        Format("parquet", "application/vnd.apache.parquet", "parquet", as_parquet, text=False),
        Format("svg", "image/svg+xml", "svg", as_svg, text=False, inline=True, drawn=True),
    )
}
