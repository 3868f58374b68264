"""Questions about texts of users, answered by a process of its own: one that takes too long, or too
much memory, is ended, and the question stays open.

The process runs a file that imports nothing of this package: a line of JSON a question on its
standard input, a line of JSON an answer on its standard output. It ends with its input.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO, Any

START_SECONDS = 60.0  # until the process can be asked: it imports libraries first
LONGEST = 1 << 20  # bytes of an answer
QUESTIONS = 5000  # to one process: what its libraries remember of texts stays bounded


class Bounded:
    """A process that is asked one question at a time: started when there is one, and kept.

    file  what it runs; it writes a line when it is ready
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0
        self._lock = Lock()

    def ask(self, question: object, seconds: float) -> Any:
        """The answer; None where there were not the seconds or the memory for one."""
        with self._lock:
            try:
                if self._process is None or self._asked == QUESTIONS:
                    self._end()
                    self._start()
                self._asked += 1
                return self._answer(json.dumps(question).encode() + b"\n", seconds)
            except (OSError, ValueError):
                self._end()
                return None

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(self._file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8"},
        )
        self._asked = 0
        self._answer(b"", START_SECONDS)

    def _answer(self, question: bytes, seconds: float) -> Any:
        """Raises ValueError where no line comes in time, or one without end."""
        writing, reading = self._pipes()
        writing.write(question)
        writing.flush()
        pipe, until, found = reading.fileno(), time.monotonic() + seconds, b""
        while not found.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
            part = os.read(pipe, 1 << 16) if ready else b""
            found += part
            if not part or len(found) > LONGEST:
                raise ValueError("no answer")
        return json.loads(found)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ValueError("no process")
        return process.stdin, process.stdout

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError), process:  # closes its pipes and waits for its end
                pass
