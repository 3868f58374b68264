"""Jinja templates over records, rendered apart: no template takes this process's time or memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.errors import InputError
from inference.protocols.conversation import Record, last_question

SECONDS = 1.0  # that one text may take
LONGEST = 1_000_000  # characters of one text
WHOLE_SECONDS = 150.0
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
    blank = {"references": [], "metadata": {}}
    return blank | dict(record) | asked


def render(template: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The text of each row. Raises TemplateFault, for the first row that cannot be rendered too."""
    request = {
        "template": template,
        "rows": [dict(row) for row in rows],
        "seconds": SECONDS,
        "longest": LONGEST,
    }
    command = [sys.executable, "-I", str(RENDERING)]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            env={},
            timeout=WHOLE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TemplateFault("the template takes too long") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:  # killed for its memory or time
        raise TemplateFault("the template takes too much memory or time") from None
    if "texts" in answer:
        return [str(text) for text in answer["texts"]]
    message = f"the template {_told(str(answer['error']))}"
    raise TemplateFault(message, None if answer["row"] < 0 else int(answer["row"]))


def _told(error: str) -> str:
    shown = error if len(error) <= LONGEST_ERROR else error[:LONGEST_ERROR] + "…"
    return shown if shown.startswith(("makes", "takes")) else f"is wrong: {shown}"
