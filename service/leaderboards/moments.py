"""Boards as they stood: what `at` takes, what it means, and what it is refused for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import Query

from service.errors import ApiError, invalid, not_found

At = Annotated[
    str | None,
    Query(description="as it stood at the end of a day (2026-11-24, UTC) or at a time"),
]


def moment(given: str) -> datetime:
    """The end of the day, or the time, that `at` names; without a zone, UTC. Raises 422."""
    try:
        if len(given) <= len("2026-11-24"):
            day = date.fromisoformat(given)
            return datetime.combine(day, time(), UTC) + timedelta(days=1, microseconds=-1)
        # in an address, a plus sign that is not escaped is a space
        found = datetime.fromisoformat(given.replace(" ", "+") if "T" in given else given)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = f"{given!r} is no date: give a day, as 2026-11-24, or a time, as "
        raise invalid("invalid_date", message + "2026-11-24T12:00:00Z", "at") from None


def too_early(kind: str, board: str, at: datetime) -> ApiError:
    """404: the board had no value `at` the time."""
    return not_found(kind, board, f"nothing had landed by {at.isoformat()}", "at")


def as_it_stood(at: datetime | None) -> str:
    """What follows the title of a board; nothing on one that stands so now."""
    return f", as it stood at {at.isoformat(' ', 'seconds')}" if at else ""
