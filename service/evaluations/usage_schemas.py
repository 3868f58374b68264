"""What an evaluation paid for, as it is shown."""

from __future__ import annotations

from pydantic import BaseModel


class UnansweredOut(BaseModel):
    """What requests may have taken at most that are out, or were when their worker was killed."""

    requests: int
    tokens: int
    cost: float | None  # null: the model has no prices


class MetricsUsageOut(BaseModel):
    """What was paid for; `cached` replies had been paid for by earlier evaluations."""

    requests: int
    tokens: int
    input_tokens: int
    output_tokens: int
    cost: float | None  # null: the model has no prices
    cached: int
    unanswered: UnansweredOut | None = None  # counts against the budget, too; null: all were


class UsageOut(MetricsUsageOut):
    """All that was paid for, and what of it the metrics took: judges, `remote`, likelihoods."""

    metrics: MetricsUsageOut | None = None
