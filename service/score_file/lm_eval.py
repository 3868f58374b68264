"""Samples of lm-evaluation-harness, `samples_<task>_<date>.jsonl`, as a sample's fields.

A line is a document under one filter; what the model said is the same under all of them. Of a
multiple choice, the likeliest answer is the output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from inference.errors import InputError
from metrics.core.names import hint

PROMPTS = ("prompt", "question", "query", "instruction", "input", "text", "sentence", "problem")
OPTION = "--filter"

Row = Mapping[str, Any]


def is_sample(row: object) -> bool:
    """Whether a JSON line is a sample's."""
    return isinstance(row, dict) and {"doc_id", "resps"} <= row.keys()


def records(
    rows: Iterable[tuple[int, Any]], where: str, filter_: str | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """A sample a document, with its place.

    filter_  of the harness: its answers are the outputs; None: what the model said

    Raises InputError, naming the line, for what is no sample, and for a filter that is not there.
    """
    filters: dict[str, None] = {}
    taken: dict[object, str] = {}  # the filter that a document is taken under
    for place, row in rows:
        if not is_sample(row):
            raise InputError(f"{where}:{place}: is no sample of lm-evaluation-harness: no doc_id")
        name = str(row.get("filter") or "none")
        filters[name] = None
        id = str(row["doc_id"])
        if name != (filter_ or taken.setdefault(id, name)):
            continue
        outputs = _filtered(row) if filter_ else _said(row)
        if not outputs:
            raise InputError(
                f"{where}:{place}: {'filtered_resps' if filter_ else 'resps'}: no text"
            )
        yield place, {"id": id, "outputs": outputs, **_asked(row)}
    if filter_ is not None and filter_ not in filters:
        raise InputError(f"{OPTION}: {where} has no {filter_!r}; {hint(filter_, filters)}")


def _asked(row: Row) -> dict[str, Any]:
    """What is asked is the document's: the prompt that a model saw differs with its template."""
    doc = row.get("doc")
    fields = doc if isinstance(doc, dict) else {}
    field = next((name for name in PROMPTS if isinstance(fields.get(name), str)), None)
    prompt = fields[field] if field else _first(row)
    found = {"references": _references(row)} if row.get("target") is not None else {}
    kept = {name: one for name, one in fields.items() if name != field}
    return found | {"metadata": kept} | ({"prompt": prompt} if prompt is not None else {})


def _calls(row: Row) -> list[list[Any]]:
    given = row.get("arguments")
    calls = list(given.values()) if isinstance(given, dict) else given
    found = []
    for call in calls if isinstance(calls, list) else []:
        parts = list(call.values()) if isinstance(call, dict) else call
        found.append(parts if isinstance(parts, list) else [parts])
    return found


def _first(row: Row) -> str | None:
    calls = _calls(row)
    return calls[0][0] if calls and calls[0] and isinstance(calls[0][0], str) else None


def _choices(row: Row) -> list[str]:
    """The answers of a multiple choice; none where the model wrote its own."""
    second = [parts[1] if len(parts) > 1 else None for parts in _calls(row)]
    texts = [part.strip() for part in second if isinstance(part, str)]
    return texts if len(texts) == len(second) > 1 else []


def _references(row: Row) -> list[str]:
    target, choices = row["target"], _choices(row)
    digits = str(target)
    if digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) < len(choices):
        return [choices[int(digits)]]
    listed = target if isinstance(target, list) else [target]
    return [str(one) for one in listed if isinstance(one, str | int | float)]


def _said(row: Row) -> list[str]:
    answers, choices = row["resps"], _choices(row)
    if not isinstance(answers, list) or not answers:
        return []
    if len(answers) == 1 and not choices:
        return _texts(answers[0])
    likely = [_likelihood(one) for one in answers]
    known = [one for one in likely if one is not None]
    return [choices[likely.index(max(known))]] if len(known) == len(choices) else []


def _filtered(row: Row) -> list[str]:
    answers = row.get("filtered_resps")
    if not isinstance(answers, list):
        return []
    if len(answers) == 1 and isinstance(answers[0], list):
        answers = answers[0]
    return _texts(answers) or _said(row)  # of likelihoods, a filter leaves all


def _texts(answers: object) -> list[str]:
    listed = answers if isinstance(answers, list) else [answers]
    texts = [one for one in listed if isinstance(one, str)]
    return texts if len(texts) == len(listed) else []


def _likelihood(answer: object) -> float | None:
    while isinstance(answer, list) and answer:
        answer = answer[0]
    try:
        return float(answer) if isinstance(answer, str | int | float) else None
    except ValueError:
        return None
