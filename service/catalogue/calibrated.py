"""Calibrations by name, for whoever asks for the metric `calibrated`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from metrics.calibrated import NAME
from metrics.core.metric import AnyMetric
from metrics.core.names import hint
from service.db.calibration_tables import calibrations
from service.db.stored import Stored
from service.errors import invalid


@dataclass(frozen=True, slots=True)
class Calibration(Stored):
    """A version of a calibration; `content` is what was asked for and what was found."""

    id: str
    name: str
    version: int
    content: Mapping[str, Any]
    created_at: datetime


def find(db: Connection, name: str) -> Calibration | None:
    """The newest version of the calibration, or the one of `name@version`."""
    plain, at, version = name.rpartition("@")
    query = select(calibrations).where(calibrations.c.name == (plain if at else name))
    if at:
        numbered = int(version) if version.isascii() and version.isdigit() else 0
        query = query.where(calibrations.c.version == min(numbered, 2**31 - 1))
    row = db.execute(query.order_by(calibrations.c.version.desc()).limit(1)).one_or_none()
    return Calibration.from_row(row) if row is not None else None


def near(db: Connection, name: str) -> str:
    """Which calibrations are called like that, in words."""
    known = list(db.scalars(select(calibrations.c.name).distinct().limit(500)))
    return hint(name, known) if known else "there is none yet: POST /v1/calibrations fits one"


def filled(
    db: Connection, metric: AnyMetric, params: Mapping[str, Any], param: str
) -> Mapping[str, Any]:
    """The parameters with all that the calibration they name was found to be; those of other
    metrics as they are. Raises 422 where there is no such calibration."""
    name = params.get("calibration")
    if metric.name != NAME or not isinstance(name, str) or "function" in params:
        return params
    found = find(db, name)
    if found is None:
        message = f"there is no calibration {name!r:.100}; {near(db, name)}"
        raise invalid("calibration_not_found", message, f"{param}.calibration")
    return {**found.content["params"], **params, "calibration": f"{found.name}@{found.version}"}
