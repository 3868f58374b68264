"""Jinja templates over records, rendered apart: no template takes this process's time or memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.errors import InputError
from inference.protocols.conversation import Record, last_question

SECONDS = 1.0  # that one text may take
LONGEST = 1_000_000  # characters of one text
PIECE_ROWS, PIECE_BYTES = 10_000, 1 << 24  # of one process
PIECE_SECONDS = 150.0
LONGEST_ERROR = 300
RENDERING = Path(__file__).with_name("rendering.py")


class TemplateFault(InputError):
    """The template does not compile, or fails at a row; `row` is None where none can be rendered"""

    code = "invalid_template"

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


def variables(record: Record) -> dict[str, Any]:
    """What a template sees of a record: all its fields; `prompt` of a conversation is its last
    message, `messages` all of them."""
    question = last_question(record)
    asked = {} if question is None else {"prompt": question}
    blank: dict[str, Any] = {"references": [], "metadata": {}}
    return blank | dict(record) | asked


def render(template: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The text of each row. Raises TemplateFault, for the first row that cannot be rendered too."""
    texts: list[str] = []
    for piece in _pieces([json.dumps(dict(row)) for row in rows]):
        texts += _rendered(template, piece, first=len(texts))
    return texts


def _pieces(rows: Sequence[str]) -> Iterator[list[str]]:
    """The rows in pieces that a process has memory and time for."""
    piece: list[str] = []
    size = 0
    for row in rows:
        if piece and (size + len(row) > PIECE_BYTES or len(piece) == PIECE_ROWS):
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += len(row)
    yield piece


def _rendered(template: str, rows: Sequence[str], first: int) -> list[str]:
    options = {"template": template, "seconds": SECONDS, "longest": LONGEST}
    request = f'{json.dumps(options)[:-1]}, "rows": [{", ".join(rows)}]}}'
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(RENDERING)],
            input=request.encode(),
            capture_output=True,
            env={},
            timeout=PIECE_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # killed for its time or memory
        raise TemplateFault("the template takes too much memory or time") from None
    if "texts" in answer:
        return [str(text) for text in answer["texts"]]
    message = f"the template {_told(str(answer['error']))}"
    raise TemplateFault(message, None if answer["row"] < 0 else first + int(answer["row"]))


def _told(error: str) -> str:
    shown = error if len(error) <= LONGEST_ERROR else error[:LONGEST_ERROR] + "…"
    return shown if shown.startswith(("makes", "takes")) else f"is wrong: {shown}"
