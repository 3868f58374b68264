"""An arena's votes as files, in the layout of LMArena's logs: what another service imports, or this
one, at `/v1/annotation_projects/imports`. Written as they are read, some rows at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from service.arenas import store
from service.arenas.schemas import ArenaVoteOut
from service.arenas.views import vote_view
from service.errors import not_found
from service.http.answers import Answers
from service.http.gate import Gate

Batches = Iterator[Sequence[ArenaVoteOut]]

ROWS = 100  # in a batch, and in a row group of Parquet
COLUMNS = tuple(ArenaVoteOut.model_fields)
CONVERSATIONS = ("conversation_a", "conversation_b")


def batches(gate: Gate, arena: str, after: str | None, limit: int | None) -> Batches:
    """Up to `limit` votes, some at a time, each batch in a transaction of its own: votes never
    change. Raises 404, at its beginning or, where the arena is deleted meanwhile, in the middle."""
    left = limit
    while True:
        count = ROWS if left is None else min(left, ROWS)
        with gate.transaction() as db:
            if store.get(db, arena) is None:
                raise not_found("arena", arena)
            rows = store.voted(db, arena, after=after, limit=count)
        yield [vote_view(row) for row in rows]
        left = left and left - count
        if len(rows) < count or left == 0:
            return
        after = rows[-1].id


def as_jsonl(batches: Batches) -> Iterator[bytes]:
    """An object a line."""
    for batch in batches:
        yield b"".join(one.model_dump_json().encode() + b"\n" for one in batch)


def as_csv(batches: Batches) -> Iterator[bytes]:
    """CSV after RFC 4180, UTF-8; conversations as JSON."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for batch in batches:
        writer.writerows(_cells(one) for one in batch)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def as_parquet(batches: Batches) -> Iterator[bytes]:
    """Parquet, conversations as lists of messages."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    turns = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
    kinds = {"turn": pa.int32(), "tstamp": pa.float64(), **dict.fromkeys(CONVERSATIONS, turns)}
    schema = pa.schema({name: kinds.get(name, pa.string()) for name in COLUMNS})
    file = io.BytesIO()

    def written() -> bytes:
        found = file.getvalue()
        file.seek(0)
        file.truncate()
        return found

    with pq.ParquetWriter(pa.PythonFile(file, mode="w"), schema) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_pylist([one.model_dump() for one in batch], schema))
            yield written()
    yield written()  # the footer


def _cells(one: ArenaVoteOut) -> list[object]:
    row = one.model_dump()
    row |= {name: orjson.dumps(row[name]).decode() for name in CONVERSATIONS}
    return list(row.values())


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How votes are written, and what that is called."""

    media: str
    write: Callable[[Batches], Iterator[bytes]]


FORMATS = {
    "jsonl": FileFormat("application/jsonl", as_jsonl),
    "csv": FileFormat("text/csv", as_csv),
    "parquet": FileFormat("application/vnd.apache.parquet", as_parquet),
}
FILES: Answers = {
    200: {
        "content": {
            one.media: {"schema": {"type": "string", "format": "binary"}}
            for one in FORMATS.values()
        }
    }
}
