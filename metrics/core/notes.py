"""Notes of evidence: for each item, a list of what people may read, as compressed JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from metrics.core.evidence import NOTES, Evidence


def packed(notes: Sequence[Any]) -> NDArray[np.uint8]:
    """The notes of one item as its part of the column NOTES; no bytes where it has none."""
    data = zstandard.compress(orjson.dumps(notes)) if notes else b""
    return np.frombuffer(data, np.uint8)


def unpacked(evidence: Evidence) -> list[list[Any]]:
    """The notes of all items; empty where an item has none, or the evidence keeps none."""
    if NOTES not in evidence:
        return [[] for _ in range(len(evidence))]
    values, offsets = evidence[NOTES], evidence.columns[NOTES].offsets.tolist()
    return [
        orjson.loads(zstandard.decompress(values[start:stop].tobytes())) if stop > start else []
        for start, stop in pairwise(offsets)
    ]
