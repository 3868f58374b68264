"""Files of votes: CSV, JSON, JSON Lines and Parquet as LMArena's logs are, and Label Studio's JSON.

Columns are known by their names, or by a mapping: `left:output_a,verdict:winner`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from pydantic import ValidationError

from service.annotation.battles import Battle, fields
from service.datasets import mappings
from service.errors import MOST_ERRORS, ApiError, ErrorDetail, invalid
from service.field_names import told
from service.imports import tables
from service.imports.contents import Contents, unreadable
from service.imports.tables import Rows

LOOKED_AT = 200  # rows, by which columns are known
NAMES = {
    "question": "question question_id sample sample_id item id",
    "prompt": "prompt instruction user_prompt input query question_text",
    "model_a": "model_a system_a model_1 system_1 model_left",
    "model_b": "model_b system_b model_2 system_2 model_right",
    "output_a": "output_a response_a answer_a completion_a conversation_a text_a output_1 "
    "response_1 answer_1 text_1",
    "output_b": "output_b response_b answer_b completion_b conversation_b text_b output_2 "
    "response_2 answer_2 text_2",
    "winner": "winner choice vote preference verdict",
    "winner_a": "winner_a winner_model_a",
    "winner_b": "winner_b winner_model_b",
    "winner_tie": "winner_tie",
    "annotator": "annotator judge judge_hash annotator_id user_id worker evaluation_session_id",
    "comment": "comment reason feedback",
}
NEEDED = ("model_a", "model_b", "winner")


def battles(contents: Contents, mapping: Mapping[str, str]) -> tuple[list[Battle], dict[str, str]]:
    """The votes in an upload, and which columns were taken for what. Raises 422 with the first
    twenty errors by row and column, 413 for more than fits."""
    if len(contents.names) != 1:
        raise unreadable("a log of votes is one file, and this is an archive of several")
    (name,) = contents.names
    rows = _rows(contents, name)
    first = list(islice(rows, LOOKED_AT))
    if not first:
        raise invalid("empty_file", "the file has no rows")
    columns = dict.fromkeys(column for _, row in first for column in row)
    taken = _taken(columns, mapping)
    return list(_checked(chain(first, rows), taken)), taken


def parsed(mapping: str | None) -> dict[str, str]:
    """`left:output_a,verdict:winner` as fields by column. Raises 422 for what is no field."""
    return mappings.parsed(mapping, NAMES, example="left:output_a")


def _rows(contents: Contents, name: str) -> Rows:
    """The rows of the file, each with its place."""
    head = contents.head(name, 4096)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if head.startswith(b"PAR1"):
        return tables.rows(contents, name, "parquet")
    if start == b"{":
        return tables.rows(contents, name, "jsonl")
    if start != b"[":
        return tables.rows(contents, name, "csv")
    return chain.from_iterable(_of_task(*one) for one in tables.rows(contents, name, "json"))


def _of_task(where: str, row: dict[str, Any]) -> Rows:
    """Label Studio's tasks have a row for each annotation; other rows stay as they are."""
    if not isinstance(row.get("annotations"), list) or not isinstance(row.get("data"), dict):
        yield where, row
        return
    for at, one in enumerate(row["annotations"]):
        if not isinstance(one, dict) or one.get("was_cancelled"):
            continue
        by = one.get("completed_by")
        by = by.get("id", by.get("email")) if isinstance(by, dict) else by
        known = {"question": row.get("id"), "annotator": by, "winner": _selected(one)}
        yield f"{where}.annotations[{at}]", row["data"] | known


def _selected(annotation: Mapping[str, Any]) -> object:
    """The side that was selected, of Label Studio's Pairwise; else the first of its Choices."""
    results = annotation.get("result")
    found: object = None
    for one in results if isinstance(results, list) else []:
        value = one.get("value") if isinstance(one, dict) else None
        if not isinstance(value, dict):
            continue
        if value.get("selected") is not None:
            return value["selected"]
        choices = value.get("choices")
        if isinstance(choices, list) and choices and found is None:
            found = choices[0]
    return found


def _taken(columns: Mapping[str, object], mapping: Mapping[str, str]) -> dict[str, str]:
    """Fields by column. Raises 422 where systems or the winner are nowhere."""
    mappings.check_columns(mapping, columns)
    taken = mappings.by_names(columns, NAMES, mapping)
    for field in NEEDED:
        if field not in taken.values() and not (
            field == "winner" and {"winner_a", "winner_b"} <= {*taken.values()}
        ):
            shown = ", ".join(map(repr, islice(columns, 20))) or "none"
            message = f"no column is taken for {field}: there are {shown}; say which it is, as "
            raise invalid("unknown_columns", f"{message}mapping=COLUMN:{field}", "mapping")
    return taken


def _checked(rows: Rows, taken: Mapping[str, str]) -> Iterator[Battle]:
    """Every row, checked. Raises 422 for what is wrong, 413 for more than is held in memory."""
    errors: list[ErrorDetail] = []
    columns = {field: column for column, field in taken.items()}
    for index, (where, row) in enumerate(tables.held(rows)):
        named = fields({field: row[column] for column, field in taken.items() if column in row})
        try:
            yield Battle.model_validate(named)
        except ValidationError as found:
            for one in found.errors(include_url=False):
                field = str(one["loc"][0])
                column = columns.get(field, field)
                message = f"{where}, {column}: {told(one, Battle, one['loc'])}"
                param = f"rows[{index}].{column}"
                errors.append(ErrorDetail(param=param, message=message, code=one["type"]))
            if len(errors) >= MOST_ERRORS:
                break
    if errors:
        shown = "; ".join(one.message for one in errors[:MOST_ERRORS])
        message = f"nothing was stored. {shown}"
        raise ApiError(422, "invalid_rows", message, errors[0].param, errors=errors[:MOST_ERRORS])
