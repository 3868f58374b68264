"""What training processes print: kept short on the disk, shown without secrets.

Whatever a trainer, a library or a rewarded program writes lands there, so it is text to distrust:
it is shown without control characters, and what looks like a secret is masked.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from service.logs import mask
from service.settings import Settings
from trainers.job.spec import LOG, attempt_folder

MOST = 16 << 20  # bytes of an attempt's file
BEFORE = 8192  # bytes read before what is shown: a secret is known by what stands before it

ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
# control characters but tab and newline, and those that turn the direction of writing
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}")
SECRET = re.compile(r"(?i)token|secret|passw|api_?key")  # names of variables of the environment


def log_file(settings: Settings, job: str, attempt: int) -> Path:
    """Where an attempt's output lies, on the machine that trained."""
    return attempt_folder(settings.data_dir / "training" / job, attempt) / LOG


def trim(path: Path) -> None:
    """Drop the older half of a file beyond MOST. Its writer appends, and goes on at the new end."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size > MOST:
            file.seek(size - MOST // 2)
            kept = file.read()
            file.seek(0)
            file.write(b"(earlier output was dropped)\n" + kept.partition(b"\n")[2])
            file.truncate()


def tail(path: Path, limit: int) -> tuple[str, bool]:
    """The last `limit` characters, and whether there are others before them. Raises OSError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(size - 4 * limit - BEFORE, 0)
        file.seek(start)
        data = file.read(size - start)
    text = plain(data.decode(errors="replace"))
    return text[-limit:], start > 0 or len(text) > limit


def plain(text: str) -> str:
    """Without control characters, lines as a terminal would leave them, and without secrets."""
    lines = ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    drawn = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)  # progress bars
    return _masked(CONTROLS.sub("\ufffd", drawn))


def _masked(text: str) -> str:
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) >= 8:
            text = text.replace(value, "***")
    return HUB_TOKEN.sub("***", mask(text))
