"""CSV, JSON, JSON Lines and Parquet with columns of any names: which is which is guessed, shown,
and may be said: `question:prompt,answer:references,acc:score`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain, islice
from typing import Any, Literal, get_args

from metrics.core.names import MEANINGS, plain
from service.datasets import arrow, files, mappings
from service.errors import ApiError, invalid
from service.imports import runs
from service.imports.contents import Contents
from service.imports.runs import Run, Sample, Score

HARNESS = "table"
Field = Literal["id", "system", "prompt", "output", "references", "metadata", "score", "ignore"]
FIELDS: tuple[Field, ...] = get_args(Field)
ONCE, SEVERAL = FIELDS[:5], FIELDS[5:]  # one column of each, or any number
LOOKED_AT = 200  # rows, by which a column is guessed
NAMES: Mapping[Field, str] = {
    "id": "id sample_id doc_id question_id idx index uid key номер ид",
    "system": "system model model_name model_id run модель система",
    "prompt": "prompt question input instruction query source вопрос промпт запрос",
    "output": "output outputs prediction response completion hypothesis candidate generation "
    "ответ вывод",
    "references": "references reference target label answer gold ground_truth expected answer "
    "эталон эталоны",
}
SCORES = (
    "score acc correct is_correct rating reward accuracy exact_match em f1 bleu chrf rougel "
    "оценка балл баллы"
)

Mapped = dict[str, Field]
Rows = Iterator[tuple[str, dict[str, Any]]]


def parsed(mapping: str | None) -> Mapped:
    """`question:prompt,acc:score` as fields by column. Raises 422 for what is no field."""
    return mappings.parsed(
        mapping, FIELDS, example="question:prompt", meanings=MEANINGS, many=SEVERAL
    )


def rows(contents: Contents, name: str, format_: str) -> Rows:
    """The rows of a file, each with its place."""
    if format_ == "jsonl":
        yield from contents.lines(name)
        return
    if format_ == "json":
        document = contents.document(name)
        if isinstance(document, dict):  # {"samples": […]}
            document = next((one for one in document.values() if isinstance(one, list)), None)
        if not isinstance(document, list):
            raise runs.wrong(name, "has to be a list of objects")
        for at, row in enumerate(document):
            if not isinstance(row, dict):
                raise runs.wrong(f"{name}[{at}]", "has to be an object")
            yield f"{name}[{at}]", row
        return
    with contents.open(name) as source:
        if format_ == "parquet":
            _, found = arrow.parquet(contents.whole)
        else:
            _, found = files.table(source)
        for at, row in enumerate(found):
            yield f"{name} row {at + 1}", row


def held(rows: Rows) -> Rows:
    """The rows. Raises 413 once they are more than is held in memory."""
    size = 0  # characters: a few bytes of Parquet may stand for gigabytes
    for where, row in rows:
        size += sum(len(str(value)) for value in row.values())
        if size > runs.MOST_BYTES:
            message = f"the rows hold over {runs.MOST_BYTES} bytes, the most that an import may"
            raise ApiError(413, "file_too_large", message)
        yield where, row


def read(table: Rows, mapping: Mapped, name: str, task: str) -> tuple[list[Run], Mapped]:
    """The runs, one for each system, and which column was taken for what."""
    first = list(islice(table, LOOKED_AT))
    if not first:
        raise invalid("unknown_columns", f"{name} has no rows: no column is taken for a score")
    columns = dict.fromkeys(column for _, row in first for column in row)
    mappings.check_columns(mapping, columns)
    fields = {column: mapping.get(column) or "ignore" for column in columns}
    if not mapping:
        fields = _guessed({one: [row.get(one) for _, row in first] for one in columns})
    if "score" not in fields.values():
        shown = "".join(f"{column}:{field}," for column, field in fields.items())
        message = f"no column is taken for a score: say which is, as mapping={shown[:500]}"
        raise invalid("unknown_columns", f"{message}COLUMN:score", "mapping")
    found: dict[str | None, Run] = {}
    for where, row in held(chain(first, table)):
        _add(found, row, where, fields, task)
    return list(found.values()), fields


def _guessed(columns: Mapping[str, list[Any]]) -> Mapped:
    """By the columns' names, and by what they hold: numbers are scores, short texts metadata."""
    fields = mappings.by_names(columns, NAMES, {})
    if "output" not in fields.values():  # beside a label, an answer is the system's
        said = [one for one in columns if plain(one) in {"answer", "answers"} and one not in fields]
        fields |= dict.fromkeys(said[:1], "output")
    scores = {plain(one) for one in SCORES.split()}
    for column, values in columns.items():
        if column in fields:
            continue
        known = [value for value in values if value not in (None, "")]
        numeric = bool(known) and all(_numeric(value) for value in known)
        named = any(plain(column).startswith(one) or plain(column).endswith(one) for one in scores)
        short = all(isinstance(value, str) and len(value) <= 200 for value in known)
        if numeric:
            fields[column] = "score" if named or not _counts(known) else "metadata"
        else:
            fields[column] = "metadata" if known and short else "ignore"
    if "score" not in fields.values():
        numbers = [
            one for one in columns if fields[one] == "metadata" and _all_numeric(columns[one])
        ]
        fields |= dict.fromkeys(numbers[:1] if len(numbers) == 1 else [], "score")
    return {column: fields[column] for column in columns}


