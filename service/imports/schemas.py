"""What an import answers: the evaluations it made, or would make."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class ImportedScore(BaseModel):
    """A score of a run: from the rows of the file, or as the file reports it.

    `value` is the mean of the rows, or what is reported where there are none; `reported` is what
    the file itself says.
    """

    name: str
    kind: Literal["rows", "reported"]
    value: float | None
    reported: float | None
    n: int
    missing: int
    higher_is_better: bool
    signature: str


class ImportedEvaluation(BaseModel):
    """One system on one task. `evaluation` is null when the import was only asked about."""

    evaluation: str | None
    system: str
    dataset: str
    harness: str
    harness_version: str
    task: str
    task_version: str
    samples: int
    scores: list[ImportedScore]
    sample: dict[str, Any] | None = Field(description="the first one, as it is understood")
    warnings: list[str]


class ImportOut(BaseModel):
    """What was read from a file; `mapping` says what a table's columns were taken for."""

    object: str = "import"
    format: str
    dry_run: bool
    mapping: dict[str, str] | None
    evaluations: list[ImportedEvaluation]
