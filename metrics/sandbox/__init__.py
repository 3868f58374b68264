"""Untrusted programs, run inside bubblewrap or not at all."""

from metrics.sandbox.limits import Ending, Limits, Outcome
from metrics.sandbox.running import run, run_many

__all__ = ["Ending", "Limits", "Outcome", "run", "run_many"]
