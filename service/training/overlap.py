"""Held-out samples that are trained on as well: their scores say nothing of what is new.

What is asked is compared: of a record its `prompt`, its `text`, and what the user says in its
`messages`. A sample is shared where the text is the same without regard to case, white space and
the form of Unicode; it is near where one text of the training data has SHARE of its n-grams of N
words (a Chinese character or a kana is a word). N-grams that many held-out samples have are a
template's, and do not count; a sample with fewer than LEAST others is compared whole alone.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from service.datasets import store as datasets
from service.datasets.store import Dataset

SLICE = 10_000  # records in memory at once
SHOWN = 5  # ids of samples that are named
N, LEAST, SHARE = 4, 4, 0.6
COMMON = 0.1  # of the held-out samples, and more than two: a template
MOST_TEXT = 10_000_000  # characters of the training data that n-grams are looked for in: seconds

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def overlap(db: Connection, trained: Dataset, held_out: Dataset) -> dict[str, Any]:
    """How many samples of `held_out` are in `trained`, and how many nearly; ids of the first."""
    seen = {digest for record in _records(db, trained) for digest in digests(record)}
    shared, others = [], {}
    for record in _records(db, held_out):
        if seen.isdisjoint(digests(record)):
            others[record["id"]] = asked(record)
        else:
            shared.append(record["id"])
    texts = (text for record in _records(db, trained) for text in asked(record))
    near = near_copies(others, _up_to(texts, MOST_TEXT))
    return {
        "dataset": f"{held_out.name}@{held_out.version}",
        "samples": held_out.size,
        "shared": len(shared),
        "ids": shared[:SHOWN],
        "near": len(near),
        "near_ids": near[:SHOWN],
    }


def sentence(found: Mapping[str, Any]) -> str | None:
    """What `overlap` found, for people; None where there is nothing to say."""
    shared, near = found["shared"], found.get("near", 0)
    if not shared and not near:
        return None
    first = ", ".join([*found["ids"], *found.get("near_ids", [])][:SHOWN])
    return (
        f"of the {found['samples']} held-out samples of {found['dataset']}, {shared} are in the "
        f"training data and {near} nearly so (the first: {first}): scores of them flatter"
    )


def asked(record: Mapping[str, Any]) -> list[str]:
    """What is asked in the record, made plain; of text without a question, the text."""
    said = [one["content"] for one in record.get("messages") or () if one["role"] == "user"]
    texts = [record.get("prompt"), record.get("text"), *said]
    return [_plain(text) for text in texts if text]


def digests(record: Mapping[str, Any]) -> set[bytes]:
    """Of each text that `asked` finds."""
    return {_digest(text) for text in asked(record)}


def near_copies(held_out: Mapping[str, Iterable[str]], trained: Iterable[str]) -> list[str]:
    """Ids of the held-out samples of which some text of `trained` has SHARE of the n-grams."""
    grams = {
        id: {gram for text in texts for gram in ngrams(text)} for id, texts in held_out.items()
    }
    counts = Counter(gram for own in grams.values() for gram in own)
    template = {gram for gram, count in counts.items() if count > max(2, COMMON * len(grams))}
    grams = {id: own - template for id, own in grams.items()}
    holders = defaultdict(list)  # ids of the samples that have an n-gram
    for id, own in grams.items():
        for gram in own if len(own) >= LEAST else ():
            holders[gram].append(id)
    near: set[str] = set()
    for text in trained if holders else ():
        there = holders.keys() & ngrams(text)
        hits = Counter(id for gram in there for id in holders[gram])
        near |= {id for id, count in hits.items() if count >= SHARE * len(grams[id])}
    return [id for id in held_out if id in near]


def ngrams(text: str) -> set[str]:
    """Every N words in a row."""
    words = WORD.findall(text)
    return {" ".join(words[at : at + N]) for at in range(len(words) - N + 1)}


def _up_to(texts: Iterable[str], most: int) -> Iterator[str]:
    """The first texts, of `most` characters together."""
    for text in texts:
        most -= len(text)
        if most < 0:
            return
        yield text


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _digest(plain: str) -> bytes:
    return hashlib.blake2b(plain.encode(errors="replace"), digest_size=16).digest()


def _records(db: Connection, dataset: Dataset) -> Iterator[Mapping[str, Any]]:
    for start in range(0, dataset.size, SLICE):
        yield from datasets.read_records(db, dataset.id, start, start + SLICE)
