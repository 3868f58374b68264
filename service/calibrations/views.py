"""Calibrations, as they are shown."""

from __future__ import annotations

from service.calibrations.schemas import CalibrationOut
from service.catalogue.calibrated import Calibration


def view(calibration: Calibration) -> CalibrationOut:
    """A calibration."""
    named = {name: getattr(calibration, name) for name in ("id", "name", "version", "created_at")}
    return CalibrationOut.model_validate({**calibration.content, **named})
