"""Every Eval Ever 0.3: an aggregate record, and the lines of its instances, `…_samples.jsonl`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from service.errors import invalid
from service.imports import runs
from service.imports.contents import Contents
from service.imports.runs import Reported, Run, Sample, Score

HARNESS = "every-eval-ever"
SUFFIX = "_samples.jsonl"
INFINITE = {"Infinity", "-Infinity"}
# metadata of the system's answer, not of the sample
OF_ANSWERS = ("doc_hash", "prompt_hash", "target_hash", "filter", "lm_eval_metrics")


def is_record(value: object) -> bool:
    """Whether a JSON document is an aggregate record."""
    return isinstance(value, dict) and {"schema_version", "evaluation_results"} <= value.keys()


def is_instance(line: Mapping[str, object]) -> bool:
    """Whether a JSON line is an instance's."""
    return {"schema_version", "sample_id", "evaluation"} <= line.keys()


def read(contents: Contents) -> Iterator[Run]:
    """A run for each record and evaluation in it; one for the instances of no record."""
    lines = {name for name in contents.names if name.endswith(".jsonl")}
    used: set[str] = set()
    for name in contents.names:
        if name in lines:
            continue
        record = contents.document(name)
        if is_record(record):
            mine = name.removesuffix(".json") + SUFFIX
            named = [mine] if mine in lines else _detailed(record, lines)
            used |= set(named)
            yield from _runs(contents, record, name, named)
    for name in sorted(lines - used):
        yield from _alone(contents, name)


def _detailed(record: Mapping[str, Any], lines: set[str]) -> list[str]:
    """The file of instances that a record names, wherever it lies in the archive."""
    detailed = record.get("detailed_evaluation_results")
    path = detailed.get("file_path") if isinstance(detailed, dict) else None
    wanted = PurePosixPath(path).name if isinstance(path, str) else None
    return [name for name in sorted(lines) if PurePosixPath(name).name == wanted][:1]


def _runs(
    contents: Contents, record: Mapping[str, Any], name: str, files: list[str]
) -> Iterator[Run]:
    version = record["schema_version"]
    if not isinstance(version, str) or not version.startswith("0.3"):
        message = f"schema_version is {str(version)[:20]!r}, and 0.3 is what is read here"
        raise runs.wrong(name, message, f"{name}.schema_version")
    found: dict[str, Run] = {}
    places: dict[str, tuple[Run, str]] = {}  # by the id of a result, and by what names it
    given = record["evaluation_results"]
    results = given if isinstance(given, list) else []
    counted = Counter(str(_named(result)) for result in results)
    for at, each in enumerate(results):
        where = f"{name} evaluation_results[{at}]"
        result = _dict(each, where)
        source = _dict(result.get("source_data") or {}, f"{where}.source_data")
        task = runs.name(source.get("dataset_name") or result.get("evaluation_name"), where, "task")
        run = found.setdefault(task, _run(record, task, name))
        label = _report(run, result, where, counted[str(_named(result))] > 1)
        for key in (result.get("evaluation_result_id"), result.get("evaluation_name")):
            if isinstance(key, str):
                places.setdefault(key, (run, label))
    for file in files:
        for where, line in contents.lines(file):
            _add(line, where, record.get("evaluation_id"), places)
    for run in found.values():
        run.samples = list(run.by_id.values())
        yield run


def _run(record: Mapping[str, Any], task: str, name: str) -> Run:
    model = _dict(record.get("model_info") or {}, f"{name}.model_info")
    library = _dict(record.get("eval_library") or {}, f"{name}.eval_library")
    about = ("evaluation_id", "evaluation_timestamp", "retrieved_timestamp", "source_metadata")
    return Run(
        harness=runs.name(library.get("name") or HARNESS, name, "eval_library.name"),
        task=task,
        system=runs.name(model.get("id") or model.get("name"), name, "model_info.id"),
        version=runs.short(library.get("version")),
        origin={key: record[key] for key in about if key in record} | {"model_info": model},
    )


def _named(result: object) -> object:
    """What the metric of a result is called."""
    config = result.get("metric_config") if isinstance(result, dict) else None
    there = config if isinstance(config, dict) else {}
    return there.get("metric_name") or there.get("metric_id")


def _report(run: Run, result: Mapping[str, Any], where: str, several: bool) -> str:
    """The label of a result's score, its value noted.

    several  the record has the metric more than once: of parts of a task, or by filters
    """
    config = _dict(result.get("metric_config") or {}, f"{where}.metric_config")
    details = _dict(result.get("score_details") or {}, f"{where}.score_details")
    part = runs.text(result.get("evaluation_name") or "").removeprefix(f"{run.task}/")
    named = _named(result) or part
    score = Score(
        name=runs.name(named, where, "metric_name"),
        filter=part if several else None,
        higher_is_better=config.get("lower_is_better") is not True,
        low=_bound(config.get("min_score"), where, "min_score"),
        high=_bound(config.get("max_score"), where, "max_score"),
    )
    label = score.label
    if label in run.scores:
        raise runs.wrong(where, f"{label} is there twice")
    run.scores[label] = score
    value = runs.number(details.get("score"), f"{where}.score_details", "score")
    if math.isfinite(value):
        run.reported[label] = _uncertain(value, details.get("uncertainty"), where)
    return label


