"""Annotators, as they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from service.annotation import annotators_store, exports_store, judgements_store
from service.annotation.annotators_store import NO_WORK, Annotator, Work
from service.annotation.hashes import hashed, marked
from service.annotation.store import Project
from service.annotators.schemas import AnnotatorOut, ExportedDatasetOut, ShareOut


def annotator_views(
    db: Connection, project: Project, annotators: Sequence[Annotator]
) -> list[AnnotatorOut]:
    """Annotators, and how they did."""
    work = annotators_store.work(db, [one.id for one in annotators if one.model is None])
    work |= judgements_store.work(db, [one.id for one in annotators if one.model is not None])
    reasons = {one.id: judgements_store.reasons(db, one.id) for one in annotators if one.model}
    versions = exported(db, project, annotators)
    return [
        _annotator_view(
            project, one, work.get(one.id, NO_WORK), reasons.get(one.id, {}), versions[one.id]
        )
        for one in annotators
    ]


def exported(
    db: Connection, project: Project, annotators: Sequence[Annotator]
) -> dict[str, list[ExportedDatasetOut]]:
    """The versions of datasets that hold votes of each annotator, by the annotator's id."""
    ids = {marked(project, one.id, one.model is not None): one.id for one in annotators}
    found: dict[str, list[ExportedDatasetOut]] = {id: [] for id in ids.values()}
    for one in exports_store.holding(db, project.id, ids):
        shown = ExportedDatasetOut(id=one.id, name=one.name, version=one.version)
        found[ids[one.annotator]].append(shown)
    return found


def _annotator_view(
    project: Project,
    one: Annotator,
    work: Work,
    reasons: dict[str, int],
    datasets: list[ExportedDatasetOut],
) -> AnnotatorOut:
    return AnnotatorOut(
        id=one.id,
        kind="person" if one.model is None else "model",
        name=one.name,
        hash=hashed(project, one.id),
        model=one.model,
        status=one.status,
        votes=work.votes,
        skips=work.skips,
        gold=_share(work.gold, work.gold_agreed),
        control=_share(work.control, work.control_agreed),
        repeats=_share(work.repeats, work.repeats_agreed),
        seconds=work.seconds,
        datasets=datasets,
        skip_reasons=reasons,
        error=one.error,
        created_at=one.created_at,
        expires_at=one.expires_at,
    )


def _share(n: int, agreed: int) -> ShareOut:
    return ShareOut(n=n, agreed=agreed, share=agreed / n if n else None)
