"""What `POST /v1/score` takes and gives."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from service.evaluations.schemas import Metrics, Samples
from service.http.fields import Schema


class ScoreIn(Schema):
    """Samples with their outputs, and the metrics to score them by."""

    metrics: Metrics
    samples: Annotated[Samples, Field(max_length=10_000)]

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "metrics": ["chrf", {"name": "rouge", "params": {"tokenizer": "unicode"}}],
                    "samples": [
                        {
                            "output": "Кошка сидит на окне.",
                            "references": ["На окне сидит кошка."],
                        }
                    ],
                }
            ]
        }
    }


class ScoredOut(BaseModel):
    """One score over the samples, and each sample's own."""

    value: float | None
    per_sample: list[float | None] | None = None  # null for metrics of a set
    n: int = 0
    missing: int = 0
    higher_is_better: bool | None = None
    signature: str | None = None
    warnings: list[str] = Field(default_factory=list)
    error: dict[str, Any] | None = None


class ScoresOut(BaseModel):
    """Scores by name."""

    object: str = "scores"
    scores: dict[str, ScoredOut]