def _all_numeric(values: list[Any]) -> bool:
    return all(_numeric(value) for value in values if value not in (None, ""))


def _numeric(value: object) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return value.casefold() in {"true", "false"}
        return True
    return runs.is_number(value)


def _counts(values: list[Any]) -> bool:
    """Whether they are whole numbers above 1: a year, a number of tokens."""
    whole = [str(value) for value in values]
    return all(one.lstrip("-").isdigit() for one in whole) and any(
        int(one[:18]) > 1 for one in whole
    )


def _add(
    found: dict[str | None, Run],
    row: Mapping[str, Any],
    where: str,
    fields: Mapped,
    task: str,
) -> None:
    named = {field: row.get(column) for column, field in fields.items() if field in ONCE}
    given = named.get("system")
    system = None if given in (None, "") else runs.name(given, where, "system")
    run = found.setdefault(system, Run(HARNESS, task, system))
    id = named.get("id")
    sample = Sample(
        id=runs.name(id, where, "id") if id not in (None, "") else str(len(run.samples) + 1),
        where=where,
        prompt=None if named.get("prompt") is None else runs.text(named["prompt"]),
        references=_texts(named.get("references")),
        outputs=_texts(named.get("output")),
        metadata=runs.metadata(
            {
                column: value.isoformat() if isinstance(value, date) else value
                for column, value in row.items()
                if fields.get(column) == "metadata"
            }
        ),
    )
    for column, field in fields.items():
        if field == "score":
            label = runs.name(column, where, "column")
            run.scores.setdefault(label, Score(label))
            given = _listed(row.get(column), where, column, len(sample.outputs))
            sample.values[label] = [
                run.value(label, _read(one, where, column), where, column) for one in given
            ]
    run.samples.append(sample)


def _texts(value: Any) -> list[str]:
    if value in (None, ""):
        return []
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [runs.text(value)]
    return [runs.text(one) for one in (value if isinstance(value, list) else [value])]


def _listed(value: Any, where: str, column: str, outputs: int) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    if len(value) != outputs:
        raise runs.wrong(where, f"{column} has {len(value)} values for {outputs} outputs")
    return value


def _read(value: Any, where: str, column: str) -> Any:
    """A number that a CSV has as text."""
    if not isinstance(value, str):
        return value
    word = value.strip().casefold()
    if word in {"", "nan", "na", "n/a", "null", "none"}:
        return None
    if word in {"true", "false"}:
        return word == "true"
    try:
        return float(word)
    except ValueError:
        raise runs.wrong(where, f"{column} is {value[:40]!r}, and has to be a number") from None
