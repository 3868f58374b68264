"""people.publish: a project's scores, written into the evaluations of its systems.

people.judge: a model is asked about the next items of a project, and then about those after them,
by a task of their own. A task that is cut off is made again: what was stored is not asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

import numpy as np
from sqlalchemy import Connection

from inference.errors import Cancelled, ReportedError
from inference.remote.asking import watched
from metrics.community import people
from metrics.core.rows import Floats
from metrics.statistics.strengths import Strengths, strengths
from metrics.statistics.votes import Votes
from service import faults
from service.annotation import (
    annotators_store,
    judgements_store,
    model_annotators,
    store,
    votes_store,
)
from service.annotation.answers import LEADS
from service.annotation.asking import judged, nobody_answers
from service.annotation.questions import Options
from service.annotation.shares import Output, means, params_of, scales
from service.annotation.store import Project
from service.annotation.votes_store import Cast
from service.datasets import store as datasets
from service.db import worker_requests
from service.errors import ApiError
from service.evaluations import additions
from service.evaluations.additions import Fitted, Voted
from service.evaluations.generating import storable
from service.jobs import counters
from service.jobs.context import Context
from service.jobs.model_counters import ModelCounters
from service.models import registered

BATCH, BATCH_BEHIND_URL = 8, 128  # items that a model is asked about at a time
UNBOUNDED: Mapping[str, float | None] = {"low": None, "high": None}


def publish(context: Context, project: str, request: str = "") -> None:
    """Every system's scores by the votes there are, in place of those by earlier ones; answers who
    waits."""
    with context.engine.begin() as db:
        found = store.get(db, project)
        votes = votes_store.cast(db, project) if found is not None else []
        ids = {
            one["dataset"]: datasets.read_ids(db, one["dataset"])
            for one in (found.systems if found is not None else ())
        }
    if found is not None:
        fits = {dataset: _fit(found, votes, dataset) for dataset in ids}
        values = means(found, votes)
        for one in found.systems:
            context.advance()
            own = [
                vote
                for vote in votes
                if vote.dataset_id == one["dataset"] and one["system"] in vote.systems
            ]
            voted = _voted(found, one, values, own, ids[one["dataset"]])
            fitted = _fitted(found, one["system"], fits[one["dataset"]], own)
            additions.add(context, one["evaluation"], found.id, voted, fitted)
    if request:
        with context.engine.begin() as db:
            worker_requests.answer(db, request, {"votes": len(votes)})


def publish_failed(context: Context, project: str, reason: str, request: str = "") -> None:
    """Tell the one who waits."""
    if request:
        with context.engine.begin() as db:
            worker_requests.refuse(db, request, "publishing_failed", reason)


def judge(context: Context, annotator: str) -> None:
    """Ask the model about the next items, unless it is done or was ended."""
    with context.engine.begin() as db:
        found = annotators_store.at_work(db, annotator)
        project = store.get(db, found.project_id) if found is not None else None
        if found is None or project is None or found.model is None:
            return
        batch = BATCH_BEHIND_URL if registered.find(db, found.model) is not None else BATCH
        items = judgements_store.pending(db, project.id, annotator, batch)
    usage = ModelCounters(context)
    try:
        options = Options(**(found.options or {}))
        with watched(partial(_go_on, context)):
            chat = context.models.chat(found.model)
            made = judged(chat, project, annotator, options, items, partial(_go_on, context))
    except ReportedError as error:
        if isinstance(error, Cancelled) or faults.is_outside(error):
            raise
        judge_failed(context, annotator, error.message)
        return
    why = nobody_answers(made)
    with context.engine.begin() as db:
        if not _still_wanted(db, project.id, annotator):
            return
        if why is None:
            judgements_store.add(db, project.id, annotator, made)
        if why is not None or len(items) < batch:
            annotators_store.finish(db, annotator, why)
        else:
            model_annotators.ask_on(db, found)
        counters.add(db, usage.spent())  # last: its rows stay locked until the commit


def _still_wanted(db: Connection, project: str, annotator: str) -> bool:
    """Whether the model is at work, as it then stays until the transaction ends."""
    try:
        store.share(db, project)
    except ApiError:  # it was deleted
        return False
    return annotators_store.at_work(db, annotator, lock=True) is not None


def _go_on(context: Context) -> None:
    """Say that there is progress. Raises Cancelled where nobody wants it any more."""
    context.advance()
    if context.cancelled():
        raise Cancelled("stopped between two answers")


def judge_failed(context: Context, annotator: str, reason: str) -> None:
    """It is asked no further; what it has said stays."""
    with context.engine.begin() as db:
        annotators_store.finish(db, annotator, storable(reason))


def _voted(
    project: Project,
    system: Mapping[str, str],
    values: Mapping[str, Mapping[Output, float]],
    votes: Sequence[Cast],
    ids: Sequence[str],
) -> list[Voted]:
    return [
        Voted(
            people.declare(name).bind(params_of(project, asdict(scale), votes)),
            _of_samples(values[name], system["dataset"], system["system"], ids),
        )
        for name, scale in scales(project).items()
    ]


def _of_samples(
    values: Mapping[Output, float], dataset: str, system: str, ids: Sequence[str]
) -> Floats:
    """(n_samples,) of a system; NaN where nobody voted."""
    return np.array([values.get((dataset, id, system), np.nan) for id in ids], np.float64)


def _fit(project: Project, votes: Sequence[Cast], dataset: str) -> Strengths | None:
    """The strengths by votes on one dataset; None where there are none."""
    own = [vote for vote in votes if vote.dataset_id == dataset]
    if project.form != "pairwise" or not own:
        return None
    systems = sorted(one["system"] for one in project.systems if one["dataset"] == dataset)
    place = {system: at for at, system in enumerate(systems)}
    return strengths(
        Votes.of(
            systems,
            [place[vote.systems[0]] for vote in own],
            [place[vote.systems[1]] for vote in own],
            [LEADS[vote.answer["choice"]] for vote in own],
            annotators=[vote.annotator_id for vote in own],
            items=[vote.sample for vote in own],
        )
    )


def _fitted(
    project: Project, system: str, fit: Strengths | None, votes: Sequence[Cast]
) -> list[Fitted]:
    """The strength of a system, of pairwise votes; NaN where not all systems are connected."""
    if project.form != "pairwise":
        return []
    metric = people.declare(people.STRENGTH).bind(params_of(project, UNBOUNDED, votes))
    samples = len({vote.sample for vote in votes})
    if fit is None or fit.ranks is None:
        return [Fitted(metric, np.nan, np.nan, np.nan, samples, ())]
    at = fit.systems.index(system)
    value, low, high = (float(each[at]) for each in (fit.values, fit.low, fit.high))
    return [Fitted(metric, value, low, high, samples, fit.warnings)]
