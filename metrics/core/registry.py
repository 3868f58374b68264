"""What was asked for by name: all that is declared, and values by their schema."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from inference.errors import InputError, ReportedError
from metrics.core.forms import fields, written
from metrics.core.names import MEANINGS, hint

M = TypeVar("M", bound=BaseModel)


class Declaration(Protocol):
    """What a catalogue lists: a Metric, a Trainer."""

    @property
    def name(self) -> str:
        """What it is asked for by."""
        ...


D = TypeVar("D", bound=Declaration)


def declarations(
    package: str, path: Iterable[str], kind: type[D], group: str, error: type[ReportedError]
) -> dict[str, D]:
    """Every declaration by name: the package's own, then those of other distributions.

    package, path  every module of the folder that is not a folder declares one, named like its kind
                   in capitals: METRIC
    group          of the entry points, each of which names one: "assay.metrics"

    Raises `error` for an entry point that cannot be loaded, names something else, or declares a
    name that is taken.
    """
    modules = sorted(found.name for found in pkgutil.iter_modules(path) if not found.ispkg)
    own = [getattr(import_module(f"{package}.{name}"), kind.__name__.upper()) for name in modules]
    found: dict[str, D] = {declaration.name: declaration for declaration in own}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        declaration = _loaded(point, kind, error)
        if declaration.name in found:
            what = f"a {kind.__name__.lower()} {declaration.name!r}"
            message = f"{_origin(point)} declares {what}, and there is one"
            raise error(f"{message}: rename it, or uninstall the distribution")
        found[declaration.name] = declaration
    return found


def _loaded(point: EntryPoint, kind: type[D], error: type[ReportedError]) -> D:
    """What an entry point names. Raises `error` where that is not of the kind."""
    try:
        declaration = point.load()
    except Exception as cause:  # whatever a foreign module raises while it is imported
        message = f"{_origin(point)} cannot be loaded: {type(cause).__name__}: {cause}"
        raise error(message) from cause
    if not isinstance(declaration, kind):
        names = type(declaration).__name__
        raise error(f"{_origin(point)} names {names}, not a {kind.__name__}")
    return declaration


def _origin(point: EntryPoint) -> str:
    distribution = f"the distribution {point.dist.name!r}" if point.dist else "a distribution"
    return f"the entry point {point.value!r} of {distribution}"


def parsed(schema: type[M], values: Mapping[str, Any], owner: str, field: str) -> M:
    """`values` by the schema. Raises InputError naming the value, as `params.k[0]`.

    owner  whose values they are, for the message: "bleu"
    field  what they are called in a request: "params"
    """
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = written(first["loc"])
        message = f"{path}: {first['msg']}" if path else first["msg"]
        if first["type"] == "extra_forbidden":
            *place, name = first["loc"]
            message = f"{owner} has no {path!r} among its {field}; "
            message += hint(str(name), fields(schema, place), MEANINGS)
        if first["type"] == "missing" and path in schema.model_fields:
            about = schema.model_fields[path].description
            message = f"{owner} needs {path!r} among its {field}" + (f": {about}" if about else "")
        raise InputError(message, f"{field}.{path}" if path else field) from None
