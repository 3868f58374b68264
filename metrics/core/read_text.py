"""For metrics whose model reads one text of a sample: its output, or its references.

References are given, so of them the model is judged, and not what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from inference.protocol import LanguageModel
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Reads
from metrics.core.rows import Ints, Settled, settle_by_averaging, settle_by_pooling


class Reading(Protocol):
    """Parameters that say which text is read."""

    @property
    def text(self) -> str:
        """`reference`, or an output."""


def texts_of(item: Item, params: Reading) -> tuple[str, ...]:
    """The texts that are read."""
    return item.references if params.text == "reference" else (item.output,)


def sizes(items: Sequence[Item], params: Reading) -> list[int]:
    """Bytes of each item's texts: a plan by them needs no tokenizer, and stored evidence loads no
    model."""
    return [sum(len(text.encode()) for text in texts_of(item, params)) for item in items]


def windows(
    model: LanguageModel, items: Sequence[Item], params: Reading, size: int
) -> Iterator[tuple[int, list[int]]]:
    """Texts in disjoint windows of at most `size` tokens, and the index of the item of each."""
    texts = [(at, text) for at, item in enumerate(items) for text in texts_of(item, params)]
    for (at, _), ids in zip(texts, model.encode([text for _, text in texts]), strict=True):
        for first in range(0, len(ids), size):
            yield at, ids[first : first + size]


def needs(params: Reading) -> tuple[Reads, ...]:
    """The text that is read."""
    return ("references",) if params.text == "reference" else ("output",)


def settle(evidence: Evidence, unit: Ints, params: Reading) -> Settled:
    """Outputs of a sample add up; references, the same beside each output, count once."""
    if params.text == "reference":
        return settle_by_averaging(evidence, unit, params)
    return settle_by_pooling(evidence, unit, params)
