"""Datasets made of votes: preferences, or edits to imitate, with a part of the prompts held out.

Which prompts are held out, each prompt alone decides: one that is, is in every export of every
project by the same share or a greater one, so that what is tested is never trained on.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from metrics.core.names import hint
from service.annotation import annotators_store, exclusions, exports_store, store, votes_store
from service.annotation.hashes import marked
from service.annotation.store import Project
from service.annotation.votes_store import Judged
from service.datasets import store as datasets
from service.datasets.routes import view
from service.datasets.schemas import checked
from service.datasets.staging import Staged
from service.datasets.store import Content, Dataset
from service.errors import invalid
from service.settings import Settings
from service.vote_exchange.export_schemas import HELD_OUT, AnnotationExportIn, AnnotationExportOut
from service.vote_exchange.preferences import Pair, pairs

OF_PREFERENCE = ("ties", "min_votes", "min_margin", "criterion")


def export(
    db: Connection, project: Project, body: AnnotationExportIn, settings: Settings
) -> tuple[AnnotationExportOut, bool]:
    """Make the datasets; returns also whether one of them is new. Raises 422 where the form has no
    such votes, or nothing is left of them."""
    _check(project, body)
    store.hold(db, project.id)
    without = exclusions.known(db, project.id, body.exclude_annotators, "exclude_annotators")
    left_out: Counter[str] = Counter()
    models = {one.id for one in annotators_store.models(db, project.id)}
    items = _without(votes_store.judged(db, project.id, body.annotators), without, left_out)
    judged = [_anonymous(project, one, models) for one in items]
    every = pairs(project.form, project.definition, judged, body.criterion)
    learned = list(_learned(every, body, left_out))
    held = [one for one in learned if is_held_out(_prompt(one), body.held_out)]
    tested = [one for one in held if one.margin]  # ties test nothing
    trained = [one for one in learned if not is_held_out(_prompt(one), body.held_out)]
    left_out["tie"] += len(held) - len(tested)
    if not trained:
        reasons = +left_out + Counter(held_out=len(tested))
        said = ", ".join(f"{count} {why}" for why, count in (+reasons).items()) or "no votes"
        message = f"of the votes so far no dataset can be made: {said}"
        raise invalid("nothing_to_learn", message, "project")
    dataset, new = _put(db, project, body, body.name, trained, settings)
    held_dataset, held_new = None, False
    if tested:
        name = body.name + HELD_OUT
        held_dataset, held_new = _put(db, project, body, name, tested, settings)
    answer = AnnotationExportOut(
        project=project.id,
        kind=body.kind,
        dataset=view(dataset),
        held_out=view(held_dataset) if held_dataset is not None else None,
        held_out_reason=None if tested else _reason(body.held_out),
        votes=sum(len(one.answers) for one in judged),
        annotators=len({annotator for one in judged for annotator in one.answers}),
        left_out=+left_out,
    )
    return answer, new or held_new


def _without(
    judged: Iterable[Judged], people: Collection[str], left_out: Counter[str]
) -> Iterator[Judged]:
    """The items with the answers of others than these people, where there are some."""
    for one in judged:
        answers = {id: said for id, said in one.answers.items() if id not in people}
        left_out["excluded_votes"] += len(one.answers) - len(answers)
        if answers:
            yield replace(one, answers=answers)


def is_held_out(prompt: str, share: float) -> bool:
    """Whether the prompt is of the `share` that is held out: its digest says so, whatever others
    there are. It is of every greater share, too."""
    digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) / 2**64 < share


def _reason(share: float) -> str:
    """Why nothing is held out."""
    if not share:
        return "held_out is 0"
    message = (
        f"no prompt whose votes have a winner is of the share {share:g}, as the prompts' texts "
    )
    return message + "alone decide: take a greater one, here and in later projects"


def _check(project: Project, body: AnnotationExportIn) -> None:
    """Raises 422 for fields that do not go together, and with the project's form."""
    form = project.form
    if form == "label" or (body.kind == "sft" and form != "edit"):
        message = f"votes of the form {form} make no {body.kind} dataset: "
        message += "labels compare nothing" if form == "label" else "take kind=preference"
        raise invalid("other_form", message, "kind")
    for name in OF_PREFERENCE:
        if body.kind == "sft" and name in body.model_fields_set:
            message = "it is about pairs: an sft dataset has every edit"
            raise invalid("not_of_sft", f"{name}: {message}", name)
    if body.criterion is not None:
        known = [one["name"] for one in project.definition["criteria"]]
        if form != "likert":
            message = f"votes of the form {form} are not by criteria: leave it out"
            raise invalid("other_form", message, "criterion")
        if body.criterion not in known:
            message = f"there is no criterion {body.criterion!r}; {hint(body.criterion, known)}"
            raise invalid("unknown_criterion", message, "criterion")


