"""Votes as this service writes them: what `GET …/votes` gives, in whatever form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from service.annotation.answers import FIELDS
from service.annotation.schemas import AnnotatorKind, ExpectedIn, Form
from service.figures.data import FORMULA
from service.http.fields import Name, Schema, Text
from service.vote_exchange.foreign_votes import OF_MODEL, ForeignVote, Named, Place, Seconds
from service.vote_exchange.opinions import unpacked

NAMES = {"question": "sample", "output": "outputs"}  # of what other files have, too
COLUMNS = frozenset(("systems", "answer", "annotator"))  # by which a file is known


class OwnVote(Schema):
    """A vote; `systems` of a CSV are one text."""

    item: Name | None = None
    kind: Literal["item", "control", "gold", "repeat"] = "item"
    dataset: Name | None = None
    sample: Name | None = None
    systems: list[Name] | Text = Field(default_factory=list)
    annotator: Named
    annotator_kind: AnnotatorKind = "person"
    answer: ExpectedIn
    shown: Annotated[list[int], Field(max_length=8)] = Field(default_factory=list)
    comment: Text | None = None
    seconds: Seconds | None = None
    prompt: Text | None = None
    outputs: list[Text] | None = None
    undone_at: object = None

    @field_validator("shown")
    @classmethod
    def _places(cls, shown: list[int]) -> list[int]:
        if sorted(shown) != [*range(len(shown))]:
            message = "has each place of the systems once: [1, 0] where the second stood first"
            raise PydanticCustomError("no_order", message)
        return shown

    def vote(self, place: Place) -> ForeignVote:
        """The vote."""
        return ForeignVote(
            place=place,
            answer=self.answer.model_dump(exclude_none=True),
            systems=self._systems(),
            outputs=self.outputs,
            shown=self.shown,
            kind=self._kind(),
            item=self.item,
            dataset=self.dataset,
            question=self.sample,
            prompt=self.prompt,
            annotator=self.annotator,
            comment=self.comment,
            seconds=self.seconds,
            prefix="answer.",
        )

    def _kind(self) -> str:
        if self.annotator_kind == "model":
            return OF_MODEL
        return "undone" if self.undone_at else self.kind

    def _systems(self) -> list[str] | str:
        """Of a CSV's `a; b` the names, where it is clear where one ends."""
        if not isinstance(self.systems, str):
            return self.systems
        parts = self.systems.split("; ") if len(self.shown) > 1 else [self.systems]
        return parts if len(parts) == max(len(self.shown), 1) else self.systems


def is_own(columns: Iterable[str]) -> bool:
    """Whether a file with these columns is one of the service."""
    return {*columns} >= COLUMNS


def own_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the fields of an `OwnVote`: cells of tables hold lists and objects as JSON."""
    there = {name: value for name, value in row.items() if value is not None}
    found = {name: value for name, value in there.items() if name in OwnVote.model_fields}
    for name in ("answer", "shown", "outputs"):
        if name in found:
            found[name] = unpacked(found[name])
    return found


def unharmed(value: Any) -> Any:
    """A cell of a CSV without the apostrophe that keeps spreadsheets from running it."""
    if isinstance(value, str) and value[:1] == "'" and FORMULA.match(value[1:]):
        return value[1:]
    return value


def form_of(answer: Any) -> Form | None:
    """The form that has such answers; None: none has."""
    found = unpacked(answer)
    names = {*found} if isinstance(found, dict) else set()
    forms: tuple[Form, ...] = ("pairwise", "likert", "best_worst", "label", "edit")
    return next((form for form in forms if names == {*FIELDS[form]}), None)
