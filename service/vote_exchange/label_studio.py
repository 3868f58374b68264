"""Label Studio's JSON export: a task has its data, and annotations of several people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.imports.tables import Rows


def rows(where: str, row: dict[str, Any]) -> Rows:
    """A row for each annotation of a task; rows that are no task stay as they are.

    `winner`: the side that was selected of Pairwise, else the first of Choices; `label`: what was
    chosen; `ratings`: stars and numbers by the names of their tags. What was chosen stands by the
    name of its tag, too.
    """
    if not isinstance(row.get("annotations"), list) or not isinstance(row.get("data"), dict):
        yield where, row
        return
    for at, one in enumerate(row["annotations"]):
        if not isinstance(one, dict) or one.get("was_cancelled"):
            continue
        by = one.get("completed_by")
        by = by.get("id", by.get("email")) if isinstance(by, dict) else by
        known = {"question": row.get("id"), "annotator": by, "seconds": one.get("lead_time")}
        yield f"{where}.annotations[{at}]", row["data"] | known | _said(one)


def _said(annotation: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"winner": None}
    ratings: dict[str, Any] = {}
    for tag, value in _values(annotation):
        if value.get("selected") is not None:
            found["winner"] = value["selected"]
        rating = value.get("rating", value.get("number"))
        if rating is not None:
            ratings[tag] = rating
        choices = value.get("choices")
        if isinstance(choices, list) and choices:
            found["winner"] = found["winner"] or choices[0]
            chosen = choices[0] if len(choices) == 1 else choices
            found.setdefault("label", chosen)
            found[tag] = chosen
    return found | ({"ratings": ratings} if ratings else {})


def _values(annotation: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    results = annotation.get("result")
    for one in results if isinstance(results, list) else []:
        value = one.get("value") if isinstance(one, dict) else None
        if isinstance(value, dict):
            yield str(one.get("from_name")), value
