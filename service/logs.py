"""Logs: one JSON object a line with the ids of what is being done; secrets are masked.

No text that is logged can begin a line of its own, or move a terminal's cursor: control characters
are written as escapes, and the lines of a traceback are indented.

with bind(request_id="req_…", evaluation_id="eval_…"):
    logging.getLogger(__name__).info("measured", extra={"rows": 2048})
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

from service.settings import Settings

_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default={})  # noqa: B039 (never changed)
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SECRETS = (
    (re.compile(r"(\b\w+://[^\s:/@]*:)[^\s@]{1,200}+(?=@)"), r"\1***"),  # passwords in URLs
    (re.compile(r"(?i)(\b(?:authorization\W{1,4})?bearer\s+)[^\s\"',}]+"), r"\1***"),
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|token|api[-_]?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}]+"
        ),
        r"\1***",
    ),
)
# control characters, and what some readers take for the end of a line; DEL and C1 included
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_INDENT = "  | "  # before each line of a traceback


@contextmanager
def bind(**ids: str | None) -> Iterator[None]:
    """Everything logged inside carries these ids, in this task or thread; None adds nothing."""
    token = _ids.set({**_ids.get(), **{name: value for name, value in ids.items() if value}})
    try:
        yield
    finally:
        _ids.reset(token)


def mask(text: str) -> str:
    """`text` without the passwords, bearer tokens and keys that can be told as such."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def escape(text: str) -> str:
    """`text` on one line: control characters as JSON escapes them, a line feed as `\\u000a`."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def configure(settings: Settings) -> None:
    """Sends every logger of this process to standard error, in the format that is set."""
    as_text = settings.log_format == "text" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    handler = logging.StreamHandler()
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("httpx", "httpcore", "alembic", "procrastinate", "filelock", "urllib3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


class JsonFormatter(logging.Formatter):
    """time (UTC), level, logger, message, the bound ids, `extra` fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one JSON object, on one line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask(record.getMessage()),
        }
        entry |= _ids.get()
        entry |= {name: _masked(value) for name, value in _extra(record).items()}
        if record.exc_info:
            entry["exception"] = mask(self.formatException(record.exc_info))
        return escape(orjson.dumps(entry, default=lambda value: mask(repr(value))).decode())


class TextFormatter(logging.Formatter):
    """12:00:00 info    message  key=value: for people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line for people."""
        clock = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = {**_ids.get(), **_extra(record)}
        tail = "".join(f" {name}={value}" for name, value in fields.items())
        said = escape(f"{record.getMessage()} {tail}".rstrip())
        lines = [f"{clock} {record.levelname.lower():<8}{said}"]
        if record.exc_info:
            trace = self.formatException(record.exc_info).split("\n")
            lines += [_INDENT + escape(line) for line in trace]
        return mask("\n".join(lines))


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _ORDINARY and not name.startswith("_") and name != "color_message"
    }


def _masked(value: object) -> object:
    return mask(value) if isinstance(value, str) else value
