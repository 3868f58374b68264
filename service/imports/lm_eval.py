"""lm-evaluation-harness: `results_<date>.json`, and `samples_<task>_<date>.jsonl` beside it.

A line of samples is one document under one filter; the number of each of its `metrics` stands under
the metric's name. What is no number there (the pairs that corpus BLEU is computed from) has no
value of a sample: the results' value is taken over as it is reported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from service.errors import invalid
from service.imports import lm_eval_samples as logged
from service.imports import runs
from service.imports.contents import Contents
from service.imports.runs import Run, Sample, Score

HARNESS = "lm-eval"
SAMPLES = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+))?\.jsonl$")
RESULTS = re.compile(r"results(?:_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+))?\.json$")
KEPT = (
    *("model", "model_args", "model_sha", "model_dtype", "gen_kwargs", "limit"),
    *("random_seed", "numpy_seed", "torch_seed", "fewshot_seed"),
)
SETTINGS = ("date", "chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn")


def is_results(value: object) -> bool:
    """Whether a JSON document is a run's results."""
    if not isinstance(value, dict) or "results" not in value:
        return False
    return bool({"configs", "n-shot"} & value.keys())


def read(contents: Contents, system: str | None) -> Iterator[Run]:
    """A run for each task of each results file; one for each samples file that stands alone."""
    alone = {name: found for name in contents.names if (found := SAMPLES.search(name))}
    for name in contents.names:
        dated = RESULTS.search(PurePosixPath(name).name)
        if dated is None:
            continue
        results = contents.document(name)
        if not is_results(results):
            continue
        folder = PurePosixPath(name).parent
        for task, values in _dict(results["results"], name, "results").items():
            mine = [
                one
                for one, found in alone.items()
                if PurePosixPath(one).parent == folder
                and found["task"] == task
                and found["date"] in {None, dated["date"]}
            ]
            for one in mine:
                del alone[one]
            yield _run(contents, name, results, str(task), values, mine)
    for name, found in alone.items():
        if system is None:
            message = f"{name} names no system, and there is no results file: give `system`"
            raise invalid("missing_system", message, "system")
        run = Run(HARNESS, runs.name(found["task"], name, "task"), system)
        run.warnings.append("there is no results file: version and settings are not known")
        _fill(run, contents, [name])
        yield run


def _run(
    contents: Contents,
    name: str,
    results: Mapping[str, Any],
    task: str,
    values: object,
    samples: list[str],
) -> Run:
    config = _dict(results.get("config") or {}, name, "config")
    own = _dict(_dict(results.get("configs") or {}, name, "configs").get(task) or {}, name, task)
    version = _dict(results.get("versions") or {}, name, "versions").get(task)
    about = {key: config[key] for key in KEPT if config.get(key) not in (None, {}, "")}
    about |= {key: results[key] for key in SETTINGS if results.get(key) is not None}
    about["num_fewshot"] = _dict(results.get("n-shot") or {}, name, "n-shot").get(task)
    model = results.get("model_name") or _model(config)
    run = Run(
        harness=HARNESS,
        task=runs.name(task, name, "task"),
        system=runs.name(model, name, "model_name") if model else None,
        version=runs.short(results.get("lm_eval_version")),
        task_version=runs.short(version),
        origin=about,
    )
    _report(run, results, _dict(values, name, f"results.{task}"), own, name)
    _fill(run, contents, samples)
    return run


def _model(config: Mapping[str, Any]) -> object:
    arguments = config.get("model_args")
    if isinstance(arguments, dict):
        return arguments.get("pretrained") or arguments.get("model")
    found = re.search(r"(?:pretrained|model)=([^,]+)", str(arguments or ""))
    return found[1] if found else config.get("model")


