"""People of tests who vote until nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.service.annotation.people import Person


def vote_on_all(person: Person, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Votes on every item that the person is given."""
    while (item := person.next()["item"]) is not None:
        voted = person.post("votes", item=item["id"], seconds=3.0, **answer(item))
        assert voted.status_code == 200, voted.text


def by_system(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Systems of an analysis, by name."""
    return {one["system"]: one for one in rows}
