"""Annotations: what people said of items.

    item       (n,)  int64, from 0
    annotator  (n,)  int64, from 0
    value      (n,)  float64, finite: a rating, or a label's number
    seconds    (n,)  float64, how long it took; NaN where nobody knows

One row is one annotation, in the order in which they came; an annotator may be given an item again,
and the later ones are *repeats*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.weights import Floats

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Annotations:
    """Rows of annotations; `items` and `annotators` are how many there are of each."""

    item: Ints
    annotator: Ints
    value: Floats
    seconds: Floats
    items: int
    annotators: int

    @classmethod
    def of(
        cls,
        item: Ints,
        annotator: Ints,
        value: Floats,
        seconds: Floats | None = None,
        *,
        items: int | None = None,
        annotators: int | None = None,
    ) -> Annotations:
        """As many items and annotators as are named, unless told. ValueError for columns of unlike
        lengths, negative numbers, or a value that is not finite."""
        seconds = np.full(len(item), np.nan) if seconds is None else seconds
        if not len(item) == len(annotator) == len(value) == len(seconds):
            raise ValueError("items, annotators, values and seconds have to be equally many")
        if min(item.min(initial=0), annotator.min(initial=0)) < 0:
            raise ValueError("items and annotators are numbered from 0")
        if not np.isfinite(value).all():
            raise ValueError("a value is not finite: leave out what was skipped")
        return cls(
            item,
            annotator,
            value,
            seconds,
            int(item.max(initial=-1)) + 1 if items is None else items,
            int(annotator.max(initial=-1)) + 1 if annotators is None else annotators,
        )

    def take(self, chosen: Flags) -> Annotations:
        """The chosen rows, of the same items and annotators."""
        return Annotations(
            self.item[chosen],
            self.annotator[chosen],
            self.value[chosen],
            self.seconds[chosen],
            self.items,
            self.annotators,
        )

    def repeats(self) -> tuple[Flags, Ints]:
        """(n,) which rows are repeats, and (n,) the row that first says what each says again."""
        cell = self.item * self.annotators + self.annotator
        _, first, place = np.unique(cell, return_index=True, return_inverse=True)
        origin = np.asarray(first[place], np.int64)
        return origin != np.arange(len(cell)), origin

    def first(self) -> Annotations:
        """Without repeats."""
        return self.take(~self.repeats()[0])

    def table(self) -> Floats:
        """(items, annotators) what each said of each at first; NaN where it said nothing."""
        once = self.first()
        found = np.full((self.items, self.annotators), np.nan)
        found[once.item, once.annotator] = once.value
        return found
