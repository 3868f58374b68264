"""Answers about evaluations that were measured again, as frozen objects."""

from __future__ import annotations

from pydantic import Field

from assay.models import Answer


class Audited(Answer):
    """One metric measured again: `mismatches` of the samples that were `checked` differ.

    `unstable` samples hung on the machine's load and were left out; `differs` says what the service
    has otherwise than the one that measured; `skipped` why nothing was measured.
    """

    metric: str
    checked: int = 0
    mismatches: int = 0
    rate: float | None = None
    interval: tuple[float, float] | None = None
    unstable: int = 0
    tolerance: float = 0.0
    largest_difference: float | None = None
    differs: list[str] = Field(default_factory=list)
    skipped: str | None = None


class Mismatch(Answer):
    """A sample that came out otherwise, with its scores as stored and as measured again."""

    metric: str
    sample: str
    stored: dict[str, float | None] = Field(default_factory=dict)
    measured: dict[str, float | None] = Field(default_factory=dict)


class Audit(Answer):
    """A random part of an evaluation measured again: the share of samples that differ.

    `interval` is of that share among all samples; the first hundred are in `mismatched`.
    """

    evaluation: str
    fraction: float
    seed: int
    samples: int
    of: int
    mismatches: int
    rate: float | None
    interval: tuple[float, float] | None
    level: float
    metrics: list[Audited]
    mismatched: list[Mismatch]
