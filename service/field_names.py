"""What an unknown field of a request was meant to be, by the schema of the place it stands in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trainers
from metrics.core.forms import Location, fields
from metrics.core.names import MEANINGS, hint

UNKNOWN = "extra_forbidden"  # pydantic's name of the error


def told(error: Mapping[str, Any], form: object, location: Location) -> str:
    """The error's message; of an unknown field, with the fields that may have been meant.

    form      the type of the whole: a model, or what `Annotated` makes of one
    location  where the error is, inside of the whole
    """
    said = str(error["msg"])
    if error["type"] != UNKNOWN or not location:
        return said
    name, known = str(location[-1]), fields(form, location[:-1])
    if "options" in known and name in _options():
        return f"{said}; did you mean 'options.{name}'?"
    return f"{said}; {hint(name, known, MEANINGS)}" if known else said


def _options() -> set[str]:
    """The names of all options of all methods."""
    return {name for one in trainers.catalogue().values() for name in one.options.model_fields}
