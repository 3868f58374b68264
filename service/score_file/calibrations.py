"""A calibration from a file, where no service looks its name up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from inference.errors import InputError
from metrics.calibrated import METRIC
from metrics.core.metric import BoundMetric

OPTION = "--calibration"
LARGEST = 16 * 2**20  # bytes
WHAT = "the answer of GET /v1/calibrations/NAME, or its `params`"


def read(path: Path) -> BoundMetric:
    """The calibrated metric that the file holds: as the service shows it, or its params alone.
    Raises InputError."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{OPTION}: {path} is larger than any calibration: give {WHAT}")
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{OPTION}: {path}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise InputError(f"{OPTION}: {path} is no JSON: {error}; give {WHAT}") from None
    params = _params(found)
    if params is None:
        raise InputError(f"{OPTION}: {path} holds no calibration: give {WHAT}")
    try:
        return METRIC.bind(params)
    except InputError as error:
        field = f" ({error.field})" if error.field else ""
        raise InputError(f"{OPTION}: {path}: {error.message}{field}") from None


def _params(found: Any) -> dict[str, Any] | None:
    """What the metric is asked for with, under the name that a service gives it."""
    if not isinstance(found, dict):
        return None
    inside = found.get("params")
    if isinstance(inside, dict) and "function" in inside:
        name, version = found.get("name"), found.get("version")
        named = {"calibration": f"{name}@{version}"} if name and version else {}
        return {**inside, **named}
    return found if "function" in found else None
