"""Faults of what surrounds the work: the database, the disk. They say nothing about the work.

Whoever catches errors in order to blame a metric, or a client's request, asks here first: what was
stopped by a full disk or a lost connection is done again later, as if it had not been tried.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# SQLSTATEs, https://www.postgresql.org/docs/current/errcodes-appendix.html
CONNECTION = ("08", "57P")  # connection exceptions; the server stops, crashed or is starting
DISK_FULL = "53100"
PASSING = (
    *(DISK_FULL, "53200", "53300"),  # the server lacks disk, memory, connections
    *("58000", "58030"),  # its system failed it
    *("40001", "40P01"),  # transactions got into each other's way
)


def is_outside(error: BaseException) -> bool:
    """Whether the error, or one that led to it, is a fault of the surroundings."""
    return any(is_full(one) or is_lost(one) or _state(one) in PASSING for one in _chain(error))


def is_lost(error: BaseException) -> bool:
    """Whether the connection to the database is at fault (refused, cut off, server stopping)."""
    if isinstance(error, PoolTimeout):
        return True
    state = _state(error)
    if isinstance(error, DBAPIError):
        connection = isinstance(error, OperationalError) and not state
        return connection or error.connection_invalidated or state.startswith(CONNECTION)
    return isinstance(error, psycopg.OperationalError) and (
        not state or state.startswith(CONNECTION)
    )


def is_full(error: BaseException) -> bool:
    """Whether a disk or a quota is full, here or at the database."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    if type(error).__module__.startswith("safetensors"):  # it has no errno
        return any(f"(os error {number})" in str(error) for number in FULL)
    return _state(error) == DISK_FULL


def _state(error: BaseException) -> str:
    """The SQLSTATE; empty where there is none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (getattr(cause, "sqlstate", None) or "") if isinstance(cause, psycopg.Error) else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
