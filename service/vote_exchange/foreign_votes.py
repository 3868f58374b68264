"""Votes from elsewhere: what a row of a file says, whatever the form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from service.errors import MOST_ERRORS, ApiError, ErrorDetail
from service.http.fields import Name, Schema, Text


def named(value: Any) -> Any:
    """Numbers name questions, people and labels, too."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


OF_MODEL = "model"  # the kind of votes that are no person's

Named = Annotated[Name, BeforeValidator(named)]
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Place:
    """Of a row in a file: its number from 0, how a person finds it, and the columns of its fields;
    `field.*` is of a part of one, whichever."""

    index: int
    where: str
    columns: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> str:
        """The column that holds a field, or a part of one: `ratings.helpfulness`."""
        first, _, part = name.partition(".")
        known = self.columns.get(name) or (self.columns.get(f"{first}.*") if part else None)
        whole = self.columns.get(first, first)
        return known or (f"{whole}.{part}" if part else whole)


@dataclass(frozen=True, slots=True)
class ForeignVote:
    """A vote of a file; `answer` is in the order of the row's `systems` and `outputs`.

    systems   a text where the file has their names in one, as CSV has: sorted, `a; b`
    outputs   None: the file does not have them
    shown     places in the row's order, in that in which the outputs were seen
    partial   one rating of several: the others stand in other rows
    prefix    of the answer's fields in errors
    """

    place: Place
    answer: Mapping[str, Any]
    systems: Sequence[str] | str = ()
    outputs: Sequence[str] | None = None
    shown: Sequence[int] = ()
    kind: str = "item"
    item: str | None = None
    dataset: str | None = None
    question: str | None = None
    prompt: str | None = None
    annotator: str | None = None
    comment: str | None = None
    seconds: float | None = None
    partial: bool = False
    prefix: str = ""


class ForeignRow(Schema):
    """What rows of every form may tell."""

    question: Named | None = None
    prompt: Text | None = None
    annotator: Named | None = None
    comment: Text | None = None
    seconds: Seconds | None = None

    @abstractmethod
    def vote(self, place: Place) -> ForeignVote:
        """The vote of the row."""

    def said(
        self,
        place: Place,
        answer: Mapping[str, Any],
        systems: Sequence[str],
        outputs: Sequence[str] | None,
        partial: bool = False,
    ) -> ForeignVote:
        """A vote with what all rows tell."""
        return ForeignVote(
            place=place,
            answer=answer,
            systems=systems,
            outputs=outputs,
            shown=range(len(systems)),
            question=self.question,
            prompt=self.prompt,
            annotator=self.annotator,
            comment=self.comment,
            seconds=self.seconds,
            partial=partial,
        )


class RowErrors:
    """What is wrong in a file, up to the twentieth error."""

    def __init__(self) -> None:
        self._errors: list[ErrorDetail] = []

    @property
    def full(self) -> bool:
        """Whether there are as many as are told."""
        return len(self._errors) >= MOST_ERRORS

    def add(self, place: Place, column: str, said: str, code: str) -> None:
        """An error of a row, in a column."""
        param = f"rows[{place.index}].{column}"
        message = f"{place.where}, {column}: {said}"
        self._errors.append(ErrorDetail(param=param, message=message, code=code))

    def check(self, code: str = "invalid_rows") -> None:
        """Raises 422 where there are any."""
        if self._errors:
            errors = self._errors[:MOST_ERRORS]
            message = f"nothing was stored. {'; '.join(one.message for one in errors)}"
            raise ApiError(422, code, message, errors[0].param, errors=errors)
