"""What imports of votes are answered with."""

from __future__ import annotations

from pydantic import BaseModel


class VoteImportOut(BaseModel):
    """Votes that were added to a project. `annotators`: who was not there before; `left_out`: why
    other votes of the file were not, and how many; `columns`: what the file's were taken for."""

    object: str = "vote_import"
    project: str
    rows: int
    votes: int
    annotators: int
    left_out: dict[str, int]
    columns: dict[str, str]
