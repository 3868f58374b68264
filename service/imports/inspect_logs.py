"""Inspect: `.eval` files and JSON logs, through inspect_ai's own reader where it is installed."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from service.errors import ApiError
from service.imports import runs
from service.imports.contents import Contents, unreadable
from service.imports.runs import Reported, Run, Sample, Score

HARNESS = "inspect"
HEADER = {"header.json", "_journal/start.json"}  # in the zip that an .eval is
VALUES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}  # correct, incorrect, partial, no answer
LACKING = (
    "logs of Inspect are read by its own package, which is not installed where this service runs: "
    "pip install 'assay[inspect]'"
)


def is_log(value: object) -> bool:
    """Whether a JSON document is a log."""
    return isinstance(value, dict) and {"version", "status", "eval"} <= value.keys()


def read(contents: Contents, file: str) -> Iterator[Run]:
    """The run of a log; `file` is its name, `.eval` or `.json`. Raises 422 where the package is not
    installed or cannot read it."""
    if find_spec("inspect_ai") is None:
        raise ApiError(422, "not_installed", LACKING, "format")
    from inspect_ai.log import read_eval_log

    with TemporaryDirectory() as folder:
        path = Path(folder) / ("log.json" if file.endswith(".json") else "log.eval")
        contents.whole.seek(0)
        with path.open("wb") as target:
            shutil.copyfileobj(contents.whole, target)
        try:
            log = read_eval_log(str(path), resolve_attachments=False)
        except Exception as error:  # noqa: BLE001 (whatever a foreign reader raises)
            message = f"Inspect cannot read {file}: {type(error).__name__}: {str(error)[:300]}"
            raise unreadable(message, file) from None
    if log.status not in {"success", "cancelled", "error"}:
        raise unreadable(f"{file} is of a run that is {log.status}", file)
    yield _run(log, file)


def _run(log: Any, file: str) -> Run:
    config = log.eval.model_generate_config.model_dump(mode="json", exclude_none=True)
    run = Run(
        harness=HARNESS,
        task=runs.name(log.eval.task, file, "task"),
        system=runs.name(log.eval.model, file, "model"),
        version=runs.short(log.eval.packages.get("inspect_ai")),
        task_version=runs.short(log.eval.task_version),
        origin={
            "created": log.eval.created,
            "task_args": log.eval.task_args,
            "model_args": log.eval.model_args,
            "generate_config": config,
            "epochs": log.eval.config.epochs,
            "revision": log.eval.revision.commit if log.eval.revision else None,
        },
    )
    if log.status != "success":
        run.warnings.append(f"the run did not end: its status is {log.status}")
    _report(run, log, file)
    samples: dict[str, Sample] = {}
    for sample in log.samples or []:
        where = f"{file} sample {sample.id} epoch {sample.epoch}"
        _add(run, samples, sample, where)
    _complete(samples.values())
    run.samples = list(samples.values())
    return run


def _report(run: Run, log: Any, file: str) -> None:
    for score in log.results.scores if log.results else []:
        for metric, found in score.metrics.items():
            if metric in {"stderr", "std", "var"}:
                continue
            is_mean = metric in {"accuracy", "mean"}
            label = score.name if is_mean else f"{score.name}/{metric}"
            where = f"{file} results.{label}"
            value = runs.number(found.value, where, label)
            if score.reducer in {None, "mean"} and math.isfinite(value):
                how = "mean" if is_mean else metric
                run.scores.setdefault(label, Score(label, aggregation=how))
                run.reported[label] = Reported(value, n=runs.count(score.scored_samples))


def _add(run: Run, samples: dict[str, Sample], sample: Any, where: str) -> None:
    id = runs.name(sample.id, where, "id")
    found = samples.get(id)
    if found is None:
        targets = sample.target if isinstance(sample.target, list) else [sample.target]
        found = samples[id] = Sample(
            id=id,
            where=where,
            prompt=runs.text(_asked(sample.input)),
            references=[runs.text(one) for one in targets if one],
            metadata=runs.metadata(sample.metadata or {}),
        )
    found.outputs.append(runs.text(sample.output.completion if sample.output else ""))
    for name, score in (sample.scores or {}).items():
        for label, value in _labelled(runs.text(name), score.value):
            run.scores.setdefault(label, Score(label))
            values = found.values.setdefault(label, [])
            values.extend([math.nan] * (len(found.outputs) - 1 - len(values)))
            letter = isinstance(value, str) and value in VALUES
            values.append(run.value(label, _value(value, where, label), where, label, letter))


def _complete(samples: Any) -> None:
    """An epoch that was not scored has no value."""
    for sample in samples:
        for values in sample.values.values():
            values.extend([math.nan] * (len(sample.outputs) - len(values)))


def _labelled(name: str, value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(f"{name}/{runs.text(key)}", inner) for key, inner in value.items()]
    if isinstance(value, list):
        return [(f"{name}/{at}", inner) for at, inner in enumerate(value)]
    return [(name, value)]


def _value(value: object, where: str, name: str) -> object:
    """Letters stand for numbers, as Inspect's own reducers have them."""
    if not isinstance(value, str):
        return value
    if value in VALUES:
        return VALUES[value]
    words = {"yes": True, "true": True, "no": False, "false": False}
    try:
        return words[value.casefold()] if value.casefold() in words else float(value)
    except ValueError:
        raise runs.wrong(where, f"{name} is {value[:40]!r}, which stands for no number") from None


def _asked(given: object) -> str:
    """The text of a question; of messages, the user's."""
    if isinstance(given, str):
        return given
    messages = list(given) if isinstance(given, list) else []
    user = [one.text for one in messages if one.role == "user"]
    return "\n\n".join(user or [one.text for one in messages])
