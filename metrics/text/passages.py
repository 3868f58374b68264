"""Outputs and references as indices into distinct texts: each text is processed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from inference.errors import InputError
from inference.sentences import Sentence
from metrics.core.metric import Item
from metrics.core.rows import Ints


@dataclass(frozen=True, slots=True)
class Passages:
    """Items to compare.

    texts       the distinct texts
    outputs     (n_items,) index of each item's output in `texts`
    references  (n_references,) likewise of all references, item after item
    owner       (n_references,) the item each reference belongs to, ascending
    """

    texts: list[str]
    outputs: Ints
    references: Ints
    owner: Ints

    @property
    def first(self) -> Ints:
        """(n_items,) where each item's references begin in `references`."""
        return np.searchsorted(self.owner, np.arange(len(self.outputs))).astype(np.int64)


def passages(items: Sequence[Item]) -> Passages:
    """Raises InputError where an item has no reference."""
    index: dict[str, int] = {}
    outputs = [index.setdefault(item.output, len(index)) for item in items]
    references = [
        index.setdefault(reference, len(index)) for item in items for reference in item.references
    ]
    counts = np.array([len(item.references) for item in items], np.int64)
    if not counts.all():
        raise InputError(Sentence("every sample needs at least one reference"), "references")
    return Passages(
        list(index),
        np.array(outputs, np.int64),
        np.array(references, np.int64),
        np.repeat(np.arange(len(items), dtype=np.int64), counts),
    )


def spans(sizes: Ints, limit: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose sizes add up to at most `limit`, or that hold a single entry."""
    ends = np.cumsum(sizes)
    low, done = 0, 0
    while low < len(sizes):
        high = max(low + 1, int(np.searchsorted(ends, done + limit, side="right")))
        yield low, high
        low, done = high, int(ends[high - 1])


def batches(items: Sequence[Item], characters: int = 100_000) -> Iterator[Sequence[Item]]:
    """The items in order, cut so that working memory stays bounded."""
    sizes = [len(item.output) + sum(map(len, item.references)) + 1 for item in items]
    for low, high in spans(np.array(sizes, np.int64), characters):
        yield items[low:high]
