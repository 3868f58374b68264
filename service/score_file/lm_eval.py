"""Samples of lm-evaluation-harness, `samples_<task>_<date>.jsonl`, as a sample's fields.

A line is a document under one filter; what the model said is the same under all of them. Of a
multiple choice, the likeliest answer is the output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from inference.errors import InputError
from metrics.core.names import hint
from service.imports import lm_eval_samples as logged

OPTION = "--filter"

Row = Mapping[str, Any]


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
        if not logged.is_sample(row):
            raise InputError(f"{where}:{place}: is no sample of lm-evaluation-harness: no doc_id")
        name = str(row.get("filter") or "none")
        filters[name] = None
        id = str(row["doc_id"])
        if name != (filter_ or taken.setdefault(id, name)):
            continue
        outputs = _filtered(row) if filter_ else logged.said(row)
        if not outputs:
            raise InputError(
                f"{where}:{place}: {'filtered_resps' if filter_ else 'resps'}: no text"
            )
        yield place, {"id": id, "outputs": outputs, **_asked(row)}
    if filter_ is not None and filter_ not in filters:
        raise InputError(f"{OPTION}: {where} has no {filter_!r}; {hint(filter_, filters)}")


def _asked(row: Row) -> dict[str, Any]:
    asked = logged.asked(row)
    found = {"references": logged.references(row)} if row.get("target") is not None else {}
    prompt = {} if asked.prompt is None else {"prompt": asked.prompt}
    return found | {"metadata": dict(asked.rest)} | prompt


def _filtered(row: Row) -> list[str]:
    answers = row.get("filtered_resps")
    if not isinstance(answers, list):
        return []
    if len(answers) == 1 and isinstance(answers[0], list):
        answers = answers[0]
    return logged.texts(answers) or logged.said(row)  # of likelihoods, a filter leaves all
