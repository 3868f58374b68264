"""analysis.compute: where an evaluation loses a score; answers who waits, and is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics.core.embeddings import ITEMS_PER_BATCH, EmbeddingParams, embeddings
from metrics.core.metric import Sample
from metrics.core.rows import Floats, Ints
from service.analyses import store as analyses
from service.analyses.clusters import Embed
from service.analyses.findings import Scored, embedded, findings
from service.analyses.store import Analysis
from service.datasets import store as datasets
from service.db import worker_requests
from service.evaluations import outputs
from service.evaluations import store as evaluations
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.figures.numbers import finite
from service.jobs.context import Context
from service.leaderboards.paired import PairedResult, paired_results

MOST_SAMPLES = 20_000
EXCERPT = 500  # characters
DRAWN = "of {} samples with a value, {} are looked at, drawn at random"


def compute(context: Context, request: str) -> None:
    """Find it, keep it, say that it is there."""
    with context.engine.begin() as db:
        asked = worker_requests.read(db, request)
        row = evaluations.get(db, asked["evaluation"]) if asked is not None else None
        if asked is None or row is None:
            return
        name, encoder = str(asked["score"]), asked.get("encoder")
        known = analyses.find(db, row, name)
        try:
            digest = None if encoder is None else context.models.identity(encoder).digest
            if known is None or not known.has(encoder, digest):
                content = _content(context, db, row, name, encoder, known)
                if encoder is not None:
                    content["embedded"][encoder]["digest"] = digest
                analyses.keep(db, row, name, content)
        except ReportedError as error:
            worker_requests.refuse(
                db, request, error.code, error.message, status=422, param="encoder"
            )
            return
        worker_requests.answer(db, request, {"score": name, "digest": digest})


def compute_failed(context: Context, request: str, reason: str) -> None:
    """Tell the one who waits."""
    with context.engine.begin() as db:
        worker_requests.refuse(db, request, "analysis_failed", reason)


def _content(
    context: Context,
    db: Connection,
    row: Evaluation,
    name: str,
    encoder: str | None,
    known: Analysis | None,
) -> dict[str, Any]:
    """What is not known yet. Raises ReportedError where the encoder, or its files, cannot be
    had."""
    scores: dict[str, Score] = {}
    for one in read_scores(db, [row.id])[row.id]:
        if not one.slice and one.value is not None:
            scores.setdefault(one.name, one)
    results = paired_results(db, context.settings, list(scores.values()))
    found = {of: one for of, one in zip(scores, results, strict=True) if one is not None}
    chosen = found[name]
    there = np.flatnonzero(~chosen.result.missing)
    places = there
    if len(there) > MOST_SAMPLES:
        places = np.sort(np.random.default_rng(row.seed).choice(there, MOST_SAMPLES, replace=False))
    samples = _samples(db, row, places)
    context.advance()
    scored = _scored(db, row, chosen, found, places, samples)
    content: dict[str, Any] = {}
    if known is None:
        content = findings(scored)
        if len(places) < len(there):
            content["notes"].append(DRAWN.format(len(there), len(places)))
    if encoder is not None:
        content["embedded"] = {encoder: embedded(scored, _embed(context, encoder))}
    own = chosen.result.per_sample
    values = None if own is None else own[places, chosen.index]
    shown: dict[str, Any] = _shown(content, samples, values)
    if known is None:
        shown |= {"signature": scores[name].signature, "missing": scores[name].missing}
    return shown


def _embed(context: Context, encoder: str) -> Embed:
    """Vectors by the encoder, which is warm for whoever asks next."""
    params = EmbeddingParams(model=encoder)

    def embed(texts: Sequence[str]) -> Floats:
        found = []
        for start in range(0, len(texts), ITEMS_PER_BATCH):
            found.append(embeddings(texts[start : start + ITEMS_PER_BATCH], params, context.models))
            context.advance()
        return np.concatenate(found).astype(np.float64)

    return embed


def _samples(db: Connection, row: Evaluation, places: Ints) -> list[Sample]:
    records = datasets.read_records(db, row.dataset_id)
    texts = outputs.read(db, row.id)
    return [Sample.of(records[at], texts.get(at, ())) for at in places.tolist()]


def _scored(
    db: Connection,
    row: Evaluation,
    chosen: PairedResult,
    found: Mapping[str, PairedResult],
    places: Ints,
    samples: Sequence[Sample],
) -> Scored:
    groups = None
    if row.cluster is not None:
        names = datasets.read_clusters(db, row.dataset_id, row.cluster)
        groups = np.unique(np.array(names)[places], return_inverse=True)[1].astype(np.int64)
    values = {of: _oriented(one)[places] for of, one in found.items() if _of_samples(one)}
    return Scored(
        samples=samples,
        rows=chosen.result.settled.rows[places],
        reduce=chosen.metric.reduce,
        index=chosen.index,
        own=_oriented(chosen)[places],
        values=values,
        groups=groups,
        higher_is_better=chosen.metric.scores[chosen.index].higher_is_better,
        level=row.level,
    )


def _of_samples(one: PairedResult) -> bool:
    return one.result.per_sample is not None


def _oriented(one: PairedResult) -> Floats:
    """(n,) the samples' own values, more is better."""
    own = one.result.per_sample
    if own is None:
        return np.full(len(one.ids), np.nan)
    sign = 1.0 if one.metric.scores[one.index].higher_is_better else -1.0
    return np.asarray(sign * own[:, one.index], np.float64)


def _shown(content: Any, samples: Sequence[Sample], values: Floats | None) -> Any:
    """The same with excerpts for places of samples."""
    named = {"examples", "worst", "a_above_b", "b_above_a"}
    if isinstance(content, dict):
        return {
            name: [_example(samples, values, at) for at in one]
            if name in named
            else _shown(one, samples, values)
            for name, one in content.items()
        }
    if isinstance(content, list):
        return [_shown(one, samples, values) for one in content]
    return content


def _example(samples: Sequence[Sample], values: Floats | None, at: int) -> dict[str, Any]:
    sample = samples[at]
    value = np.nan if values is None else float(values[at])
    return {
        "id": sample.id,
        "value": finite(value),
        "prompt": _excerpt(sample.prompt),
        "output": _excerpt(next(iter(sample.outputs), None)),
        "reference": _excerpt(next(iter(sample.references), None)),
    }


def _excerpt(text: str | None) -> str | None:
    return text if text is None or len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"
