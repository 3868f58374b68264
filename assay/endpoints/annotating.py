"""What an annotator does, with the token of their link: for programs that annotate."""

from __future__ import annotations

from collections.abc import Mapping

from assay.annotation_models import AnnotationTask, Lease, Next, Voted
from assay.exchange import Script, ask, authorized, get, post

ROOT = "/v1/annotate"


def annotation_task(token: str) -> Script[AnnotationTask]:
    """What to do, and how far it is."""
    return ask(authorized(get(ROOT, "project"), token), AnnotationTask)


def next_item(token: str) -> Script[Next]:
    """The next item; one that is out stays the same until it is voted on or skipped."""
    return ask(authorized(post(ROOT, "next"), token), Next)


def extend_lease(token: str, item: str) -> Script[Lease]:
    """Keep an item for longer."""
    return ask(authorized(post(ROOT, "extend", body={"item": item}), token), Lease)


def vote(
    token: str,
    item: str,
    *,
    choice: str | None = None,
    ratings: Mapping[str, int] | None = None,
    best: str | None = None,
    worst: str | None = None,
    label: str | None = None,
    text: str | None = None,
    comment: str | None = None,
    seconds: float | None = None,
) -> Script[Voted]:
    """Vote on an item, in the form of the project.

    Args:
        choice: of pairwise: a, b or tie.
        ratings: of likert, by criterion.
        best, worst: of best_worst, as letters: a is the first output.
        label: of label.
        text: of edit: the better text.
        seconds: that it took.
    """
    fields = {
        "item": item,
        "choice": choice,
        "ratings": ratings,
        "best": best,
        "worst": worst,
        "label": label,
        "text": text,
        "comment": comment,
        "seconds": seconds,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return ask(authorized(post(ROOT, "votes", body=body), token), Voted)


def undo_vote(token: str) -> Script[Next]:
    """Take the last vote back: its item is out again."""
    return ask(authorized(post(ROOT, "undo", repeatable=False), token), Next)


def skip_item(token: str, item: str, reason: str | None = None) -> Script[Next]:
    """Skip an item: somebody else gets it. Answers with the next one."""
    body = {"item": item, **({} if reason is None else {"reason": reason})}
    return ask(authorized(post(ROOT, "skip", body=body, repeatable=False), token), Next)
