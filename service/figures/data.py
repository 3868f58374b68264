"""Files of data, for programs and spreadsheets: every column, every digit."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import orjson

from service.figures.table import PAIRS, Table
from service.figures.words import exact

# What spreadsheets take for a formula, be the name of a system `=HYPERLINK(…)`; an apostrophe as
# well, so that taking one away always gives the text back.
FORMULA = re.compile(r"\s*[=+\-@＝＋－＠']|[\t\r\n]")

LINES = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


def as_csv(table: Table) -> bytes:
    """CSV after RFC 4180, UTF-8. Texts that a spreadsheet would run begin with an apostrophe; names
    of a list are joined; columns of JSON say where a text ends."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    columns = flat(table)
    writer.writerow([name for name, _, _ in columns])
    kinds = [kind for _, kind, _ in columns]
    for row in zip(*(values for _, _, values in columns), strict=True):
        writer.writerow([_harmless(*cell) for cell in zip(row, kinds, strict=True)])
    return file.getvalue().encode()


def as_jsonl(table: Table) -> bytes:
    """JSON Lines: an object for each row, null where there is no value."""
    names = [column.name for column in table.columns]
    rows = [dict(zip(names, row, strict=True)) for row in (*table.rows, *table.more)]
    return b"".join(orjson.dumps(row, option=LINES) for row in rows)


def as_parquet(table: Table) -> bytes:
    """Parquet with typed columns, null where there is no value."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "number": pa.float64(),
        "p_value": pa.float64(),
        "count": pa.int64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "texts": pa.list_(pa.string()),
    }
    columns = flat(table)
    fields = [pa.field(name, types.get(kind, pa.string())) for name, kind, _ in columns]
    arrays = [
        pa.array([exact(one) if one is not None else None for one in values], pa.string())
        if kind == "json"
        else pa.array(values, field.type)
        for (_, kind, values), field in zip(columns, fields, strict=True)
    ]
    about = {"title": table.title, "notes": json.dumps(list(table.notes), ensure_ascii=False)}
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields, about)), file)
    return file.getvalue()


def flat(table: Table) -> list[tuple[str, str, Sequence[Any]]]:
    """(name, kind, values) of each column; a pair is two, `…_low` and `…_high`."""
    found: list[tuple[str, str, Sequence[Any]]] = []
    rows = [*table.rows, *table.more]
    for at, column in enumerate(table.columns):
        values: list[Any] = [row[at] for row in rows]
        if column.kind in PAIRS:
            for end, name in enumerate(("low", "high")):
                ends = [pair[end] if pair is not None else None for pair in values]
                found.append((f"{column.name}_{name}", PAIRS[column.kind], ends))
        else:
            found.append((column.name, column.kind, values))
    return found


def _harmless(value: Any, kind: str) -> str:
    names = kind != "json" and isinstance(value, list) and _texts(value)
    text = "; ".join(value) if names else exact(value)
    risky = isinstance(value, str | list) and FORMULA.match(text)
    return f"'{text}" if risky else text


def _texts(value: list[Any]) -> bool:
    return all(isinstance(one, str) for one in value)
