"""Analyses, as they are shown: corrected, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metrics.statistics.corrections import CORRECTED, Correction
from service.analyses.findings import NO_CLUSTERS
from service.analyses.schemas import AnalysisOut
from service.analyses.store import Analysis
from service.evaluations.scores import Score
from service.evaluations.store import Evaluation
from service.leaderboards.paired import ALPHA


def view(
    row: Evaluation, score: Score, analysis: Analysis, correction: Correction, encoder: str | None
) -> AnalysisOut:
    """An analysis; what is significantly worse stands first, then the worst.

    encoder  whose clusters are shown; None: those by words
    """
    found = dict(analysis.content)
    if encoder is not None:
        own = found["embedded"][encoder]
        notes = [one for one in found["notes"] if one != NO_CLUSTERS]
        found |= {"clusters": own["clusters"], "notes": notes + own["notes"]}
    found.pop("embedded", None)
    parts = [dict(one) for one in [*found["slices"], *found["clusters"]]]
    p_values = np.array([_number(one["p_value"]) for one in parts], np.float64)
    better = 1 if score.higher_is_better else -1
    for one, p_value in zip(parts, CORRECTED[correction](p_values).tolist(), strict=True):
        known = bool(np.isfinite(p_value))
        one["p_corrected"] = p_value if known else None
        one["significant"] = p_value <= ALPHA if known else None
        one["worse"] = better * one["difference"] < 0
    slices, clusters = parts[: len(found["slices"])], parts[len(found["slices"]) :]

    def place(one: Mapping[str, Any]) -> tuple[bool, float]:
        return not (one["significant"] and one["worse"]), better * one["difference"]

    found |= {"slices": sorted(slices, key=place), "clusters": sorted(clusters, key=place)}
    return AnalysisOut.model_validate(
        found
        | {
            "evaluation": row.id,
            "system": row.system,
            "dataset": f"{row.dataset_name}@{row.dataset_version}",
            "metric": score.name,
            "higher_is_better": score.higher_is_better,
            "level": row.level,
            "correction": correction,
            "cluster": row.cluster,
            "encoder": encoder,
            "computed_at": analysis.created_at,
        }
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
