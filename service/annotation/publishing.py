"""When a project's scores are written into its systems' evaluations."""

from __future__ import annotations

from sqlalchemy import Connection

from service.annotation.shares import scales
from service.annotation.store import Project
from service.db import worker_requests
from service.errors import invalid
from service.evaluations import plans
from service.evaluations.scores import read_scores
from service.jobs import queue

BEFORE_SHARDS = 1  # priority: somebody waits


def ask(db: Connection, project: Project) -> str:
    """Have the scores published; returns the request that a worker answers then. Raises 422 for a
    form without scores, and for votes from elsewhere."""
    require_evaluations(project)
    if not scales(project):
        message = f"votes of {project.form} are no numbers: GET …/votes has what people wrote"
        raise invalid("no_scores", message, "project")
    request = worker_requests.add(db, "published", {"project": project.id})
    _defer(db, project, request)
    return request


def require_evaluations(project: Project) -> None:
    """Raises 422 for votes from elsewhere."""
    if not project.evaluated:
        message = "its votes are from elsewhere: no evaluation of these systems is known here"
        raise invalid("no_evaluations", message, "project")


def later(db: Connection, project: Project) -> None:
    """Have them published some time soon; called again meanwhile, it adds nothing."""
    if project.evaluated and scales(project):
        _defer(db, project, "", queueing_lock=f"publish {project.id}")


def renew(db: Connection, project: Project) -> None:
    """Have those published anew that are published: the votes have changed."""
    if any(plans.places(db, one["evaluation"], project.id) for one in project.evaluated):
        later(db, project)


def published(db: Connection, project: Project) -> list[str]:
    """Evaluations that have scores by the project's votes."""
    ids = [one["evaluation"] for one in project.evaluated]
    scores = read_scores(db, ids)
    found = []
    for id in ids:
        own = set(plans.places(db, id, project.id).values())
        if any(one.position in own and one.value is not None for one in scores[id]):
            found.append(id)
    return found


def _defer(
    db: Connection, project: Project, request: str, queueing_lock: str | None = None
) -> None:
    queue.defer(
        db,
        "people.publish",
        priority=BEFORE_SHARDS,
        lock=f"people {project.id}",  # of two, the later one reads the later votes
        queueing_lock=queueing_lock,
        project=project.id,
        request=request,
    )
