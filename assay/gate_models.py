"""Answers on gates and power analyses, as frozen objects."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from assay.models import Answer, Json, Problem, Variance


class Gate(Answer):
    """A version of a gate: rules on when a system may replace the baseline.

    `baseline` is `{"system": …}` or `{"evaluation": …}`; `rules` are as they were asked for.
    """

    id: str
    name: str
    version: int
    baseline: Json
    dataset: str
    rules: list[Json]
    alpha: float
    cluster: str | None = None
    sequential: bool = False
    created_at: datetime | None = None


class GateRule(Answer):
    """One rule's verdict; differences are signed so that more is better for the candidate.

    `bound` above `-margin` is "go"; the upper end of `interval` below it is "no_go".
    `samples_to_settle`: more samples that would likely do; None where no number would.
    """

    score: str
    tier: str
    slice: str | None = None
    verdict: str
    baseline: float | None
    candidate: float | None
    difference: float | None
    margin: float | None
    interval: tuple[float, float] | None
    bound: float | None
    p_go: float | None
    p_no_go: float | None
    n: int
    clusters: int | None = None
    samples_to_settle: int | None = None
    higher_is_better: bool
    note: str | None = None
    error: str | None = None


class GateCheck(Answer):
    """What a gate said of an evaluation: "go", "no_go" or "inconclusive"; None while it is at work.

    `baseline` is the evaluation that it was compared with.
    """

    id: str
    gate: str
    version: int
    verdict: str | None
    baseline: str | None = None
    evaluation: str
    system: str
    status: str
    n: int | None = None
    total: int | None = None
    samples_to_settle: int | None = None
    rules: list[GateRule]
    notes: list[str] = Field(default_factory=list)
    error: Problem | None = None
    created_at: datetime | None = None


class Design(Answer):
    """What one way to measure can show: the least difference that these samples find, and how many
    samples the effect needs, and how many `more` than there are now."""

    deviation: float
    detectable: float | None
    samples: int | None
    more: int | None


class Draws(Answer):
    """What more outputs a sample would give; `outputs` None: the limit of ever more."""

    outputs: int | None
    error_ratio: float
    samples: int | None


class Power(Answer):
    """A power analysis; `paired` is None where nothing tells how alike two systems' answers are."""

    metric: str
    name: str
    slice: str | None = None
    cluster: str | None = None
    a: float
    b: float | None
    difference: float | None
    n: int
    clusters: int | None = None
    effect: float | None
    power: float
    alpha: float
    one_sided: bool
    correlation: float | None
    paired: Design | None
    unpaired: Design
    paired_with: list[str] = Field(default_factory=list)
    variance: Variance | None = None
    draws: list[Draws] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
