"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 3  # a machine that others use too needs longer than one at rest


def until(condition: Callable[[], object], seconds: float = 30.0, pause: float = 0.05) -> float:
    """Wait for the condition; return the seconds it took, for who makes a claim about them.
    `seconds` is what it takes at most on a machine at rest; it fails after three times that."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE * seconds, f"not within {PATIENCE * seconds} s"
        time.sleep(pause)
    return time.monotonic() - began
