"""Answers: in the order in which outputs were shown, and in that of the item, which is stored.

Outputs are called by letters, `a` the first. The order in which an annotator sees those of an item
follows from the project's seed, the annotator and the slot: whoever asks again sees the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from metrics.core.names import hint
from service.annotation.annotate_schemas import VoteIn
from service.annotation.schemas import ExpectedIn
from service.errors import ApiError, invalid

LETTERS = "abcdefgh"
TIE = "tie"
LEADS = {"a": 1, "b": -1, "tie": 0}  # of the first output, by what was chosen of two
FIELDS = {
    "pairwise": ("choice",),
    "likert": ("ratings",),
    "best_worst": ("best", "worst"),
    "label": ("label",),
    "edit": ("text",),
}
Answer = dict[str, Any]


def draw(*parts: object) -> Random:
    """A generator that only `parts` determine, in every process."""
    return Random(int.from_bytes(_digest(parts)[:16], "big"))  # noqa: S311


def chance(*parts: object) -> float:
    """A number in [0, 1) that only `parts` determine, apart from what `draw` has of them."""
    return int.from_bytes(_digest(parts)[16:22], "big") / 2**48


def _digest(parts: Sequence[object]) -> bytes:
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).digest()


def order(seed: int, annotator: str, slot: str, count: int) -> list[int]:
    """Places of an item's outputs, in the order in which they are shown."""
    shown = list(range(count))
    draw(seed, annotator, slot).shuffle(shown)
    return shown


def of_vote(
    form: str,
    definition: Mapping[str, Any],
    given: VoteIn | ExpectedIn,
    shown: Sequence[int],
    prefix: str = "",
) -> Answer:
    """The answer, in the order of the item's outputs. Raises 422 for one that the form does not
    have, and for ratings, labels and letters that are not there.

    shown   the order in which it was given
    prefix  of the fields that errors name
    """
    wanted = FIELDS[form]
    every = {name for names in FIELDS.values() for name in names}
    values: Answer = {name: getattr(given, name, None) for name in every}
    for name in wanted:
        if values[name] is None:
            message = f"an answer to {form} has {' and '.join(wanted)}"
            raise invalid("missing_answer", message, prefix + name)
    for name, value in sorted(values.items()):
        if value is not None and name not in wanted:
            message = f"an answer to {form} has {' and '.join(wanted)}, not {name}"
            raise invalid("other_form", message, prefix + name)
    if form == "likert":
        _check_ratings(definition, values["ratings"], prefix)
    if form == "label":
        _check_label(definition, values["label"], prefix)
    if form == "pairwise" and values["choice"] == TIE and not definition["ties"]:
        raise invalid(
            "no_ties", "in this project one of the two has to be better", prefix + "choice"
        )
    if form == "best_worst" and values["best"] == values["worst"]:
        raise invalid("same_output", "the best cannot be the worst, too", prefix + "worst")
    return {name: _placed(name, values[name], shown, prefix) for name in wanted}


def as_shown(answer: Mapping[str, Any], shown: Sequence[int]) -> Answer:
    """The answer in the order in which it was given: the inverse of `of_vote`."""
    back = [shown.index(place) for place in range(len(shown))]
    return {name: _placed(name, value, back, "") for name, value in answer.items()}


def agrees(answer: Mapping[str, Any], expected: Mapping[str, Any] | None) -> bool | None:
    """Whether it is what was expected; None where nothing was."""
    if expected is None:
        return None
    return dict(answer) == dict(expected)


def _placed(name: str, value: Any, shown: Sequence[int], prefix: str) -> Any:
    if name not in {"choice", "best", "worst"} or value == TIE:
        return value
    place = LETTERS.index(value)
    if place >= len(shown):
        letters = ", ".join(LETTERS[: len(shown)])
        raise invalid("no_such_output", f"there is no {value!r} among {letters}", prefix + name)
    return LETTERS[shown[place]]


def _check_ratings(definition: Mapping[str, Any], given: Mapping[str, int], prefix: str) -> None:
    scales = {one["name"]: one["scale"] for one in definition["criteria"]}
    for name in given:
        if name not in scales:
            message = f"there is no criterion {name!r}; {hint(name, scales)}"
            raise invalid("unknown_criterion", message, f"{prefix}ratings.{name}")
    for name, (low, high) in scales.items():
        if name not in given:
            message = f"rate by {name!r}, too"
            raise invalid("missing_answer", message, f"{prefix}ratings.{name}")
        if not low <= given[name] <= high:
            message = f"ratings by {name!r} are from {low} to {high}"
            raise invalid("beyond_scale", message, f"{prefix}ratings.{name}")


def _check_label(definition: Mapping[str, Any], given: str, prefix: str) -> None:
    if given not in definition["labels"]:
        message = f"there is no label {given!r}; {hint(given, definition['labels'])}"
        raise invalid("unknown_label", message, f"{prefix}label")


def differs(item: str) -> ApiError:
    """409: voted on already, and otherwise."""
    message = f"you have voted on {item} otherwise: take that back first (POST /v1/annotate/undo)"
    return ApiError(409, "voted_otherwise", message, "item")
