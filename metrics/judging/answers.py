"""What a judge says, read strictly: a number within the scale, or one of the labels."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from inference.chat import Reply

LONGEST = 100_000  # characters that are looked at
THOUGHT = re.compile(r"^\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
FENCE = re.compile(r"^```(?:json)?\s*\n(.*?)\n?```$", re.DOTALL)
NUMBER = re.compile(r"^[+-]?\d{1,6}(?:[.,]\d{1,6})?$")
QUOTES = "\"'`*«»“”()[] \t\n"


class Unreadable(ValueError):
    """Why an answer cannot be read, as a sentence that the judge is told."""


def read(reply: Reply, answers: Mapping[str, float], *, numbers: bool, reasons: bool) -> float:
    """The value of an answer. Raises Unreadable.

    numbers  the answers are the ends and steps of a scale: numbers between them count, too
    reasons  the answer is the field `answer` of a JSON object
    """
    said = THOUGHT.sub("", reply.text[:LONGEST], count=1).strip()
    if not said:
        raise Unreadable("it is empty")
    if not reasons:
        return _number(said, answers) if numbers else _label(said, answers)
    given = _field(said)
    if numbers:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return _number(str(given) if is_number or isinstance(given, str) else "", answers)
    if not isinstance(given, str):
        raise Unreadable("`answer` is no text")
    return _label(given, answers)


def _field(said: str) -> object:
    fenced = FENCE.match(said)
    try:
        whole = json.loads(fenced.group(1) if fenced else said)
    except (ValueError, RecursionError):
        raise Unreadable("it is not JSON alone") from None
    if not isinstance(whole, dict) or "answer" not in whole:
        raise Unreadable("it has no field `answer`")
    answer: object = whole["answer"]
    return answer


def _number(said: str, answers: Mapping[str, float]) -> float:
    plain = said.strip(QUOTES).rstrip(".").strip(QUOTES)
    if not NUMBER.match(plain):
        raise Unreadable("it is not a number alone")
    value = float(plain.replace(",", "."))
    low, high = min(answers.values()), max(answers.values())
    if not math.isfinite(value) or not low <= value <= high:
        raise Unreadable(f"{plain} is outside of the scale from {low:g} to {high:g}")
    return value


def _label(said: str, answers: Mapping[str, float]) -> float:
    known = {label.strip().casefold(): value for label, value in answers.items()}
    for typed in (said.strip(), said.strip(QUOTES), said.strip(QUOTES).rstrip(".!").strip(QUOTES)):
        if typed.casefold() in known:
            return known[typed.casefold()]
    raise Unreadable("it is none of " + ", ".join(answers))
