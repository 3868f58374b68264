"""people.judge: a model is asked about the next items of a project, then about those after them, by
a task of their own. A task that is cut off is made again: what was stored is not asked again.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from inference.errors import Cancelled, ReportedError
from inference.remote.asking import watched
from service import faults
from service.annotation import annotators_store, judgements_store, store
from service.annotators import models
from service.annotators.asking import judged, nobody_answers
from service.annotators.questions import Options
from service.errors import ApiError
from service.evaluations.generating import storable
from service.jobs import counters
from service.jobs.context import Context
from service.jobs.model_counters import ModelCounters
from service.models import registered

BATCH, BATCH_BEHIND_URL = 8, 128  # items that a model is asked about at a time


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
            models.ask_on(db, found)
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
