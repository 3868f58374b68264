"""The schema of a place inside a request: which fields may stand there, how it is written."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Location = Sequence[int | str]


def written(location: Location) -> str:
    """("samples", 17, "references") -> samples[17].references"""
    found = ""
    for part in location:
        if isinstance(part, int):
            found += f"[{part}]"
        elif "[" not in part and "(" not in part:  # pydantic's names of union members
            found += f".{part}" if found else part
    return found


def fields(form: object, location: Location) -> list[str]:
    """Names of the fields that may stand at the place; those that can only be null are left out."""
    found = list(_forms(form))
    for part in location:
        # a part that leads nowhere is pydantic's name of a union's member
        found = [inner for one in found for inner in _inside(one, part)] or found
    models = [one for one in found if isinstance(one, type) and issubclass(one, BaseModel)]
    names = [
        name
        for model in models
        for name, field in model.model_fields.items()
        if field.annotation is not type(None)
    ]
    return list(dict.fromkeys(names))


def _forms(form: object) -> Iterator[object]:
    """The type without `Annotated`; of a union, every member."""
    origin = get_origin(form)
    if origin is Annotated:
        yield from _forms(get_args(form)[0])
    elif origin in {Union, types.UnionType}:
        for member in get_args(form):
            yield from _forms(member)
    else:
        yield form


def _inside(form: object, part: int | str) -> Iterator[object]:
    """What stands in a list at an index, in a mapping or a model under a name."""
    origin = get_origin(form)
    if isinstance(part, int) and origin in {list, tuple, Sequence}:
        yield from _forms(get_args(form)[0])
    elif isinstance(part, str) and origin in {dict, Mapping}:
        yield from _forms(get_args(form)[1])
    elif isinstance(form, type) and issubclass(form, BaseModel):
        field: FieldInfo | None = form.model_fields.get(str(part))
        if field is not None:
            yield from _forms(field.annotation)
