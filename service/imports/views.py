"""What the answer to an import tells of each run: its scores, a sample, what to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from inference.protocol import NoModels
from metrics.core.rows import Floats
from metrics.core.signature import parts, text
from service.imports.admission import Prepared
from service.imports.runs import Run
from service.imports.schemas import ImportedEvaluation, ImportedScore

AGREED = 1e-6  # relative, of a mean and what the file reports: formats round


def view(one: Prepared, evaluation: str | None) -> ImportedEvaluation:
    """A run as the answer has it."""
    run = one.run
    scores = [_score(one, position) for position in range(len(one.metrics))]
    first = run.samples[0] if run.samples else None
    shown = None
    if first is not None:
        values = {
            label: [None if np.isnan(value) else value for value in each]
            for label, each in first.values.items()
        }
        shown = first.record() | {"outputs": first.outputs, "scores": values}
    return ImportedEvaluation(
        evaluation=evaluation,
        system=one.system,
        dataset=one.dataset,
        harness=run.harness,
        harness_version=run.version,
        task=run.task,
        task_version=run.task_version,
        samples=len(run.samples),
        scores=scores,
        sample=shown,
        warnings=[*run.warnings, *_disagreeing(run, scores)],
    )


def _score(one: Prepared, position: int) -> ImportedScore:
    metric = one.metrics[position]
    (score,) = metric.scores
    reported = one.run.reported.get(score.name)
    has_rows = position < len(one.values)
    value, n, missing = (reported.value if reported else None), reported.n if reported else 0, 0
    if has_rows:
        means = _means(one.run, score.name)
        there = means[np.isfinite(means)]
        value = float(there.mean()) if len(there) else None
        n, missing = len(there), len(means) - len(there)
    return ImportedScore(
        name=score.name,
        kind="rows" if has_rows else "reported",
        value=value,
        reported=reported.value if reported else None,
        n=n,
        missing=missing,
        higher_is_better=score.higher_is_better,
        signature=text(parts(metric, NoModels()), score),
    )


def _means(run: Run, label: str) -> Floats:
    """(n,) the samples' own values: means over those of their outputs that have one."""
    found = np.full(len(run.samples), np.nan)
    for at, sample in enumerate(run.samples):
        there = [value for value in sample.values.get(label, ()) if math.isfinite(value)]
        if there:
            found[at] = sum(there) / len(there)
    return found


def _disagreeing(run: Run, scores: Sequence[ImportedScore]) -> list[str]:
    """Where the mean of the rows is not what the file reports, and why that may be."""
    found = []
    for one in scores:
        if one.kind == "reported" or one.reported is None or one.value is None:
            continue
        if abs(one.value - one.reported) > AGREED * max(abs(one.reported), 1.0):
            how = run.scores[one.name].aggregation
            by = f", by {how}" if how and how != "mean" else ""
            found.append(
                f"{one.name}: the file reports {one.reported:.6g}{by}; what is computed here is "
                f"the mean over samples, {one.value:.6g}"
            )
    return found
