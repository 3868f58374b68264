"""A line of lm-evaluation-harness's samples: what it asks, and what came out.

A line is a document under one filter; what the model said is the same under all of them. Of a
multiple choice, the likeliest answer is the output. `assay score` reads lines without a service:
nothing here knows of requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROMPTS = ("prompt", "question", "query", "instruction", "input", "text", "sentence", "problem")

Line = Mapping[str, Any]


def is_sample(line: object) -> bool:
    """Whether a JSON line is a sample's."""
    return isinstance(line, dict) and {"doc_id", "resps"} <= line.keys()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked; `rest` are the document's other fields."""

    prompt: str | None
    rest: Mapping[str, Any]


def asked(line: Line) -> Asked:
    """What is asked is the document's: the prompt that a model saw differs with its template."""
    doc = line.get("doc")
    fields = doc if isinstance(doc, dict) else {}
    field = next((name for name in PROMPTS if isinstance(fields.get(name), str)), None)
    prompt = fields[field] if field else _first(line)
    return Asked(prompt, {name: value for name, value in fields.items() if name != field})


def references(line: Line) -> list[str]:
    """The target: of a multiple choice, the answer that it is the place of."""
    target, choices = line.get("target"), _choices(line)
    if target is None:
        return []
    digits = str(target)
    if digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) < len(choices):
        return [choices[int(digits)]]
    if isinstance(target, list):
        return [str(one) for one in target if isinstance(one, str | int | float)]
    return [str(target)]


def said(line: Line) -> list[str]:
    """The texts that came out; none where the line has none."""
    answers, choices = line.get("resps"), _choices(line)
    if not isinstance(answers, list) or not answers:
        return []
    if len(answers) == 1 and not choices:
        return texts(answers[0])
    likely = [_likelihood(one) for one in answers]
    known = [one for one in likely if one is not None]
    return [choices[likely.index(max(known))]] if 0 < len(known) == len(choices) else []


def texts(answer: object) -> list[str]:
    """A text, or a list of nothing else."""
    listed = answer if isinstance(answer, list) else [answer]
    found = [one for one in listed if isinstance(one, str)]
    return found if len(found) == len(listed) else []


def _calls(line: Line) -> list[list[Any]]:
    given = line.get("arguments")
    calls = list(given.values()) if isinstance(given, dict) else given
    found = []
    for call in calls if isinstance(calls, list) else []:
        parts = list(call.values()) if isinstance(call, dict) else call
        found.append(parts if isinstance(parts, list) else [parts])
    return found


def _first(line: Line) -> str | None:
    calls = _calls(line)
    return calls[0][0] if calls and calls[0] and isinstance(calls[0][0], str) else None


def _choices(line: Line) -> list[str]:
    """The answers of a multiple choice; none where the model wrote its own."""
    second = [parts[1] if len(parts) > 1 else None for parts in _calls(line)]
    found = [part.strip() for part in second if isinstance(part, str)]
    return found if len(found) == len(second) > 1 else []


def _likelihood(answer: object) -> float | None:
    while isinstance(answer, list) and answer:
        answer = answer[0]
    try:
        return float(answer) if isinstance(answer, str | int | float) else None
    except (ValueError, OverflowError):
        return None
