"""What annotators see and say: nothing of it tells a system."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.annotation.schemas import Form, Language, Letter, Rating
from service.http.fields import Name, Schema, Text

Held = Annotated[Text, Field(min_length=1, max_length=100)]


class CriterionOut(BaseModel):
    """What outputs are judged by; `scale`: the least and the greatest rating."""

    name: str
    scale: tuple[int, int] | None
    description: str | None
    anchors: dict[str, str]


class ItemOut(BaseModel):
    """What is to be judged: of pairwise `a` and `b`, of best_worst `outputs`, which are called a,
    b, … in their order, else `output`. All are plain text, whatever they look like."""

    id: str
    form: Form
    prompt: str | None
    a: str | None = None
    b: str | None = None
    output: str | None = None
    outputs: list[str] | None = None
    criteria: list[CriterionOut]
    labels: list[str]
    ties: bool
    lease_until: datetime


class VoteIn(Schema):
    """An answer in the form of the project, in the order in which the outputs were shown."""

    item: Held
    choice: Literal["a", "b", "tie"] | None = None
    ratings: dict[Name, Rating] | None = None
    best: Letter | None = None
    worst: Letter | None = None
    label: Name | None = None
    text: Text | None = None
    comment: Annotated[Text, Field(max_length=10_000)] | None = None
    seconds: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] | None = None


class NextOut(BaseModel):
    """The item to judge; null: there is none, and `completion_code` proves that it was done. An
    item that is out stays the same until it is voted on or skipped. `done`: votes so far;
    `remaining`: how many more there are for this person, this item among them. `previous`, after
    an undo: the answer that was taken back."""

    item: ItemOut | None
    done: int
    remaining: int
    completion_code: str | None = None
    previous: VoteIn | None = None


class HeldIn(Schema):
    """An item that is out."""

    item: Held


class LeaseOut(BaseModel):
    """Until when the item is kept."""

    item: str
    lease_until: datetime


class SkipIn(Schema):
    """An item that cannot be judged, and why; it goes to somebody else."""

    item: Held
    reason: Annotated[Text, Field(max_length=1000)] | None = None


class VotedOut(BaseModel):
    """A vote that is stored, now or before."""

    item: str
    done: int
    remaining: int


class AnnotationTaskOut(BaseModel):
    """What an annotator is asked to do, and how far that is."""

    name: str
    form: Form
    language: Language
    instructions: str
    criteria: list[CriterionOut]
    labels: list[str]
    ties: bool
    closed: bool
    done: int
    remaining: int
    completion_code: str | None
    expires_at: datetime