def _report(
    run: Run,
    results: Mapping[str, Any],
    values: Mapping[str, Any],
    own: Mapping[str, Any],
    name: str,
) -> None:
    """The scores that the results file has of a task, with their values."""
    upward = _dict(results.get("higher_is_better") or {}, name, "higher_is_better").get(run.task)
    listed = own.get("metric_list")
    aggregation = {
        str(one.get("metric")): one.get("aggregation")
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    }
    effective = _dict(results.get("n-samples") or {}, name, "n-samples").get(run.task)
    n = effective.get("effective") if isinstance(effective, dict) else values.get("sample_len")
    for key, value in values.items():
        metric, comma, filter_ = str(key).partition(",")
        if not comma or metric.endswith("_stderr") or not runs.is_number(value):
            continue
        where = f"{name} results.{run.task}.{key}"
        score = _score(metric, filter_, aggregation.get(metric), upward)
        error = values.get(f"{metric}_stderr,{filter_}")
        found = runs.number(value, where, key)
        run.scores[score.label] = score
        if math.isfinite(found):
            run.reported[score.label] = runs.reported(found, error, n)


def _score(metric: str, filter_: str, aggregation: object, upward: object) -> Score:
    higher = upward.get(metric, True) if isinstance(upward, dict) else True
    unit = runs.is_share(metric)
    return Score(
        name=runs.text(metric),
        filter=None if filter_ in {"", "none"} else runs.short(filter_),
        higher_is_better=higher is not False,
        low=0.0 if unit else None,
        high=1.0 if unit else None,
        aggregation=aggregation if isinstance(aggregation, str) else None,
    )


def _fill(run: Run, contents: Contents, files: list[str]) -> None:
    """The samples of a task, from the lines of all filters."""
    samples: dict[object, Sample] = {}
    seen: dict[tuple[object, object], str] = {}
    for name in files:
        for where, line in contents.lines(name):
            if not logged.is_sample(line):
                raise runs.wrong(where, "is no sample of lm-evaluation-harness: it has no doc_id")
            id, filter_ = line["doc_id"], line.get("filter") or "none"
            if not isinstance(id, str | int) or not isinstance(filter_, str):
                raise runs.wrong(where, "doc_id and filter have to be texts or whole numbers")
            first = seen.setdefault((id, filter_), where)
            if first != where:
                message = f"doc_id {id!r} is there at {first} already, under the same filter"
                raise invalid("duplicate_id", f"{where}: {message}", f"{where}.doc_id")
            if id not in samples:
                samples[id] = _sample(line, where)
            _values(run, samples[id], line, filter_, where)
    run.samples = list(samples.values())


def _sample(line: Mapping[str, Any], where: str) -> Sample:
    asked = logged.asked(line)
    return Sample(
        id=runs.name(line["doc_id"], where, "doc_id"),
        where=where,
        prompt=None if asked.prompt is None else runs.text(asked.prompt),
        references=[runs.text(one) for one in logged.references(line)],
        metadata=runs.metadata(asked.rest),
        outputs=[runs.text(one) for one in logged.said(line)],
    )


def _values(run: Run, sample: Sample, line: Mapping[str, Any], filter_: str, where: str) -> None:
    listed = line.get("metrics")
    names = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else None
    if names is None:  # older files
        known = {score.name for score in run.scores.values()}
        names = [key for key, value in line.items() if key in known or runs.is_number(value)]
        names = [key for key in names if key != "doc_id"]
    for metric in names:
        value = line.get(metric)
        score = _score(metric, filter_, None, None)
        run.scores.setdefault(score.label, score)
        is_part = isinstance(value, list | dict | str)  # of what the whole set is reckoned from
        if value is not None and run.parts.setdefault(score.label, is_part) != is_part:
            raise runs.wrong(where, f"{metric} is a number in some lines, and none in others")
        if not is_part:
            sample.values[score.label] = [run.value(score.label, value, where, metric)]


def _dict(value: object, name: str, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise runs.wrong(name, f"{field} has to be an object", f"{name}.{field}")
    return value
