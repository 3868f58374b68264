"""Projects, items and votes, as they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from service.annotation import store
from service.annotation.annotate_schemas import CriterionOut, ItemOut
from service.annotation.hashes import hashed
from service.annotation.instructions import instructions
from service.annotation.items_store import Item
from service.annotation.schemas import (
    AnnotationProgressOut,
    AnnotationProjectOut,
    SkipOut,
    SystemOut,
    VoteOut,
)
from service.annotation.skips_store import Skipped
from service.annotation.slots_store import Held
from service.annotation.store import Progress, Project
from service.annotation.votes_store import Listed


def project_view(project: Project, progress: Progress) -> AnnotationProjectOut:
    """A project, and how far it is."""
    return AnnotationProjectOut(
        id=project.id,
        name=project.name,
        form=project.definition["form"],
        status="open" if project.closed_at is None else "closed",
        definition=dict(project.definition),
        systems=[SystemOut.model_validate(one) for one in project.systems],
        gold=progress.gold,
        controls=progress.controls,
        left_out=dict(project.left_out),
        seed=project.seed,
        progress=AnnotationProgressOut(
            items=progress.items,
            wanted=progress.wanted,
            votes=progress.votes,
            held=progress.held,
            annotators=progress.annotators,
        ),
        instructions=instructions(project.definition),
        completion_code=project.completion_code,
        created_at=project.created_at,
        closed_at=project.closed_at,
    )


def project_views(db: Connection, projects: Sequence[Project]) -> list[AnnotationProjectOut]:
    """Projects, and how far they are."""
    progress = store.progress(db, [one.id for one in projects])
    return [project_view(one, progress[one.id]) for one in projects]


def vote_views(project: Project, votes: Sequence[Listed]) -> list[VoteOut]:
    """Votes, their annotators by hashes."""
    return [
        VoteOut(
            id=one.id,
            item=one.item_id,
            kind=one.kind,
            dataset=one.dataset_id,
            sample=one.sample,
            systems=one.systems,
            annotator=hashed(project, one.annotator_id),
            annotator_kind=one.annotator_kind,
            answer=dict(one.answer),
            shown=one.shown,
            agrees=one.agrees,
            comment=one.comment,
            seconds=one.seconds,
            imported=one.imported,
            created_at=one.created_at,
            undone_at=one.undone_at,
            prompt=one.prompt,
            outputs=one.outputs,
            expected=dict(one.expected) if one.expected is not None else None,
        )
        for one in votes
    ]


def skip_views(project: Project, skips: Sequence[Skipped]) -> list[SkipOut]:
    """Skips, their annotators by hashes."""
    return [
        SkipOut(
            id=one.id,
            item=one.item_id,
            dataset=one.dataset_id,
            sample=one.sample,
            systems=one.systems,
            annotator=hashed(project, one.annotator_id),
            reason=one.reason,
            created_at=one.created_at,
        )
        for one in skips
    ]


def item_view(project: Project, item: Item, slot: Held, shown: Sequence[int]) -> ItemOut:
    """An item as its annotator sees it: texts in the order `shown`, and nothing of systems."""
    texts = [item.outputs[place] for place in shown]
    form, definition = project.definition["form"], project.definition
    return ItemOut(
        id=slot.id,
        form=form,
        prompt=item.prompt,
        a=texts[0] if form == "pairwise" else None,
        b=texts[1] if form == "pairwise" else None,
        output=texts[0] if form not in {"pairwise", "best_worst"} else None,
        outputs=texts if form == "best_worst" else None,
        criteria=criteria(project),
        labels=definition["labels"],
        ties=definition["ties"],
        lease_until=slot.lease_until,
    )


def criteria(project: Project) -> list[CriterionOut]:
    """What outputs are judged by."""
    return [CriterionOut.model_validate(one) for one in project.definition["criteria"]]
