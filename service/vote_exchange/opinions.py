"""Rows of other votes than on two outputs: ratings or a label of one, the best and the worst of
several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import orjson
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from service.annotation.answers import LETTERS
from service.annotation.schemas import Letter, Rating
from service.http.fields import Name, Text
from service.vote_exchange.foreign_votes import ForeignRow, ForeignVote, Named, Place, named

LEAST, MOST = 3, len(LETTERS)  # outputs of a tuple
SIDES = [(f"model_{letter}", f"output_{letter}") for letter in LETTERS]


def _spelled(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else named(value)


class RatedRow(ForeignRow):
    """Ratings of an output by criteria; one of several in files with a row for each."""

    system: Name
    output: Text = ""
    ratings: dict[Name, Rating]
    criterion: Name | None = Field(default=None, description="of the one rating of this row")

    def vote(self, place: Place) -> ForeignVote:
        """The ratings of the row."""
        answer, outputs = {"ratings": self.ratings}, (self.output,) if self.output else None
        partial = self.criterion is not None
        return self.said(place, answer, (self.system,), outputs, partial=partial)


class LabelledRow(ForeignRow):
    """A label of an output."""

    system: Name
    output: Text = ""
    label: Annotated[Named, BeforeValidator(_spelled)]

    def vote(self, place: Place) -> ForeignVote:
        """The label."""
        outputs = (self.output,) if self.output else None
        return self.said(place, {"label": self.label}, (self.system,), outputs)


class ExtremesRow(ForeignRow):
    """The best and the worst of several outputs: letters, `a` the first, or systems' names."""

    systems: Annotated[list[Name], Field(min_length=LEAST, max_length=MOST)]
    outputs: list[Text] = Field(default_factory=list)
    best: Letter
    worst: Letter

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.outputs and len(self.outputs) != len(self.systems):
            message = f"outputs: there are {len(self.outputs)}, of {len(self.systems)} systems"
            raise PydanticCustomError("other_count", message)
        return self

    def vote(self, place: Place) -> ForeignVote:
        """The two."""
        answer = {"best": self.best, "worst": self.worst}
        return self.said(place, answer, self.systems, self.outputs or None)


def rating_fields(row: Mapping[str, Any], ratings: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the names of its fields, as those of a `RatedRow`; empty cells are no ratings.

    ratings  by criterion, of files with a column for each
    """
    found = {name: value for name, value in row.items() if name != "rating"}
    if "criterion" in found:
        found["ratings"] = {found["criterion"]: row["rating"]} if "rating" in row else {}
    elif "ratings" not in found:
        found["ratings"] = dict(ratings)
    else:
        given = unpacked(found["ratings"])
        if isinstance(given, dict):
            given = {criterion: value for criterion, value in given.items() if value is not None}
        found["ratings"] = given
    return found


def extreme_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the names of its fields, as those of an `ExtremesRow`: with lists of systems and
    outputs, or a column for each."""
    sides = {name for side in SIDES for name in side}
    found = {name: value for name, value in row.items() if name not in sides}
    for name, place in (("systems", 0), ("outputs", 1)):
        if name in found:
            found[name] = unpacked(found[name])
        else:
            found[name] = [row.get(side[place], "") for side in SIDES if side[0] in row]
    systems = found["systems"] if isinstance(found["systems"], list) else []
    for name in ("best", "worst"):
        if name in found:
            found[name] = _letter(found[name], systems)
    if not any(found["outputs"]):
        del found["outputs"]
    return found


def unpacked(value: Any) -> Any:
    """The list or object in a text of a table's cell; other values stay as they are."""
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _letter(said: Any, systems: list[Any]) -> Any:
    """A system's name as its letter; what is none stays as it is."""
    text = said.strip() if isinstance(said, str) else said
    if text in systems[:MOST]:
        return LETTERS[systems.index(text)]
    return text.lower().removeprefix("output_") if isinstance(text, str) else text
