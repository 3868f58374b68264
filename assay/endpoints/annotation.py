"""Annotation projects, for those who have outputs judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from assay.annotation_analysis_models import VoteAnalysis
from assay.annotation_models import (
    AnnotationExport,
    AnnotationProject,
    Annotator,
    DeletedAnnotationProject,
    DeletedAnnotator,
    JudgedItem,
    NewAnnotator,
    Skip,
    Study,
    Vote,
)
from assay.exchange import Query, Script, address, ask, create, delete, get, post
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


def add_model_annotator(
    project: str,
    name: str,
    model: str,
    *,
    reasons: bool | None = None,
    max_new_tokens: int | None = None,
) -> Script[Annotator]:
    """Have a language model judge every item of the project, apart from people; `annotators` tells
    when it is done.

    Args:
        model: that can be chatted with: behind a URL, a checkpoint, a folder, a builtin one.
        reasons: it says why first, which is its votes' comment; default: no.
        max_new_tokens: of an answer; default: 16, with reasons 512.
    """
    fields = {"name": name, "model": model, "reasons": reasons, "max_new_tokens": max_new_tokens}
    body = {name: value for name, value in fields.items() if value is not None}
    request = post(address(ROOT, project, "annotators"), body=body, repeatable=False)
    return ask(request, Annotator)


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
    project: str,
    *,
    annotators: str = "people",
    order: str = "asc",
    limit: int | None = None,
    texts: bool = False,
    undone: bool = False,
) -> Listing[Vote]:
    """All votes that stand, oldest first, annotators by hashes.

    Args:
        annotators: whose: people, models or all.
        texts: with prompt, outputs and what is expected.
        undone: with those that were taken back.
    """
    query: Query = {
        **{"order": order, "annotators": annotators},
        **{"texts": texts, "undone": undone},
    }
    return Listing(Page[Vote], ROOT, project, "votes", query=query, limit=limit)


def annotation_skips(
    project: str, *, order: str = "asc", limit: int | None = None
) -> Listing[Skip]:
    """Items that annotators gave back, oldest first."""
    return Listing(Page[Skip], ROOT, project, "skips", query={"order": order}, limit=limit)


def judged_items(
    project: str, *, exclude: Sequence[str] = (), order: str = "asc", limit: int | None = None
) -> Listing[JudgedItem]:
    """What people together say of each item, in the order in which items are given out.

    Args:
        exclude: ids of annotators whose votes are left out.
    """
    query = {"order": order, "exclude": ",".join(exclude) or None}
    return Listing(Page[JudgedItem], ROOT, project, "items", query=query, limit=limit)


def annotation_analysis(
    project: str, *, criterion: str | None = None, exclude: Sequence[str] = ()
) -> Script[VoteAnalysis]:
    """What the votes of a project say of its systems, and of those who voted.

    Args:
        criterion: of likert, by which ratings; default: the first.
        exclude: ids of annotators whose votes are left out.
    """
    query = {"criterion": criterion, "exclude": ",".join(exclude) or None}
    request = get(ROOT, project, "analysis", query=query)
    return ask(request, VoteAnalysis)


def export_annotation_project(
    project: str,
    kind: str,
    name: str,
    *,
    held_out: float | None = None,
    ties: str | None = None,
    min_votes: int | None = None,
    min_margin: float | None = None,
    criterion: str | None = None,
    annotators: str | None = None,
    exclude_annotators: Sequence[str] = (),
    idempotency_key: str | None = None,
) -> Script[AnnotationExport]:
    """Make a dataset of a project's votes, and one of what is held out: NAME-held-out.

    Args:
        kind: preference, of every form but label; sft, of edits.
        held_out: share of the prompts that are held out; default: 0.1.
        ties: drop (default), or keep: two records to train on, one each way.
        min_votes: on each pair; default: 1.
        min_margin: by how much the chosen output leads, 0 (default) to 1.
        criterion: of likert: the ratings to go by; default: the mean over all.
        annotators: whose votes: people (default), models or all.
        exclude_annotators: ids of those whose votes are left out.
    """
    fields = {
        "kind": kind,
        "name": name,
        "held_out": held_out,
        "ties": ties,
        "min_votes": min_votes,
        "min_margin": min_margin,
        "criterion": criterion,
        "annotators": annotators,
        "exclude_annotators": list(exclude_annotators) or None,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return ask(create(address(ROOT, project, "export"), body, idempotency_key), AnnotationExport)


def plan_study(
    form: str,
    half_width: float,
    *,
    scale: tuple[int, int] | None = None,
    systems: int | None = None,
    tuple_size: int | None = None,
    overlap: int | None = None,
    per_annotator: int | None = None,
    gold_rate: float | None = None,
    repeats: float | None = None,
    level: float | None = None,
    language: str | None = None,
) -> Script[Study]:
    """How many people and items a project would take; nothing is stored.

    Args:
        half_width: of each system's interval; of a win rate, 0.05 is ±5 points.
        scale: of likert, as (1, 5).
        systems: that are judged; default: 2.
        level: of the interval; default: 0.95.
        language: of the text, en (default) or ru.

    The others are as a project's.
    """
    fields = {
        "form": form,
        "half_width": half_width,
        "scale": scale,
        "systems": systems,
        "tuple_size": tuple_size,
        "overlap": overlap,
        "per_annotator": per_annotator,
        "gold_rate": gold_rate,
        "repeats": repeats,
        "level": level,
        "language": language,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return ask(post(ROOT, "study", body=body), Study)


def study(project: str, half_width: float, *, level: float = 0.95) -> Script[Study]:
    """How many people and items a project takes for a half-width, by its own votes where they are
    enough."""
    query = {"half_width": half_width, "level": level}
    return ask(get(ROOT, project, "study", query=query), Study)