def _uncertain(value: float, given: object, where: str) -> Reported:
    uncertainty = given if isinstance(given, dict) else {}
    n = uncertainty.get("num_samples")
    n = runs.count(n)
    interval, error = uncertainty.get("confidence_interval"), uncertainty.get("standard_error")
    if not isinstance(interval, dict):
        return runs.reported(value, error.get("value") if isinstance(error, dict) else None, n)
    low = runs.number(interval.get("lower"), where, "lower")
    high = runs.number(interval.get("upper"), where, "upper")
    level = runs.number(interval.get("confidence_level", 0.95), where, "confidence_level")
    if not low <= value <= high or not 0 < level < 1:
        return Reported(value, n=n, warning="its interval does not hold the value: left out")
    return Reported(value, (low, high), level, n)


def _bound(value: object, where: str, name: str) -> float | None:
    if isinstance(value, str) and value in INFINITE:
        return None
    if isinstance(value, float) and math.isinf(value):
        return None
    if value is None:
        return None
    return runs.number(value, where, name)


def _add(
    line: Mapping[str, Any], where: str, evaluation: object, places: Mapping[str, tuple[Run, str]]
) -> None:
    if not is_instance(line):
        raise runs.wrong(where, "is no instance: it has no sample_id or no evaluation")
    if line.get("evaluation_id") != evaluation:
        raise runs.wrong(where, f"evaluation_id is not the record's, {str(evaluation)[:100]!r}")
    key = line.get("evaluation_result_id") or line.get("evaluation_name")
    found = places.get(key) if isinstance(key, str) else None
    if found is None:
        raise runs.wrong(where, f"names the result {str(key)[:100]!r}, which the record has not")
    run, label = found
    _value(run, line, where, label)


def _alone(contents: Contents, name: str) -> Iterator[Run]:
    """Instances without a record: the model and the task are theirs, the library is not known."""
    found: dict[str, Run] = {}
    for where, line in contents.lines(name):
        if not is_instance(line):
            raise runs.wrong(where, "is no instance: it has no sample_id or no evaluation")
        system = runs.name(line.get("model_id"), where, "model_id")
        task = runs.name(line.get("evaluation_name"), where, "evaluation_name")
        run = found.setdefault(f"{system}\0{task}", Run(HARNESS, task, system))
        run.scores.setdefault("score", Score("score"))
        _value(run, line, where, "score")
    for run in found.values():
        run.warnings.append("there is no record: the library and the direction are not known")
        run.samples = list(run.by_id.values())
        yield run


def _value(run: Run, line: Mapping[str, Any], where: str, label: str) -> None:
    id = runs.name(line["sample_id"], where, "sample_id")
    evaluation = _dict(line["evaluation"], f"{where}.evaluation")
    value = run.value(label, evaluation.get("score"), where, "evaluation.score")
    outputs = _outputs(line)
    sample = run.by_id.get(id)
    if sample is None:
        asked = line.get("input")
        given = asked if isinstance(asked, dict) else {}
        references = given.get("reference")
        sample = run.by_id[id] = Sample(
            id=id,
            where=where,
            prompt=runs.text(given["raw"]) if isinstance(given.get("raw"), str) else None,
            references=[runs.text(one) for one in references or [] if isinstance(one, str)]
            if isinstance(references, list)
            else [],
            metadata=runs.metadata(
                _dict(line.get("metadata") or {}, f"{where}.metadata"), OF_ANSWERS
            ),
            outputs=outputs,
        )
    if label in sample.values:
        message = f"{id!r} has a value of {label} at {sample.where} already"
        raise invalid("duplicate_id", f"{where}: {message}", f"{where}.sample_id")
    sample.values[label] = [value]


def _outputs(line: Mapping[str, Any]) -> list[str]:
    """The answers; of a conversation, the assistant's last."""
    output, messages = line.get("output"), line.get("messages")
    raw = output.get("raw") if isinstance(output, dict) else None
    if isinstance(raw, list):
        return [runs.text(one) for one in raw]
    said = [
        one.get("content")
        for one in (messages if isinstance(messages, list) else [])
        if isinstance(one, dict) and one.get("role") == "assistant"
    ]
    return [runs.text(said[-1])] if said and isinstance(said[-1], str) else []


def _dict(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise runs.wrong(where, "has to be an object", where)
    return value
