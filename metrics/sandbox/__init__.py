"""Untrusted programs, run inside bubblewrap or not at all."""

from metrics.sandbox.limits import MARKS, Ending, Limits, Outcome, Program
from metrics.sandbox.running import describe, run, run_many, run_tests

__all__ = [
    "MARKS",
    "Ending",
    "Limits",
    "Outcome",
    "Program",
    "describe",
    "run",
    "run_many",
    "run_tests",
]
