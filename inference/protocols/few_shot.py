"""Examples for a record: the first of a dataset, or drawn; never the record, nor one like it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from inference.errors import InputError
from inference.protocols.conversation import Record, prompt_of
from inference.protocols.declaration import FewShot

AT = "few_shot"


class Pool:
    """A dataset's records as examples."""

    def __init__(self, records: Sequence[Record], few_shot: FewShot) -> None:
        self.records = records
        self.few_shot = few_shot
        self._alike: dict[str, set[int]] = defaultdict(set)
        for index, record in enumerate(records):
            self._alike[_asked(record)].add(index)

    def chosen(self, record: Record) -> list[int]:
        """Indices of the record's examples, in the order in which they are shown.

        Records of equal questions are no examples for each other, whatever their case and spaces.
        Raises InputError where too few are left.
        """
        k, alike = self.few_shot.k, self._alike.get(_asked(record), set())
        there = len(self.records)
        if there - len(alike) < k:
            message = (
                f"{k} examples are asked for, and {there - len(alike)} of {there} records are not "
                f"the record {record.get('id')!r} itself"
            )
            raise InputError(message, f"{AT}.k")
        if self.few_shot.draw == "fixed":
            places: Sequence[int] = range(min(there, k + len(alike)))
        else:
            own = random.Random(f"{self.few_shot.seed}/{record.get('id')}")  # noqa: S311
            places = own.sample(range(there), min(there, k + len(alike)))
        return [at for at in places if at not in alike][:k]


def value_of(record: Record, field: str) -> str | None:
    """A field of the record or of its metadata, as text; None where it has none."""
    metadata = record.get("metadata") or {}
    value = record.get(field, metadata.get(field))
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value is None else str(value)


def answer_of(example: Record, few_shot: FewShot) -> str:
    """What an example's answer is. Raises InputError where it has none."""
    if few_shot.answer is not None:
        found = value_of(example, few_shot.answer)
    else:
        found = value_of(example, "references") or value_of(example, "completion")
    if found is None:
        what = few_shot.answer or "references"
        message = f"the example {example.get('id')!r} has no {what!r} to be its answer"
        raise InputError(message, f"{AT}.answer" if few_shot.answer else f"{AT}.dataset")
    return found


def _asked(record: Record) -> str:
    return " ".join((prompt_of(record) or "").split()).casefold()
