"""Archives and audits as they come and go."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from service.http.fields import DatasetName, Json, Name, Schema, Text


class AuditIn(Schema):
    """Which part of an evaluation to measure again."""

    fraction: Annotated[float, Field(gt=0, le=1, description="of the samples")] = 0.05
    seed: Annotated[int, Field(ge=0, lt=2**31, description="of the samples that are drawn")] = 0


class AuditedOut(BaseModel):
    """What came of measuring one metric again.

    `unstable` samples hung on the machine's load and were left out; `differs` says what this
    service has otherwise than the one that measured; `skipped` why nothing was measured.
    """

    metric: str
    checked: int = 0
    mismatches: int = 0
    rate: float | None = None
    interval: tuple[float, float] | None = None
    unstable: int = 0
    tolerance: float = 0.0  # relative, of the numbers that a model gave
    largest_difference: float | None = None
    differs: list[str] = Field(default_factory=list)
    skipped: str | None = None


class MismatchOut(BaseModel):
    """A sample that came out otherwise, with its scores then and now where it has its own."""

    metric: str
    sample: str
    stored: dict[str, float | None] = Field(default_factory=dict)
    measured: dict[str, float | None] = Field(default_factory=dict)


class AuditOut(BaseModel):
    """The share of samples that another measurement sees otherwise, under any metric.

    `interval` is for all samples of the evaluation; the first hundred mismatches are listed.
    """

    object: str = "audit"
    evaluation: str
    fraction: float
    seed: int
    samples: int
    of: int
    mismatches: int
    rate: float | None
    interval: tuple[float, float] | None
    level: float
    metrics: list[AuditedOut]
    mismatched: list[MismatchOut]


class AskedIn(BaseModel):
    """What of an archive's manifest is stored, and so has to be storable."""

    system: Name
    model: Name | None
    generation: Json | None
    slices: list[Name]
    cluster: Name | None
    protocol: Json | None
    protocol_digest: Name | None
    dataset: DatasetName


class MetricIn(BaseModel):
    """The same of one metric."""

    name: Name
    params: Json
    resolved: Json | None
    signature: Json | None
    error: Json | None


class OutputsIn(BaseModel):
    """The outputs for one record."""

    texts: list[Text]


class OriginIn(BaseModel):
    """What an archive's provenance says of where it comes from."""

    service: Name
    evaluation: Name
    finished_at: Name
    provenance: Json = Field(default_factory=dict)
    origin: Json | None = None
