"""What a training process reports, as lines of JSON in the attempt's events file."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

Type = Literal["series", "event", "checkpoint", "finished", "stopped", "failed"]


class Report(BaseModel):
    """One line.

    series      values at a step: loss, learning_rate, grad_norm, tokens_per_second, reward, kl, …
    event       something worth telling: `name` ("lengths", "warning", …) and `data`
    checkpoint  `data["folder"]` is complete: {"folder", "digest", "due"}
    finished    all steps are done
    stopped     as `control` asked, or by itself for a reason in `data`: `code`, `message`; a
                complete checkpoint of this step has been reported before
    failed      `name` is a code ("diverged", "out_of_memory", "invalid_data", …), `data["message"]`
                says what to do, `data["last_checkpoint"]` the folder to resume from, or None. Of
              several processes each may report its own: the first counts
    """

    model_config = ConfigDict(extra="forbid")

    type: Type
    step: int = 0
    name: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    time: float = 0.0


def by_step(reports: Iterable[Report]) -> dict[int, dict[str, Any]]:
    """The values of all series at each step."""
    found: dict[int, dict[str, Any]] = {}
    for report in reports:
        if report.type == "series":
            found.setdefault(report.step, {}).update(report.data)
    return found


class Reporter:
    """Appends reports; each is one write, so that a reader never sees half of one.

    On a full disk half a line may be written: the next report begins a line of its own.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._torn = False

    def send(self, report: Report) -> None:
        """Append the report, with the time. Raises OSError where the disk is full."""
        line = report.model_copy(update={"time": time.time()}).model_dump()
        data = orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"
        data = b"\n" + data if self._torn else data
        self._torn = True
        if os.write(self._file, data) < len(data):
            raise OSError(errno.ENOSPC, "no space left for a report")
        self._torn = False


class Reader:
    """Reads what has been appended since the last time; an unfinished last line waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def __iter__(self) -> Iterator[Report]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                with suppress(orjson.JSONDecodeError):  # torn
                    yield Report.model_validate(orjson.loads(line))
