"""A file with the values of every score for every sample."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metrics.core.metric import BoundMetric
from metrics.core.result import Result
from service.figures.data import as_csv, as_parquet
from service.figures.table import Cell, Column, Table
from service.score_file import outfiles

OPTION = "--per-sample"


@dataclass(frozen=True, slots=True)
class Values:
    """The results of one file's samples; `file` names it where there are two."""

    file: str | None
    ids: Sequence[str]
    results: Sequence[Result]


def write(path: Path, asked: Sequence[BoundMetric], given: Sequence[Values]) -> list[str]:
    """Writes the file, CSV, JSON Lines or Parquet by its name; a value that is missing is empty.
    Returns sentences on what is not in it. Raises InputError where it cannot be written."""
    kept = [at for at, metric in enumerate(asked) if not metric.set_level]
    names = [(asked[at].name, name) for at in kept for name in asked[at].score_names]
    count = Counter(name for _, name in names)
    first = [] if given[0].file is None else [Column("file", "text")]
    columns = [*first, Column("id", "text")]
    columns += [
        Column(name if count[name] == 1 else f"{metric}.{name}", "number") for metric, name in names
    ]
    rows = [row for values in given for row in _rows(values, kept, asked)]
    table = Table("samples", "samples", columns, rows, {}, [])
    outfiles.write(OPTION, path, WRITERS[path.suffix.lower()](table))
    whole = [metric.name for metric in asked if metric.set_level]
    return [f"{name} is of the whole set: a sample has no value" for name in whole]


def _rows(values: Values, kept: Sequence[int], asked: Sequence[BoundMetric]) -> list[list[Cell]]:
    n = len(values.ids)
    parts = []
    for at in kept:
        found = values.results[at].per_sample
        empty = np.full((n, len(asked[at].scores)), np.nan)
        parts.append(empty if found is None else found)  # None: the metric failed
    numbers = np.concatenate(parts, axis=1) if parts else np.empty((n, 0))
    start: list[Cell] = [] if values.file is None else [values.file]
    return [
        [*start, id, *(one if one == one else None for one in row)]  # noqa: PLR0124 (NaN)
        for id, row in zip(values.ids, numbers.tolist(), strict=True)
    ]


def _jsonl(table: Table) -> bytes:
    names = [column.name for column in table.columns]
    lines = (
        json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n"
        for row in table.rows
    )
    return "".join(lines).encode()


WRITERS: Mapping[str, Callable[[Table], bytes]] = {
    ".csv": as_csv,
    ".jsonl": _jsonl,
    ".parquet": as_parquet,
}
