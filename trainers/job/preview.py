"""What a job would be: its records read as training would read them, and nothing trained.

The method's own code runs up to where it would begin: with the model's configuration, without its
weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inference.errors import ReportedError
from trainers.job.errors import TrainingError
from trainers.job.reports import Report
from trainers.job.run import Run
from trainers.job.spec import Spec


class PreparedError(Exception):
    """Training would begin now; `example` is the first record as the model would read it."""

    def __init__(self, example: str | None) -> None:
        super().__init__()
        self.example = example


class Preview(Run):
    """A run without weights that ends before its first step; `reports` are those made so far."""

    dry = True

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.reports: list[Report] = []

    def prepared(self, tokenizer: Any, ids: list[int]) -> None:
        """Raises PreparedError, always."""
        raise PreparedError(tokenizer.decode(ids))

    def series(self, step: int, values: Any) -> None:
        """Raises PreparedError, always: a step was made already."""
        raise PreparedError(None)

    def _send(self, report: Report) -> None:
        self.reports.append(report)


@dataclass(slots=True)
class Previewed:
    """What was found: reports by name (`lengths`, …), an example, why training would not begin."""

    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    example: str | None = None
    problem: dict[str, str | None] | None = None


def preview(spec: Spec) -> Previewed:
    """Reads the records of an attempt; its folder must exist, and is written to.

    Raises whatever a library raises; what the user can mend is the answer's `problem`.
    """
    import trainers

    trainer = trainers.find(spec.method)
    run, found = Preview(spec), Previewed()
    try:
        trainer.train(trainers.parse(trainer, spec.options), run)
    except PreparedError as ready:
        found.example = ready.example
    except (TrainingError, ReportedError) as error:
        found.problem = {"code": error.code, "message": error.message, "param": error.field}
    found.told = {report.name: report.data for report in run.reports if report.type == "event"}
    return found
