"""Types that several resources' schemas share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

MOST_UNKNOWN = 20  # fields of an object that errors are told about
LONGEST_NAME = 200  # characters
DEEPEST = 64  # levels of metadata: nobody needs more, and encoders have limits


def _storable(value: str) -> str:
    """PostgreSQL's text holds neither NUL nor half of a surrogate pair."""
    if "\x00" in value:
        at = value.index("\x00")
        raise PydanticCustomError("nul_character", f"holds a NUL character at position {at}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        message = f"holds a lone surrogate at position {error.start}: it is not valid Unicode"
        raise PydanticCustomError("lone_surrogate", message) from None
    return value


def _storable_json(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise PydanticCustomError("too_deep", f"is nested more than {DEEPEST} levels deep")
    if isinstance(value, str):
        _storable(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("not_finite", "holds a number that is not finite")
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise PydanticCustomError("integer_too_large", "holds an integer of more than 64 bits")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _storable(key)
            _storable_json(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _storable_json(inner, depth + 1)
    elif value is not None and not isinstance(value, int | float):  # from files that are not JSON
        message = f"holds a value of type {type(value).__name__}, which JSON cannot"
        raise PydanticCustomError("not_json", message)
    return value


def _checked_json(value: dict[str, Any]) -> dict[str, Any]:
    for key, inner in value.items():  # which of the columns of a file, for example
        _storable(key)
        try:
            _storable_json(inner, 1)
        except PydanticCustomError as error:
            raise PydanticCustomError(error.type, f"{key[:100]!r} {error.message()}") from None
    return value


def storable_object(value: Any) -> Any:
    """For types that are not ours: what an object holds can be stored."""
    return _checked_json(value) if isinstance(value, dict) else value


# any text that can be stored; surrogates are looked for by us, so that the message says so
Text = Annotated[str, AfterValidator(_storable)]
Texts = Annotated[list[Text], Field(fail_fast=True)]
# names of systems, datasets, records: something, and not a page long
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_NAME, strip_whitespace=True),
    AfterValidator(_storable),
]


def name_fault(value: str) -> str | None:
    """Why no dataset may have this name: an address would lead elsewhere. None where it may."""
    if value.startswith("ds_") or "@" in value:
        return "is not free to choose: `ds_…` is an id, and `name@2` a version"
    if value.endswith("/records"):
        return "is not free to choose: `…/records` is the address of a dataset's records"
    if "\n" in value:
        return "is not free to choose: no address holds a line break"
    if {".", ".."} & set(value.split("/")):
        return "is not free to choose: in an address, `.` and `..` between slashes lead elsewhere"
    return None


def _dataset_name(value: str) -> str:
    fault = name_fault(value)
    if fault is not None:
        raise PydanticCustomError("reserved_name", fault)
    return value


def _addressable(value: str) -> str:
    if set(value) & {"/", "@"} or value in {".", ".."}:
        message = "is not free to choose: without / and @, and not . or .."
        raise PydanticCustomError("reserved_name", message)
    return value


# of what has versions: `name@2` in one part of an address
PlainName = Annotated[Name, AfterValidator(_addressable)]
DatasetName = Annotated[Name, AfterValidator(_dataset_name)]
Json = Annotated[dict[str, Any], AfterValidator(_checked_json)]
Scalar = Annotated[bool | int | float | str | None, AfterValidator(_storable_json)]


class Schema(BaseModel):
    """Base of request bodies: an unknown field is an error, not a silent no-op."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_unknown(cls, value: Any) -> Any:
        """A million unknown fields are a million errors: some of them say enough."""
        if not isinstance(value, dict) or len(value) < len(cls.model_fields) + MOST_UNKNOWN:
            return value
        unknown = islice((name for name in value if name not in cls.model_fields), MOST_UNKNOWN)
        kept = [*(name for name in cls.model_fields if name in value), *unknown]
        return {name: value[name] for name in kept}


T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A page of a list; ask for the next with `?after=<last_id>`."""

    object: str = "list"
    data: Sequence[T]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False


def page(items: Sequence[T], limit: int, key: str = "id") -> Page[T]:
    """A page from up to `limit + 1` fetched items: the one too many tells that there are more."""
    shown = list(items[:limit])
    return Page(
        data=shown,
        first_id=_id(shown[0], key) if shown else None,
        last_id=_id(shown[-1], key) if shown else None,
        has_more=len(items) > limit,
    )


def _id(item: Any, key: str) -> str:
    return str(item[key] if isinstance(item, dict) else getattr(item, key))


Limit = Annotated[int, Field(ge=1, le=1000)]
Order = Literal["asc", "desc"]  # of a page: oldest first, or newest first
