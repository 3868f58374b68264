"""What people say of items, as tables."""

from __future__ import annotations

from service.figures.table import Table, tabulate
from service.http.fields import Page
from service.vote_analyses.item_schemas import JudgedItemOut

TITLES = {
    "sample": "sample",
    "systems": "systems",
    "votes": "votes",
    "consensus": "consensus",
    "confidence": "confidence",
    "disagreement": "disagreement",
    "means": "means",
    "texts": "texts",
}


def items_table(items: Page[JudgedItemOut]) -> Table:
    """A row for each item."""
    columns, rows = tabulate(JudgedItemOut, items.data, {})
    return Table(
        name="items",
        title="Items",
        columns=columns,
        rows=rows,
        titles=TITLES,
        digits=[2] * len(rows),
    )
