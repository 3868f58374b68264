"""Archives as they are written; `metrics.core.archive` says what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import orjson

from metrics.core import evidence as columns
from metrics.core.evidence import Evidence
from metrics.core.manifest import (
    CANONICAL,
    DETAILS,
    FORMAT,
    MANIFEST,
    OUTPUTS,
    PROVENANCE,
    RECORDS,
    SCORES,
    VERSION,
    digests,
)
from metrics.core.npy import dumped
from metrics.core.stored_zip import Writer

LINE = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


@dataclass(frozen=True, slots=True)
class Concluded:
    """A metric of the evaluation, to be written.

    result    as `metrics.core.packing` packs it; None where it failed, and `error` says why
    evidence  None where it was not kept
    """

    position: int
    name: str
    params: Mapping[str, Any]
    resolved: Mapping[str, Any] | None
    signature: Mapping[str, str] | None
    error: Mapping[str, Any] | None
    result: bytes | None
    evidence: Evidence | None


def write(
    file: IO[bytes],
    *,
    evaluation: Mapping[str, object],
    dataset: Mapping[str, object],
    records: Iterable[Mapping[str, Any]],
    outputs: Iterable[Sequence[str] | None],
    metrics: Iterable[Concluded],
    scores: Sequence[Mapping[str, object]],
    provenance: Mapping[str, object],
    details: Iterable[Sequence[Mapping[str, Any]] | None] | None = None,
) -> str:
    """Write an archive and return its digest. Raises TooLarge.

    evaluation  the fields of `metrics.core.manifest.Asked`; more are kept, too
    dataset     name and kind
    details     what each record's outputs took; None where they were given
    """
    writer = _Hashing(file)
    kind = hashlib.sha256(str(dataset["kind"]).encode())
    writer.add(RECORDS, (_line(record) for record in records), kind)
    size = writer.lines
    writer.add(OUTPUTS, (_line(texts) for texts in outputs))
    if details is not None:
        writer.add(DETAILS, (_line(each) for each in details))
    listed = [_write_metric(writer, one) for one in metrics]
    writer.add(SCORES, [orjson.dumps(list(scores), option=CANONICAL)])
    writer.add(PROVENANCE, [orjson.dumps(dict(provenance), option=CANONICAL)])
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "evaluation": dict(evaluation),
        "dataset": {**dataset, "digest": kind.hexdigest(), "size": size},
        "metrics": listed,
        "members": writer.facts,
    }
    manifest |= digests(manifest)
    writer.add(MANIFEST, [orjson.dumps(manifest, option=CANONICAL)])
    writer.close()
    return str(manifest["digest"])


class _Hashing:
    """A writer that notes the members' digests."""

    def __init__(self, file: IO[bytes]) -> None:
        self.zip = Writer(file)
        self.facts: list[dict[str, object]] = []
        self.lines = 0

    def add(self, name: str, pieces: Iterable[bytes], also: Any = None) -> None:
        state = hashlib.sha256()
        self.lines = 0

        def hashed() -> Iterator[bytes]:
            for piece in pieces:
                self.lines += 1
                state.update(piece)
                if also is not None:
                    also.update(piece)
                yield piece

        member = self.zip.add(name, hashed())
        self.facts.append({"name": name, "bytes": member.size, "sha256": state.hexdigest()})

    def close(self) -> None:
        self.zip.close()


def _write_metric(writer: _Hashing, one: Concluded) -> dict[str, object]:
    """The metric's arrays, and what the manifest says of it."""
    folder = f"metrics/{one.position}"
    facts: dict[str, object] = {
        "position": one.position,
        "name": one.name,
        "params": dict(one.params),
        "resolved": dict(one.resolved) if one.resolved is not None else None,
        "signature": dict(one.signature) if one.signature is not None else None,
        "error": dict(one.error) if one.error is not None else None,
        "result": None,
        "evidence": None,
    }
    if one.result is not None:
        arrays, meta = columns.unpack(one.result)
        for name, array in sorted(arrays.items()):
            writer.add(f"{folder}/{name}.npy", [dumped(array)])
        facts["result"] = {"meta": meta, "arrays": sorted(arrays)}
    if one.evidence is not None:
        ragged = {}
        for name, column in sorted(one.evidence.columns.items()):
            writer.add(f"{folder}/evidence/{name}.npy", [dumped(column.values)])
            ragged[name] = column.lengths is not None
            if column.lengths is not None:
                writer.add(f"{folder}/evidence/{name}.lengths.npy", [dumped(column.lengths)])
        facts["evidence"] = {"count": len(one.evidence), "columns": ragged}
    return facts


def _line(value: object) -> bytes:
    return orjson.dumps(value, option=LINE)
