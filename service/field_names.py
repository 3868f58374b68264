"""What an unknown field of a request was meant to be, by the schema of the place it stands in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    known = fields(form, location[:-1])
    return f"{said}; {hint(str(location[-1]), known, MEANINGS)}" if known else said
