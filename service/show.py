"""`assay board` and `assay compare`: answers of a running service, in the terminal or as files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from service.figures.table import Table
from service.figures.terminal import screen, show
from service.leaderboards.schemas import ComparisonOut, Leaderboard
from service.leaderboards.tables import board_table, comparison_table
from service.remote import Query, RemoteError, ask

M = TypeVar("M", bound=BaseModel)


def board(url: str, dataset: str, query: Query, form: str, output: Path | None) -> None:
    """Print a board, or write it in another form; `query` as the service takes it. Raises
    RemoteError."""
    _need_form(form, output)
    asked = {**query, "format": _wire(form)}
    content = ask(url, "GET", f"/v1/leaderboards/{quote(dataset)}", asked)
    _put(content, form, output, Leaderboard, board_table)


def compare(
    url: str,
    evaluations: Sequence[str],
    asked: Mapping[str, object],
    form: str,
    output: Path | None,
) -> None:
    """Print a comparison, or write it in another form. What is None of `asked`, the request's
    fields, is left out. Raises RemoteError."""
    _need_form(form, output)
    body: dict[str, object] = {"evaluations": list(evaluations)}
    body |= {name: value for name, value in asked.items() if value is not None}
    content = ask(url, "POST", "/v1/comparisons", {"format": _wire(form)}, body=body)
    _put(content, form, output, ComparisonOut, comparison_table)


def _need_form(form: str, output: Path | None) -> None:
    if form == "table" and output is not None:
        raise RemoteError("--output takes a form to write: name it with --format, as csv")


def _wire(form: str) -> str:
    return "json" if form == "table" else form


def _put(
    content: bytes, form: str, output: Path | None, model: type[M], table: Callable[[M], Table]
) -> None:
    if output is not None:
        try:
            output.write_bytes(content)
        except OSError as error:
            raise RemoteError(f"{output}: {error.strerror}") from None
    elif form == "table":
        try:
            found = model.model_validate_json(content)
        except ValidationError:
            raise RemoteError("the answer is none of this version of Assay") from None
        show(table(found), screen())
    elif form == "parquet" and sys.stdout.isatty():
        raise RemoteError("parquet is no text: name a file with --output, or pipe it")
    else:
        sys.stdout.buffer.write(content if form == "parquet" else content.rstrip(b"\n") + b"\n")
        sys.stdout.flush()
