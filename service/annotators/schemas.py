"""Who annotates: what is asked of annotators, and how they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.annotation.schemas import AnnotatorKind
from service.http.fields import Name, Schema


class AnnotatorIn(Schema):
    """Somebody who is to judge, or a model. The name is for you: exports have a hash in its
    place."""

    name: Name
    expires_in: Annotated[int, Field(ge=60, le=366 * 86400)] = Field(
        30 * 86400, description="seconds until the link ends"
    )
    model: Name | None = Field(
        None, description="that can be chatted with: it judges every item, apart from people"
    )
    reasons: bool = Field(False, description="of a model: it says why first, as a comment")
    max_new_tokens: Annotated[int, Field(ge=1, le=32768)] | None = Field(
        None, description="of a model's answer; null: 16, with reasons 512"
    )


class NewAnnotatorOut(BaseModel):
    """The token is shown this once: only a digest of it is stored. Who has the link may vote."""

    id: str
    object: str = "annotator"
    name: str
    token: str
    url: str
    expires_at: datetime


class ShareOut(BaseModel):
    """How many there were, how many agreed, and the share; null where there were none."""

    n: int
    agreed: int
    share: float | None


class ExportedDatasetOut(BaseModel):
    """A version of a dataset that a project's votes were exported to."""

    id: str
    name: str
    version: int


class AnnotatorOut(BaseModel):
    """A person's work, or a model's. `gold`: answers as expected, `control`: ties among equal
    texts, `repeats`: the same answer as the first time; `seconds`: the median of an item;
    `datasets`: versions that hold votes of theirs, oldest first.

    Of a model: its name; whether it still judges; `skip_reasons`, the commonest, with how many;
    `error`: what ended it. It has no link that expires."""

    id: str
    object: str = "annotator"
    kind: AnnotatorKind
    name: str
    hash: str
    model: str | None
    status: Literal["active", "expired", "revoked", "judging", "done", "failed"]
    votes: int
    skips: int
    gold: ShareOut
    control: ShareOut
    repeats: ShareOut
    seconds: float | None
    datasets: list[ExportedDatasetOut]
    skip_reasons: dict[str, int]
    error: str | None
    created_at: datetime
    expires_at: datetime | None


class DeletedAnnotatorOut(BaseModel):
    """Whose link is ended. `votes`: how many votes were deleted with the person; `datasets`:
    versions that hold votes of theirs, and stay as they are: make these, and what was trained on
    them, again."""

    id: str
    object: str = "annotator"
    deleted: bool
    votes: int
    datasets: list[ExportedDatasetOut]
