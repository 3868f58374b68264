"""Corrections of p-values that are shown together, by the name that requests give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from metrics.statistics.many import benjamini_hochberg
from metrics.statistics.ranking import holm
from metrics.statistics.weights import Floats

Correction = Literal["holm", "bh", "none"]

CORRECTED: Mapping[Correction, Callable[[Floats], Floats]] = {
    "holm": holm,
    "bh": benjamini_hochberg,
    "none": np.copy,
}
