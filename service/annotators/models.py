"""Models that are let in as annotators: they judge every item, apart from people."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection

from service.annotation import annotators_store
from service.annotation.annotators_store import Annotator
from service.annotation.schemas import OUTPUTS
from service.annotation.store import Project
from service.annotators import questions
from service.annotators.questions import Options
from service.annotators.schemas import AnnotatorIn
from service.errors import invalid
from service.jobs import queue
from service.models import registered
from service.models import store as models
from service.settings import Settings

OF_MODELS, OF_PEOPLE = ("reasons", "max_new_tokens"), ("expires_in",)


def check_person(body: AnnotatorIn) -> None:
    """Raises 422 for what is asked of models alone."""
    for name in body.model_fields_set & {*OF_MODELS}:
        raise invalid(
            "not_of_people", f"{name}: it is of a `model`: name one, or leave it out", name
        )


def add(
    db: Connection, settings: Settings, project: Project, model: str, body: AnnotatorIn
) -> Annotator:
    """The model, which workers begin to ask. Raises 422 for one that cannot be chatted with, and
    for what no model is asked."""
    for name in body.model_fields_set & {*OF_PEOPLE}:
        raise invalid("not_of_models", f"{name}: a model has no link: leave it out", name)
    models.require(db, settings, model, "model", "chat")
    options = Options(model, body.reasons, body.max_new_tokens)
    questions.questions(project, options, OUTPUTS.get(project.form, 2))
    made = annotators_store.add_model(db, project.id, body.name, model, asdict(options))
    ask_on(db, made)
    return made


def ask_on(db: Connection, annotator: Annotator) -> None:
    """Have it asked about the next items. What waits for a server holds up nobody who computes; one
    task at a time asks a model, and only one waits."""
    behind_url = registered.find(db, annotator.model or "") is not None
    key = f"judge {annotator.id}"
    line = "ask" if behind_url else "score"
    queue.defer(db, "people.judge", queue=line, lock=key, queueing_lock=key, annotator=annotator.id)
