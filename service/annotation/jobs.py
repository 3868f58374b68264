"""people.publish: a project's scores, written into the evaluations of its systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from metrics.community import people
from metrics.core.rows import Floats
from metrics.statistics.strengths import Strengths, strengths
from metrics.statistics.votes import Votes
from service.annotation import (
    store,
    votes_store,
)
from service.annotation.answers import LEADS
from service.annotation.shares import Output, means, params_of, scales
from service.annotation.store import Project
from service.annotation.votes_store import Cast
from service.datasets import store as datasets
from service.db import worker_requests
from service.evaluations import additions
from service.evaluations.additions import Fitted, Voted
from service.jobs.context import Context

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
