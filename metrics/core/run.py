"""A whole run without a service: samples in, results out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from inference.errors import Cancelled, InputError, ReportedError
from inference.protocol import Models
from metrics.core.measure import EvidenceCache, items_of, measure
from metrics.core.metric import AnyMetric, Params, Reads, Sample
from metrics.core.result import Result, conclude, failed
from metrics.core.signature import parts

log = logging.getLogger(__name__)


def score(
    samples: Sequence[Sample],
    requests: Sequence[tuple[AnyMetric, Params]],
    models: Models,
    *,
    cache: EvidenceCache | None = None,
    progress: Callable[[int, int], None] | None = None,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> list[Result]:
    """A result for each request, in order; a metric that fails, for whatever reason, fails alone.

    progress  called with (request's index, outputs finished since the last call); may raise
              Cancelled, which stops the run

    Raises InputError for samples that no metric could score: none at all, duplicate ids, lone
    surrogates.
    """
    validate(samples)
    ids = [sample.id for sample in samples]
    items, unit = items_of(samples)
    results = []
    for index, (metric, asked) in enumerate(requests):
        params, found = asked, {"name": metric.name}

        def advance(count: int, index: int = index) -> None:
            if progress is not None:
                progress(index, count)

        try:
            params = prepare(metric, asked, samples)
            found = parts(metric, params, models)
            evidence = measure(metric, params, items, models, cache, advance)
            result = conclude(
                metric,
                params,
                evidence,
                unit,
                ids,
                found,
                seed=seed,
                replicates=replicates,
                level=level,
            )
        except Cancelled:
            raise
        except ReportedError as error:
            result = failed(metric, params, ids, found, error.message, level=level)
        except Exception as error:
            log.exception("%s failed", metric.name)
            why = f"{type(error).__name__}: {error}"
            result = failed(metric, params, ids, found, why, level=level)
        results.append(result)
    return results


def prepare(metric: AnyMetric, params: Params, samples: Sequence[Sample]) -> Params:
    """The parameters, those that depend on the data filled in.

    Raises InputError, naming the field, where the samples lack what the metric needs.
    """
    resolved = metric.resolve(params, samples) if metric.resolve else params
    for need in metric.needs(resolved):
        for index, sample in enumerate(samples):
            if not _carries(sample, need):
                field = "outputs" if need == "output" else need
                raise InputError(f"{metric.name} needs {field}", f"samples[{index}].{field}")
    if metric.check:
        metric.check(resolved, samples)
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


def _carries(sample: Sample, need: Reads) -> bool:
    if need == "output":
        return bool(sample.outputs)
    if need == "references":
        return bool(sample.references)
    return getattr(sample, need) is not None
