"""Votes as tables."""

from __future__ import annotations

from service.annotation.schemas import VoteOut
from service.figures.table import Table, tabulate
from service.http.fields import Page

TITLES = {"sample": "sample", "annotator": "annotator", "kind": "kind", "answer": "answer"}


def votes_table(votes: Page[VoteOut]) -> Table:
    """A row for each vote."""
    columns, rows = tabulate(VoteOut, votes.data, {})
    return Table(
        name="votes",
        title="Votes",
        columns=columns,
        rows=rows,
        titles=TITLES,
        digits=[1] * len(rows),
    )
