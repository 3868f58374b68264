"""Clients that ask, wait and ask again, whatever becomes of their connections."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from assay import AssayError, Client, WaitTimedOut
from chaos.work import Failed, Values, Work

T = TypeVar("T")

PAUSE = 0.5  # seconds before a client asks again


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request; `problem` says why it has no values."""

    work: Work
    key: str
    id: str | None  # None: it was never accepted
    values: Values | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request may take, and what was answered meanwhile that is no answer."""

    seconds: float
    refusals: Counter[int | None]

    def insist(self, ask: Callable[[], T]) -> T:
        """The answer of `ask`, asked until it is one. Raises the last error.

        A refusal (4xx) is one: it is not asked again.
        """
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                return ask()
            except AssayError as error:
                self.refusals[error.status] += 1
                refused = error.status is not None and error.status < 500
                if refused or isinstance(error, WaitTimedOut) or time.monotonic() > deadline:
                    raise
            time.sleep(PAUSE)


def outcome(assay: Client, work: Work, key: str, patience: Patience) -> Outcome:
    """Have one piece of work done."""
    id: str | None = None
    try:
        id = accepted = patience.insist(lambda: work.ask(assay, key))
        values = patience.insist(lambda: work.read(assay, accepted, patience.seconds))
    except (AssayError, Failed) as error:
        return Outcome(work, key, id, None, f"{type(error).__name__}: {error}")
    return Outcome(work, key, id, values)


def customer(
    url: str,
    name: str,
    works: Sequence[Work],
    patience: Patience,
    closing: threading.Event,
    outcomes: list[Outcome],
) -> None:
    """Asks for the works in turn, one at a time, until `closing`; the last is waited for."""
    with Client(url, timeout=20.0) as assay:
        for number, work in enumerate(itertools.cycle(works)):
            if closing.is_set():
                return
            outcomes.append(outcome(assay, work, f"{name}-{number}", patience))
