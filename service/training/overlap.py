"""Held-out samples that are trained on as well: their scores say nothing of what is new.

Prompts are compared by a digest of their text, without regard to case, white space and the form of
Unicode: of a record its `prompt`, its `text`, and what the user says in its `messages`.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from service.datasets import store as datasets
from service.datasets.store import Dataset

SLICE = 10_000  # records in memory at once
SHOWN = 5  # ids of samples that are named


def overlap(db: Connection, trained: Dataset, held_out: Dataset) -> dict[str, Any]:
    """How many samples of `held_out` are in `trained`, and the ids of the first of them."""
    seen = {digest for record in _records(db, trained) for digest in digests(record)}
    both = [one["id"] for one in _records(db, held_out) if not seen.isdisjoint(digests(one))]
    return {
        "dataset": f"{held_out.name}@{held_out.version}",
        "samples": held_out.size,
        "shared": len(both),
        "ids": both[:SHOWN],
    }


def digests(record: Mapping[str, Any]) -> set[bytes]:
    """Of what is asked in the record; of text without a question, the text."""
    said = [one["content"] for one in record.get("messages") or () if one["role"] == "user"]
    texts = [record.get("prompt"), record.get("text"), *said]
    return {_digest(text) for text in texts if text}


def _digest(text: str) -> bytes:
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return hashlib.blake2b(plain.encode(errors="replace"), digest_size=16).digest()


def _records(db: Connection, dataset: Dataset) -> Iterator[Mapping[str, Any]]:
    for start in range(0, dataset.size, SLICE):
        yield from datasets.read_records(db, dataset.id, start, start + SLICE)
