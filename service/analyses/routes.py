"""GET /v1/evaluations/{id}/analysis: where a score is lost."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from sqlalchemy import Connection

from metrics.statistics.corrections import Correction
from service.analyses import store as analyses
from service.analyses.schemas import AnalysisOut
from service.analyses.views import view
from service.db import worker_requests
from service.errors import ApiError, invalid
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.http.dependencies import CurrentGate, CurrentSettings, Patience
from service.http.router import Router
from service.http.waiting import answer_to
from service.jobs import queue
from service.leaderboards import scopes
from service.leaderboards.paired import paired_results, without_rows
from service.leaderboards.pairing import score_named
from service.models import registered
from service.models import store as models
from service.settings import Settings

ENCODER = "builtin/minilm-l6"  # whose clusters are shown where none is named
BEFORE_SHARDS = 1  # priority: somebody waits

router = Router(prefix="/v1/evaluations", tags=["evaluations"])


@router.get("/{evaluation}/analysis", summary="Where a score is lost")
async def get_analysis(
    evaluation: str,
    gate: CurrentGate,
    wait: Patience,
    settings: CurrentSettings,
    metric: Annotated[
        str | None, Query(description="a score's name, as chrf; default: the evaluation's first")
    ] = None,
    correction: Annotated[
        Correction, Query(description="of the tests of all slices and clusters together")
    ] = "holm",
    clusters: Annotated[
        Literal["words", "embedding"],
        Query(description="texts alike by their words (TF-IDF), or by a sentence encoder"),
    ] = "words",
    encoder: Annotated[
        str | None,
        Query(description=f"for clusters=embedding, on a worker; default: {ENCODER}"),
    ] = None,
) -> AnalysisOut:
    """Slices (by metadata, length, language, number of references, novelty) and clusters of texts
    in which the score is lower than in the rest, with intervals and corrected tests; scores that
    disagree, and the worst samples. Computed by a worker when it is asked for first, then kept.
    `Prefer: wait=600` waits longer than 120 s."""

    answered: dict[str, Any] = {}

    def ask(db: Connection) -> str | AnalysisOut:
        row = scopes.finished(db, evaluation, "evaluation")
        score = _score(db, settings, row, metric)
        by = _encoder(db, settings, clusters, encoder)
        found = analyses.find(db, row, score.name)
        # the worker's own files, where it has said which they are
        digest = answered.get("digest") or (by and models.digest(db, settings, by))
        if found is not None and found.has(by, digest):
            return view(row, score, found, correction, by)
        asked = {"evaluation": row.id, "score": score.name, "encoder": by}
        request = worker_requests.add(db, "analysis", asked)
        # one at a time: who asks the same meanwhile is answered by what the first has found
        lock = f"analysis {row.id} {score.name}"
        queue.defer(db, "analysis.compute", priority=BEFORE_SHARDS, lock=lock, request=request)
        return request

    shown = await gate.run(ask)
    if isinstance(shown, AnalysisOut):
        return shown
    advice = "; ask again, it is kept once it is computed"
    answered |= await answer_to(gate, shown, wait, advice)
    shown = await gate.run(ask)
    if isinstance(shown, AnalysisOut):
        return shown
    message = f"{evaluation} was measured again meanwhile: ask again"
    raise ApiError(409, "measured_again", message, "evaluation")


def _encoder(db: Connection, settings: Settings, clusters: str, encoder: str | None) -> str | None:
    """What embeds the texts. Raises 422 where it is not to be had, or nothing asks for it."""
    if clusters == "words":
        if encoder is not None:
            message = "texts are alike by their words: an encoder is for clusters=embedding"
            raise invalid("no_encoder", message, "encoder")
        return None
    name = encoder or ENCODER
    if registered.find(db, name) is not None:
        message = f"{name!r} is behind a URL: texts are embedded by a model that runs here"
        raise invalid("wrong_model_kind", message, "encoder")
    models.require(db, settings, name, "encoder", "embedding")
    return name


def _score(db: Connection, settings: Settings, row: Evaluation, name: str | None) -> Score:
    """The score that is asked for, or the first that has rows. Raises 422 for one that cannot be
    taken apart: without rows, or of a whole set."""
    scores = read_scores(db, [row.id])[row.id]
    if name is not None:
        score = score_named(scores, name, "metric")
        why = _whole(db, settings, score)
        if why is not None:
            raise invalid("no_parts", why, "metric")
        return score
    whole = [one for one in scores if not one.slice and one.value is not None]
    found = next((one for one in whole if _whole(db, settings, one) is None), None)
    if found is None:
        message = f"{row.id} has no score whose parts could be compared"
        raise invalid("no_parts", message, "evaluation")
    return found


def _whole(db: Connection, settings: Settings, score: Score) -> str | None:
    """Why the score cannot be taken apart, if so."""
    (result,) = paired_results(db, settings, [score])
    if result is None:
        return without_rows(score)
    if result.result.per_sample is None:
        return f"{score.name} is of the whole set: its samples have no values of their own"
    if result.metric.interval == "jackknife":
        return f"{score.name} moves with the number of samples: no part is held to the rest"
    return None
