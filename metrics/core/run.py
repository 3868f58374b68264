"""A whole run without a service: samples in, results out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inference.errors import Cancelled, InputError, ReportedError
from inference.protocol import Models, NoModels
from metrics.core.asked_language import language_of
from metrics.core.beside import numbers_of, with_fields
from metrics.core.choices import Choices
from metrics.core.clustered import Cluster, Drawing
from metrics.core.contexts import contexts_of
from metrics.core.errors import MissingInput
from metrics.core.evidence import Evidence
from metrics.core.instructions import instructions_of
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, Reads, Sample
from metrics.core.program import does_nothing
from metrics.core.result import Result, conclude, failed
from metrics.core.rows import Ints
from metrics.core.settling import restrict
from metrics.core.signature import parts

log = logging.getLogger(__name__)


def score(
    samples: Sequence[Sample],
    requests: Sequence[BoundMetric],
    models: Models | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    cluster: str | None = None,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> list[Result]:
    """A result for each request, in order; a metric that fails, for whatever reason, fails alone.

    models    where metrics get models from; None: those that run one fail
    progress  called with (request's index, outputs finished since the last call); may raise
              Cancelled, which stops the run
    cluster   the metadata's field, or `prompt`, by which samples belong together

    Raises InputError for samples that no metric could score: none at all, duplicate ids, lone
    surrogates, no value of `cluster`.
    """
    drawing: Drawing = {"seed": seed, "replicates": replicates, "level": level}
    found = score_slices(samples, requests, {}, models, drawing, progress, cluster)
    return [whole for whole, _ in found]


def score_slices(
    samples: Sequence[Sample],
    requests: Sequence[BoundMetric],
    slices: Mapping[str, Ints],
    models: Models | None,
    drawing: Drawing,
    progress: Callable[[int, int], None] | None = None,
    cluster: str | None = None,
) -> list[tuple[Result, dict[str, Result]]]:
    """As `score`, each result with those of the slices: indices of samples, by name."""
    validate(samples)
    together = Cluster.of(samples, cluster) if cluster is not None else None
    models = models or NoModels()
    ids = [sample.id for sample in samples]
    items, unit = items_of(samples)
    whole = np.arange(len(samples), dtype=np.int64)
    results: list[tuple[Result, dict[str, Result]]] = []
    for index, request in enumerate(requests):
        metric, found = request, {"name": request.name}

        def advance(count: int, index: int = index) -> None:
            if progress is not None:
                progress(index, count)

        try:
            metric = prepare(request, samples)
            found = parts(metric, models)
            evidence = measure(metric, items, models, progress=advance)
            evidence = with_fields(metric, evidence, unit, numbers_of(samples, metric.fields))
            concluded = {
                name: _conclude(metric, evidence, unit, ids, chosen, found, together, drawing)
                for name, chosen in {"": whole, **slices}.items()
            }
            results.append((concluded.pop(""), concluded))
        except Cancelled:
            raise
        except ReportedError as error:
            level = drawing["level"]
            results.append((failed(metric, ids, found, error.message, level=level), {}))
        except Exception as error:
            log.exception("%s failed", metric.name)
            why = f"{type(error).__name__}: {error}"
            results.append((failed(metric, ids, found, why, level=drawing["level"]), {}))
    return results


def _conclude(
    metric: BoundMetric,
    evidence: Evidence,
    unit: Ints,
    ids: Sequence[str],
    chosen: Ints,
    found: Mapping[str, str],
    cluster: Cluster | None,
    drawing: Drawing,
) -> Result:
    """The result of the chosen samples."""
    if len(chosen) < len(ids):
        evidence, unit = restrict(evidence, unit, chosen)
        ids = [ids[index] for index in chosen.tolist()]
        cluster = cluster.take(chosen) if cluster is not None else None
    return conclude(metric, evidence, unit, ids, found, cluster=cluster, **drawing)


def prepare(metric: BoundMetric, samples: Sequence[Sample], where: str = "samples") -> BoundMetric:
    """The metric ready to measure the samples: resolved, its needs met, its check passed.

    where  what the samples are called in a request, for errors

    Raises MissingInput for the first sample that lacks what the metric needs, and InputError,
    naming the parameter, where the metric cannot work on these samples.
    """
    resolved = metric.resolve(samples)
    for need in resolved.needs:
        for index, sample in enumerate(samples):
            if not _carries(sample, need):
                raise MissingInput(metric.name, need, index, sample.id, where)
    resolved.check(samples)
    return resolved


def validate(samples: Sequence[Sample]) -> None:
    """Raises InputError, naming the field, for samples that could not be told apart or encoded."""
    if not samples:
        raise InputError("there are no samples", "samples")
    seen: dict[str, int] = {}
    for index, sample in enumerate(samples):
        if sample.id in seen:
            first = seen[sample.id]
            raise InputError(
                f"id {sample.id!r} is also that of samples[{first}]", f"samples[{index}].id"
            )
        seen[sample.id] = index
        for field, texts in _texts(sample).items():
            try:
                "".join(texts).encode()
            except UnicodeEncodeError:
                raise InputError(
                    "text has a lone surrogate: not valid Unicode", f"samples[{index}].{field}"
                ) from None


def _texts(sample: Sample) -> dict[str, tuple[str, ...]]:
    return {
        "id": (sample.id,),
        "outputs": sample.outputs,
        "references": sample.references,
        "prompt": (sample.prompt or "",),
        "tests": (sample.tests or "",),
    }


IN_METADATA: Mapping[Reads, Callable[[Mapping[str, Any]], object]] = {
    "choices": Choices.of,
    "contexts": contexts_of,
    "instructions": instructions_of,
    "language": language_of,
}


def _carries(sample: Sample, need: Reads) -> bool:
    if need == "output":
        return bool(sample.outputs)
    if need in {"details", "references"}:
        return bool(getattr(sample, need))
    if need in IN_METADATA:
        return bool(IN_METADATA[need](sample.metadata))
    if need == "tests":
        return sample.tests is not None and not does_nothing(sample.tests)
    return getattr(sample, need) is not None
