"""Annotation projects, for those who have outputs judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from assay.annotation_models import (
    AnnotationProject,
    Annotator,
    DeletedAnnotationProject,
    DeletedAnnotator,
    NewAnnotator,
    Vote,
)
from assay.exchange import Script, address, ask, create, delete, get, post
from assay.models import Page
from assay.streams import Listing

ROOT = "/v1/annotation_projects"


def create_annotation_project(
    name: str,
    evaluations: Sequence[str],
    form: str,
    *,
    criteria: Sequence[Mapping[str, object]] | None = None,
    labels: Sequence[str] | None = None,
    ties: bool | None = None,
    overlap: int | None = None,
    items: str | int | None = None,
    tuple_size: int | None = None,
    equal_outputs: str | None = None,
    gold: Sequence[Mapping[str, object]] | None = None,
    gold_rate: float | None = None,
    repeats: float | None = None,
    per_annotator: int | None = None,
    lease_minutes: int | None = None,
    examples: Sequence[Mapping[str, object]] | None = None,
    language: str | None = None,
    instructions: str | None = None,
    seed: int | None = None,
    idempotency_key: str | None = None,
) -> Script[AnnotationProject]:
    """Have people judge the outputs of evaluations, blind.

    Args:
        form: pairwise, likert, best_worst, label or edit.
        criteria: each `{"name": …}`, and of likert with a `scale`, as [1, 5]; if wanted with a
            `description`, and `anchors`: what ratings mean.
        labels: of the form label.
        ties: of pairwise: may both be equally good; default: yes.
        overlap: votes on each item; default: 3.
        items: all (default), or how many are drawn at random.
        tuple_size: outputs of an item of best_worst; default: 4.
        equal_outputs: drop (default) pairs of equal texts, or show them as a control.
        gold: questions with known answers: `{"prompt", "outputs", "expected": {"choice": "a"}}`.
        gold_rate: share of what is shown that is gold, while it lasts; default: 0.1.
        repeats: share of what is shown that the person judged before; default: 0.
        per_annotator: votes of a person at most; default: 100.
        lease_minutes: for which an item is kept for whoever has it open; default: 15.
        examples: for the instructions: as gold, and if wanted with a sentence `why`.
        language: of the instructions that are made, en (default) or ru.
        instructions: Markdown; default: made of the above.
    """
    fields = {
        "name": name,
        "evaluations": list(evaluations),
        "form": form,
        "criteria": None if criteria is None else list(criteria),
        "labels": None if labels is None else list(labels),
        "ties": ties,
        "overlap": overlap,
        "items": items,
        "tuple_size": tuple_size,
        "equal_outputs": equal_outputs,
        "gold": None if gold is None else list(gold),
        "gold_rate": gold_rate,
        "repeats": repeats,
        "per_annotator": per_annotator,
        "lease_minutes": lease_minutes,
        "examples": None if examples is None else list(examples),
        "language": language,
        "instructions": instructions,
        "seed": seed,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return ask(create(ROOT, body, idempotency_key), AnnotationProject)


def annotation_project(project: str) -> Script[AnnotationProject]:
    """A project, with its progress and the instructions that annotators read."""
    return ask(get(ROOT, project), AnnotationProject)


def annotation_projects(
    *, order: str = "desc", limit: int | None = None
) -> Listing[AnnotationProject]:
    """All projects, newest first."""
    return Listing(Page[AnnotationProject], ROOT, query={"order": order}, limit=limit)


def close_annotation_project(project: str) -> Script[AnnotationProject]:
    """End a project: no item is given out any more; votes on those that are out still count."""
    return ask(post(ROOT, project, "close"), AnnotationProject)


def delete_annotation_project(project: str) -> Script[DeletedAnnotationProject]:
    """Delete a project with its items, annotators and votes."""
    return ask(delete(ROOT, project), DeletedAnnotationProject)


def add_annotator(
    project: str, name: str, *, expires_in: int | None = None
) -> Script[NewAnnotator]:
    """A link for somebody; its token is shown this once.

    Args:
        expires_in: seconds until the link ends; default: 30 days.
    """
    body = {"name": name, **({} if expires_in is None else {"expires_in": expires_in})}
    request = post(address(ROOT, project, "annotators"), body=body, repeatable=False)
    return ask(request, NewAnnotator)


def annotators(
    project: str, *, order: str = "desc", limit: int | None = None
) -> Listing[Annotator]:
    """Who annotates, and how they do by gold questions, controls and repeats."""
    return Listing(
        Page[Annotator], ROOT, project, "annotators", query={"order": order}, limit=limit
    )


def delete_annotator(
    project: str, annotator: str, *, data: bool = False
) -> Script[DeletedAnnotator]:
    """End an annotator's link.

    Args:
        data: delete the person and all their votes, too.
    """
    request = delete(ROOT, project, "annotators", annotator)
    return ask(replace(request, query={"data": data}), DeletedAnnotator)


def annotation_votes(
    project: str, *, order: str = "asc", limit: int | None = None
) -> Listing[Vote]:
    """All votes that stand, oldest first, annotators by hashes."""
    return Listing(Page[Vote], ROOT, project, "votes", query={"order": order}, limit=limit)
