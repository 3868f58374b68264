"""What was asked for by name: a folder's listing, the nearest names, values by their schema."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from inference.errors import InputError

M = TypeVar("M", bound=BaseModel)


def declarations(package: str, path: Iterable[str], attribute: str) -> Iterator[Any]:
    """`attribute` of every module of the package's folder that is not a folder, by name."""
    for name in sorted(found.name for found in pkgutil.iter_modules(path) if not found.ispkg):
        yield getattr(import_module(f"{package}.{name}"), attribute)


def hint(name: str, known: Iterable[str]) -> str:
    """`did you mean 'bleu'?`, or all there are when nothing is near."""
    there = list(known)
    near = difflib.get_close_matches(name, there, n=3, cutoff=0.4)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    return f"known: {', '.join(there) or 'none'}"


def parsed(schema: type[M], values: Mapping[str, Any], owner: str, field: str) -> M:
    """`values` by the schema. Raises InputError naming the value, as `params.k`.

    owner  whose values they are, for the message: "bleu"
    field  what they are called in a request: "params"
    """
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        message = f"{path}: {first['msg']}" if path else first["msg"]
        if first["type"] == "extra_forbidden":
            message = f"{owner} has no {path!r} among its {field}; "
            message += hint(path, schema.model_fields)
        raise InputError(message, f"{field}.{path}" if path else field) from None
