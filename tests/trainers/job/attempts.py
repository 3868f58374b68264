"""Attempts at training, as real processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from trainers.job.checkpoints import PATTERN, marker
from trainers.job.process import launch, train
from trainers.job.reports import Reader, Report
from trainers.job.run import Run
from trainers.job.spec import DATA, EVENTS, LOG, Spec

PATIENCE = 150


def attempt(
    job: Path,
    method: str,
    model: Path | str,
    records: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    number: int = 1,
    **settings: Any,
) -> Spec:
    """The specification of an attempt at the job of this folder, written where it belongs."""
    folder = job / f"attempt-{number}"
    folder.mkdir(parents=True)
    data = job / DATA
    if not data.exists():
        data.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    roots = (model.parent,) if isinstance(model, Path) else ()
    fields: dict[str, Any] = {
        "job": job.name,
        "attempt": number,
        "method": method,
        "options": dict(options),
        "model": model.name if isinstance(model, Path) else model,
        "dataset": "toy@1",
        "data": data,
        "folder": folder,
        "model_roots": roots,
        "cache_dir": job / "cache",
    }
    spec = Spec(**fields | settings)
    spec.write()
    return spec


def here(spec: Spec, run: Run | None = None) -> list[Report]:
    """Trains inside this process. Raises what the training process would report as a failure."""
    train(run or Run(spec))
    return reports(spec)


def start(spec: Spec, **popen: Any) -> subprocess.Popen[bytes]:
    with (spec.folder / LOG).open("wb") as log:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            launch(spec), stdout=log, stderr=subprocess.STDOUT, env=environment, **popen
        )


def finish(spec: Spec, **popen: Any) -> list[Report]:
    """Runs it to its end; its exit status agrees with its last report."""
    status = start(spec, **popen).wait(PATIENCE)
    found = reports(spec)
    log = (spec.folder / LOG).read_text()
    assert found, log
    assert status == (1 if found[-1].type == "failed" else 0), log
    return found


def reports(spec: Spec) -> list[Report]:
    return list(Reader(spec.folder / EVENTS))


def losses(found: Sequence[Report]) -> dict[int, float]:
    """By step."""
    return {report.step: report.data["loss"] for report in found if report.type == "series"}


def saved(found: Sequence[Report]) -> dict[int, Path]:
    """Complete checkpoints by step."""
    return {
        report.step: Path(report.data["folder"]) for report in found if report.type == "checkpoint"
    }


def last_complete(attempts: Iterable[Path]) -> Path | None:
    """The complete checkpoint of the highest step below the folders; of equals, the later one."""
    best: tuple[int, Path] | None = None
    for attempt in attempts:
        for folder in sorted(attempt.glob(PATTERN)):
            mark = marker(folder)
            if mark is not None and (best is None or mark.step >= best[0]):
                best = (mark.step, folder)
    return best[1] if best else None
