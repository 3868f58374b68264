"""What this process has computed of votes, as long as the same ones stand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

MOST = 64

T = TypeVar("T")


class Kept(Generic[T]):
    """The last ones that were asked for; a key says of which votes, and how."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """What was computed of just these votes."""
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def add(self, key: Hashable, found: T) -> None:
        """Keep it, in place of the one that nobody asked for longest."""
        self._found[key] = found
        while len(self._found) > MOST:
            self._found.popitem(last=False)
