"""What a job would be: its records read as training would read them, and nothing trained.

The method's own code runs up to where it would begin: with the model's configuration, without its
weights. It has a process of its own, since templates may loop and records are rendered by forks:
`python -m trainers.job.preview FOLDER/spec.json`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from inference.remote.registered import Registered
from trainers.job.channel import received
from trainers.job.process import die_with_parent, end, environment, explained
from trainers.job.reports import Report
from trainers.job.run import Run
from trainers.job.spec import Spec

FOUND = "preview.json"


class PreparedError(Exception):
    """Training would begin now; `example` is the first record as the model would read it."""

    def __init__(self, example: str | None) -> None:
        super().__init__()
        self.example = example


class Preview(Run):
    """A run without weights that ends before its first step; `reports` are those made so far."""

    dry = True

    def __init__(self, spec: Spec, registered: Mapping[str, Registered] | None = None) -> None:
        super().__init__(spec, registered=registered)
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


def preview(spec: Spec, registered: Mapping[str, Registered] | None = None) -> Previewed:
    """Reads the records of an attempt; its folder must exist, and is written to."""
    import trainers

    trainer = trainers.find(spec.method)
    run, found = Preview(spec, registered), Previewed()
    try:
        trainer.train(trainers.parse(trainer, spec.options), run)
    except PreparedError as ready:
        found.example = ready.example
    except Exception as error:  # noqa: BLE001 (whatever it is, training would fail by it)
        why = explained(error)
        found.problem = {"code": why.code, "message": why.message, "param": why.field}
    found.told = {report.name: report.data for report in run.reports if report.type == "event"}
    return found


def main(path: Path) -> None:
    """Reads the records as the specification at `path` says; writes FOUND beside it."""
    spec = Spec.read(path)
    die_with_parent()
    os.environ.update(environment(spec))
    found = preview(spec, received(spec.registered).models)
    (spec.folder / FOUND).write_bytes(orjson.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    end(0)