def _anonymous(project: Project, one: Judged, models: Collection[str]) -> Judged:
    """The item with answers by the annotators' hashes; those of models say so."""
    answers = {
        marked(project, annotator, annotator in models): answer
        for annotator, answer in one.answers.items()
    }
    return replace(one, answers=dict(sorted(answers.items())))


def _learned(
    every: Iterable[Pair], body: AnnotationExportIn, left_out: Counter[str]
) -> Iterator[Pair]:
    """Those of which something can be learned; the others are counted."""
    for one in every:
        reason = _unfit(one, body)
        if reason is None:
            yield one
        else:
            left_out[reason] += 1


def _unfit(one: Pair, body: AnnotationExportIn) -> str | None:
    """Why nothing is learned of it; None: something is."""
    of_pairs = body.kind == "preference"
    texts = one.outputs if of_pairs else one.outputs[:1]
    reasons = {
        "without_prompt": one.item.prompt is None,
        "empty_output": not all(text.strip() for text in texts),
        "equal_outputs": of_pairs and one.outputs[0] == one.outputs[1],
        "too_few_votes": len(one.annotators) < body.min_votes,
        "tie": one.margin == 0 and body.ties == "drop",
        "small_margin": one.margin != 0 and abs(one.margin) < body.min_margin,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _prompt(one: Pair) -> str:
    """What is asked, but for case and white space: the same to those who look for overlap."""
    return " ".join(unicodedata.normalize("NFKC", one.item.prompt or "").casefold().split())


def _put(
    db: Connection,
    project: Project,
    body: AnnotationExportIn,
    name: str,
    learned: Sequence[Pair],
    settings: Settings,
) -> tuple[Dataset, bool]:
    made = _edit if body.kind == "sft" else _preferences
    records = (record for one in learned for record in made(project, one))
    with Staged() as staged:
        staged.fill(checked(records, body.kind, "records"), settings)
        dataset, new = datasets.put(db, name, body.kind, staged)
    annotators = {annotator for one in learned for annotator in one.annotators}
    exports_store.add(db, project.id, dataset.id, annotators)
    return dataset, new


def _preferences(project: Project, one: Pair) -> Iterator[Content]:
    """The better output before the worse; of a tie, both orders."""
    better = (0, 1) if one.margin >= 0 else (1, 0)
    for first, second in [better] if one.margin else [(0, 1), (1, 0)]:
        yield {
            "id": one.id if one.margin else f"{one.id}/{first}",
            "prompt": one.item.prompt,
            "chosen": one.outputs[first],
            "rejected": one.outputs[second],
            "margin": round(abs(one.margin), 6),
            "metadata": {
                **_about(project, one),
                "chosen_system": one.systems[first],
                "rejected_system": one.systems[second],
                "votes": len(one.annotators),
            },
        }


def _edit(project: Project, one: Pair) -> Iterator[Content]:
    yield {
        "id": one.id,
        "prompt": one.item.prompt,
        "completion": one.outputs[0],
        "metadata": {
            **_about(project, one),
            "system": one.systems[1],
            "edited": one.outputs[0] != one.outputs[1],
        },
    }


def _about(project: Project, one: Pair) -> Mapping[str, Any]:
    """Where a record comes from; annotators as hashes, models as `model:` and theirs."""
    return {
        "project": project.id,
        "dataset": one.item.dataset_id,
        "sample": one.item.sample,
        "annotators": sorted(one.annotators),
    }
