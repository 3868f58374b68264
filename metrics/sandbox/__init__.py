"""Untrusted programs, run inside bubblewrap or not at all."""

from metrics.sandbox.limits import Ending, Limits, Outcome
from metrics.sandbox.running import describe, run, run_many

__all__ = ["Ending", "Limits", "Outcome", "describe", "run", "run_many"]
