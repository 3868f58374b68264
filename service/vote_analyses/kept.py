"""Analyses that this process has answered with, as long as the same votes stand."""

from __future__ import annotations

from collections import OrderedDict

from service.vote_analyses.schemas import VoteAnalysisOut
from service.vote_analyses.store import State

Key = tuple[str, str | None, State]  # project, criterion, and which votes there are

MOST = 64


class Kept:
    """The last ones that were asked for."""

    def __init__(self) -> None:
        self._found: OrderedDict[Key, VoteAnalysisOut] = OrderedDict()

    def get(self, key: Key) -> VoteAnalysisOut | None:
        """The analysis of just these votes."""
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def add(self, key: Key, found: VoteAnalysisOut) -> None:
        """Keep it, in place of the one that nobody asked for longest."""
        self._found[key] = found
        while len(self._found) > MOST:
            self._found.popitem(last=False)
