"""Numbers as answers have them: JSON knows no NaN."""

from __future__ import annotations

import math


def finite(value: float) -> float | None:
    """The value; null for NaN and infinities."""
    return float(value) if math.isfinite(value) else None


def interval(low: float, high: float) -> tuple[float, float] | None:
    """Both ends, or null."""
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else None
