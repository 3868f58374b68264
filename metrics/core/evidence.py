"""Evidence: ragged columns of numbers, one item per measured output.

A column holds, for every item, an array whose first axis may differ between items:

    values   (sum of lengths, ...)   the items' arrays, one after the other
    lengths  (n_items,)              how many entries each item has; None where each has exactly one

Evidence is what a metric saw. It is cached, stored per shard, joined and cut, but never averaged:
that is the business of `settle` and `reduce`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

FLAG = "flag"  # optional column: 0, or a code declared in `Metric.flags`
NOTES = "notes"  # optional column of bytes: for people to read, and no part of any number


@dataclass(frozen=True, slots=True)
class Column:
    """One ragged column; see the module's docstring."""

    values: NDArray[np.generic]
    lengths: NDArray[np.int64] | None = None

    @property
    def count(self) -> int:
        """The number of items."""
        return len(self.values) if self.lengths is None else len(self.lengths)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(n_items,) how many entries each item has."""
        return np.ones(len(self.values), np.int64) if self.lengths is None else self.lengths

    @property
    def offsets(self) -> NDArray[np.int64]:
        """(n_items + 1,) where each item begins and ends in `values`."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.sizes, dtype=np.int64)])

    def take(self, indices: NDArray[np.int64]) -> Column:
        """The items at `indices`, in that order, repeats allowed."""
        if self.lengths is None:
            return Column(self.values[indices])
        lengths = self.lengths[indices]
        starts = self.offsets[:-1][indices]
        first = np.cumsum(lengths) - lengths  # where each chosen item begins in the result
        rows = np.arange(int(lengths.sum())) + np.repeat(starts - first, lengths)
        return Column(self.values[rows], lengths)


class Evidence:
    """Named columns over the same items."""

    __slots__ = ("columns", "count")

    def __init__(self, columns: Mapping[str, Column], count: int | None = None) -> None:
        counts = {column.count for column in columns.values()}
        if len(counts) > 1:
            raise ValueError(f"columns disagree on the number of items: {sorted(counts)}")
        self.columns = dict(columns)
        self.count = counts.pop() if counts else (count or 0)

    def __len__(self) -> int:
        return self.count

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        """The column's values, items one after the other."""
        return self.columns[name].values

    def lengths(self, name: str) -> NDArray[np.int64]:
        """(n_items,) how many entries of the column each item has."""
        return self.columns[name].sizes

    @classmethod
    def of_rows(cls, rows: NDArray[np.generic], flags: Sequence[int] | None = None) -> Evidence:
        """Evidence of a metric whose evidence is already a row: (n_items, n_columns)."""
        columns = {"row": Column(rows)}
        if flags is not None:
            columns[FLAG] = Column(np.asarray(flags, np.uint8))
        return cls(columns)

    @classmethod
    def of_ragged(
        cls,
        columns: Mapping[str, Sequence[NDArray[np.generic]]],
        fixed: Mapping[str, NDArray[np.generic]] | None = None,
    ) -> Evidence:
        """Evidence from lists of per-item arrays, and columns with one entry per item."""
        built = {
            name: Column(
                np.concatenate(arrays) if arrays else np.zeros(0),
                np.array([len(array) for array in arrays], np.int64),
            )
            for name, arrays in columns.items()
        }
        return cls(built | {name: Column(values) for name, values in (fixed or {}).items()})

    @classmethod
    def concat(cls, parts: Sequence[Evidence]) -> Evidence:
        """The parts' items, in order; a flag column missing from a part reads as zeros.

        A part that has flags alone (`metrics.core.details`) has zeros in all other columns.
        """
        parts = [part for part in parts if len(part)]
        if not parts:
            return cls({}, 0)
        like = {name: column for part in reversed(parts) for name, column in part.columns.items()}
        return cls(
            {
                name: _concat([_column(part, name, like[name]) for part in parts])
                for name in sorted(like)
            }
        )

    def take(self, indices: Iterable[int] | NDArray[np.int64]) -> Evidence:
        """The items at `indices`, in that order, repeats allowed."""
        chosen = np.asarray(indices if isinstance(indices, np.ndarray) else list(indices))
        if chosen.dtype == np.bool_:
            raise TypeError("indices are wanted, not a mask")
        chosen = chosen.astype(np.int64)
        return Evidence(
            {name: column.take(chosen) for name, column in self.columns.items()}, len(chosen)
        )

    def encode(self) -> bytes:
        """Compressed bytes; `decode` gives the same arrays to the bit."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, column in self.columns.items():
            arrays[f"v:{name}"] = column.values
            if column.lengths is not None:
                arrays[f"l:{name}"] = column.lengths
        return pack(arrays, {"count": self.count})

    @classmethod
    def decode(cls, data: bytes) -> Evidence:
        """What `encode` made bytes of."""
        arrays, meta = unpack(data)
        columns = {
            key[2:]: Column(values, arrays.get(f"l:{key[2:]}"))  # type: ignore[arg-type]
            for key, values in arrays.items()
            if key.startswith("v:")
        }
        return cls(columns, int(str(meta["count"])))


def _column(part: Evidence, name: str, like: Column) -> Column:
    if name in part.columns:
        return part.columns[name]
    if name == FLAG:
        return Column(np.zeros(len(part), np.uint8))
    if part.columns.keys() == {FLAG} and part[FLAG].all():
        shape, lengths = like.values.shape[1:], like.lengths
        if lengths is None:
            return Column(np.zeros((len(part), *shape), like.values.dtype))
        none = np.zeros(len(part), np.int64)
        return Column(np.zeros((0, *shape), like.values.dtype), none)
    raise ValueError(f"a part of the evidence lacks the column {name!r}")


def _concat(columns: Sequence[Column]) -> Column:
    values = np.concatenate([column.values for column in columns])
    if all(column.lengths is None for column in columns):
        return Column(values)
    lengths = [
        np.ones(column.count, np.int64) if column.lengths is None else column.lengths
        for column in columns
    ]
    return Column(values, np.concatenate(lengths))


def pack(arrays: Mapping[str, NDArray[np.generic]], meta: Mapping[str, object]) -> bytes:
    """Arrays and a little JSON as one zstd frame; no pickle is ever read or written.

    2-D arrays are laid out column by column: like numbers stand together and compress better.
    """
    head = []
    body = io.BytesIO()
    for name, array in arrays.items():
        order: Literal["C", "F"] = "F" if array.ndim == 2 else "C"
        data = array.tobytes(order=order)
        head.append([name, array.dtype.str, list(array.shape), order, len(data)])
        body.write(data)
    header = orjson.dumps({"arrays": head, "meta": dict(meta)})
    frame = struct.pack("<I", len(header)) + header + body.getvalue()
    return zstandard.ZstdCompressor(level=3).compress(frame)


def unpack(data: bytes) -> tuple[dict[str, NDArray[np.generic]], dict[str, object]]:
    """The inverse of `pack`."""
    frame = zstandard.ZstdDecompressor().decompress(data)
    (size,) = struct.unpack_from("<I", frame)
    header = orjson.loads(frame[4 : 4 + size])
    arrays: dict[str, NDArray[np.generic]] = {}
    at = 4 + size
    for name, dtype, shape, order, length in header["arrays"]:
        flat = np.frombuffer(frame, np.dtype(dtype), length // np.dtype(dtype).itemsize, at)
        arrays[name] = flat.reshape(shape, order=order)
        at += length
    return arrays, header["meta"]
