"""Votes as tables."""

from __future__ import annotations

from service.annotation.schemas import VoteOut
from service.figures.table import Column, Table, tabulate
from service.http.fields import Page

TITLES = {"sample": "sample", "annotator": "annotator", "kind": "kind", "answer": "answer"}


WHERE_ASKED = frozenset(("undone_at", "prompt", "outputs", "expected"))  # no column else


def votes_table(votes: Page[VoteOut]) -> Table:
    """A row for each vote."""
    found, values = tabulate(VoteOut, votes.data, {})
    places = [
        at
        for at, column in enumerate(found)
        if column.name not in WHERE_ASKED or any(row[at] is not None for row in values)
    ]
    rows = [[row[at] for at in places] for row in values]
    return Table(
        name="votes",
        title="Votes",
        columns=[_column(found[at]) for at in places],
        rows=rows,
        titles=TITLES,
        digits=[1] * len(rows),
    )


def _column(column: Column) -> Column:
    """Whole texts are a list in JSON, in CSV as well: it says where one ends."""
    return Column("outputs", "json") if column.name == "outputs" else column
