"""Answers on imported logs, as frozen objects."""

from __future__ import annotations

from pydantic import Field

from assay.models import Answer, Json


class ImportedScore(Answer):
    """A score of an imported log: `kind` is `rows`, or `reported` where samples have no values.

    `value` is the mean of the rows, `reported` what the file itself says.
    """

    name: str
    kind: str
    value: float | None
    reported: float | None = None
    n: int = 0
    missing: int = 0
    higher_is_better: bool
    signature: str


class ImportedEvaluation(Answer):
    """One system on one task of a log; `evaluation` is its id, None of a dry run."""

    evaluation: str | None
    system: str
    dataset: str
    harness: str
    harness_version: str
    task: str
    task_version: str
    samples: int
    scores: list[ImportedScore]
    sample: Json | None = None
    warnings: list[str] = Field(default_factory=list)


class Import(Answer):
    """What a file held; `mapping`: what the columns of a table were taken for."""

    format: str
    dry_run: bool
    mapping: dict[str, str] | None = None
    evaluations: list[ImportedEvaluation]
