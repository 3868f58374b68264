"""HELM: a run's folder, with `per_instance_stats.json`, `run_spec.json` and what lies beside."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from service.errors import invalid
from service.imports import runs
from service.imports.contents import Contents
from service.imports.runs import Reported, Run, Sample, Score

HARNESS = "helm"
INSTANCES = "per_instance_stats.json"
# statistics of the run itself: its prompts, its tokens, its time
ABOUT_THE_RUN = ("num_", "max_", "inference_", "training_", "prompt_", "batch_size", "finish_")
LOWER = ("error", "loss", "perplexity", "bits_per", "toxic", "runtime", "edit_distance", "_wer")
BETWEEN_0_AND_1 = ("exact_match", "f1_score", "rouge_", "quasi_", "prefix_exact", "accuracy")


def is_instances(value: object) -> bool:
    """Whether a JSON document is the statistics of instances."""
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and {"instance_id", "stats"} <= first.keys()


def read(contents: Contents) -> Iterator[Run]:
    """A run for each folder that has statistics of instances; of instances as they are, not as
    they were perturbed."""
    for name in contents.names:
        path = PurePosixPath(name)
        if path.name != INSTANCES:
            continue
        beside = {
            other: str(path.parent / f"{other}.json")
            for other in ("run_spec", "stats", "scenario_state", "scenario")
        }
        there = {
            other: contents.document(file)
            for other, file in beside.items()
            if file in contents.names
        }
        yield _run(contents.document(name), there, name)


def single(document: Any, name: str) -> Run:
    """The run of statistics of instances that came alone."""
    return _run(document, {}, name)


def _run(instances: Any, there: dict[str, Any], name: str) -> Run:
    spec = there.get("run_spec")
    spec = spec if isinstance(spec, dict) else {}
    adapter = spec.get("adapter_spec")
    adapter = adapter if isinstance(adapter, dict) else {}
    title = str(spec.get("name") or "unknown")
    model = adapter.get("model") or adapter.get("model_deployment")
    run = Run(
        harness=HARNESS,
        task=runs.name(_task(title), name, "name"),
        system=runs.name(model, name, "model") if model else None,
        origin={"name": title, "adapter_spec": adapter},
    )
    if not is_instances(instances):
        raise runs.wrong(name, "has to be a list of instances with their stats")
    asked = _asked(there.get("scenario_state"))
    samples: dict[str, Sample] = {}
    trials: dict[tuple[str, object], int] = {}
    for at, instance in enumerate(instances):
        where = f"{name}[{at}]"
        if not isinstance(instance, dict):
            raise runs.wrong(where, "has to be an object")
        if not instance.get("perturbation"):
            _add(run, samples, trials, instance, asked, where)
    run.samples = list(samples.values())
    for sample in run.samples:  # a trial without the statistic has no value
        most = max(map(len, sample.values.values()), default=0)
        for values in sample.values.values():
            values.extend([math.nan] * (most - len(values)))
        if len(sample.outputs) != most:
            sample.outputs = [*sample.outputs, *[""] * most][:most]
    _report(run, there.get("stats"), f"{name} stats")
    return run


def _task(title: str) -> str:
    """The scenario and its settings, without the model: `mmlu:subject=anatomy`."""
    scenario, _, settings = title.partition(":")
    kept = [one for one in settings.split(",") if one and not one.startswith("model")]
    return f"{scenario}:{','.join(kept)}" if kept else scenario


def _add(
    run: Run,
    samples: dict[str, Sample],
    trials: dict[tuple[str, object], int],
    instance: dict[str, Any],
    asked: dict[str, dict[str, Any]],
    where: str,
) -> None:
    id = runs.name(instance.get("instance_id"), where, "instance_id")
    trial = instance.get("train_trial_index", 0)
    if not isinstance(trial, int):
        raise runs.wrong(where, "train_trial_index has to be a whole number")
    stats = instance.get("stats")
    if not isinstance(stats, list):
        raise runs.wrong(where, "stats has to be a list", f"{where}.stats")
    found = samples.get(id)
    if found is None:
        found = samples[id] = Sample(id, where, **asked.get(id, {}))
    place = trials.setdefault((id, trial), sum(known == id for known, _ in trials))
    for stat in stats:
        label, value = _stat(stat, where)
        if label is None:
            continue
        run.scores.setdefault(label, _score(label))
        values = found.values.setdefault(label, [])
        if len(values) > place:
            message = f"{label} is there twice for {id!r} in trial {trial}"
            raise invalid("duplicate_id", f"{where}: {message}", f"{where}.stats")
        values += [float("nan")] * (place - len(values))
        values.append(value)


def _stat(stat: Any, where: str) -> tuple[str | None, float]:
    name = stat.get("name") if isinstance(stat, dict) else None
    if not isinstance(name, dict) or not isinstance(name.get("name"), str):
        raise runs.wrong(where, "a statistic has to have a name", f"{where}.stats")
    label = runs.text(name["name"])
    if label.startswith(ABOUT_THE_RUN) or not stat.get("count"):
        return None, 0.0
    return label, runs.number(stat.get("mean"), where, label)


def _score(label: str) -> Score:
    unit = label.startswith(BETWEEN_0_AND_1)
    upward = not any(part in label for part in LOWER)
    return Score(label, None, upward, 0.0 if unit else None, 1.0 if unit else None, "mean")


def _report(run: Run, stats: Any, where: str) -> None:
    """Of the statistics of the whole set, those of instances as they are."""
    for stat in _list(stats):
        name = stat.get("name") if isinstance(stat, dict) else None
        if not isinstance(name, dict) or name.get("perturbation"):
            continue
        label, value = _stat(stat, where)
        if label is None or label in run.reported or math.isnan(value):
            continue
        run.scores.setdefault(label, _score(label))
        run.reported[label] = Reported(value, n=len(run.samples))


def _asked(state: Any) -> dict[str, dict[str, Any]]:
    """What was asked and what came out, by instance, from the state of the scenario."""
    found: dict[str, dict[str, Any]] = {}
    states = state.get("request_states") if isinstance(state, dict) else None
    for one in _list(states):
        instance = one.get("instance") if isinstance(one, dict) else None
        if not isinstance(instance, dict) or instance.get("perturbation"):
            continue
        id = runs.text(instance.get("id") or "")
        fields = found.setdefault(id, {"outputs": []})
        given = instance.get("input")
        if isinstance(given, dict):
            fields["prompt"] = runs.text(given.get("text"))
        fields["references"] = [
            runs.text(reference["output"].get("text"))
            for reference in _list(instance.get("references"))
            if isinstance(reference, dict)
            and isinstance(reference.get("output"), dict)
            and "correct" in _list(reference.get("tags"))
        ]
        kept = {key: instance[key] for key in ("split", "sub_split") if instance.get(key)}
        fields["metadata"] = runs.metadata(kept)
        result = one.get("result")
        for completion in _list(result.get("completions"))[:1] if isinstance(result, dict) else []:
            if isinstance(completion, dict):
                fields["outputs"].append(runs.text(completion.get("text")))
    return found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
