"""Which harness wrote a file: by what stands in it, whatever it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from service.errors import ApiError, invalid
from service.imports import every_eval_ever, helm, inspect_logs, lm_eval, lm_eval_samples, tables
from service.imports.contents import Contents, parsed, unreadable
from service.imports.runs import Run
from service.imports.tables import Mapped

Format = Literal["lm_eval", "inspect", "every_eval_ever", "helm", "csv", "json", "jsonl", "parquet"]
TABLES = ("csv", "json", "jsonl", "parquet")


def detected(contents: Contents) -> Format:
    """The format of an upload. Raises 422 where none is recognised."""
    names = contents.names
    if inspect_logs.HEADER & {*names}:
        return "inspect"
    if len(names) == 1:
        return _of_file(contents, names[0])
    for name in names:
        found = _of_member(contents, name)
        if found is not None:
            return found
    shown = ", ".join(names[:5]) or "nothing"
    message = f"the archive holds {shown}: no log of a harness that is known; name its `format`"
    raise invalid("unknown_format", message, "format")


def _of_member(contents: Contents, name: str) -> Format | None:
    """What one of several files says of all of them."""
    if name.endswith(helm.INSTANCES):
        return "helm"
    if name.endswith(".jsonl"):
        return _of_line(_first_line(contents, name))
    if name.endswith(".json"):
        document = contents.document(name)
        return next((format_ for format_, fits in DOCUMENTS.items() if fits(document)), None)
    return None


def _of_line(line: dict[str, object]) -> Format | None:
    if lm_eval_samples.is_sample(line):
        return "lm_eval"
    return "every_eval_ever" if every_eval_ever.is_instance(line) else None


def _of_file(contents: Contents, name: str) -> Format:
    head = contents.head(name, 4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in {b"{", b"["}:
        return "csv"
    line = _first_line(contents, name)
    known_line = _of_line(line)
    if known_line is not None:
        return known_line
    document = None if start == b"{" and _goes_on(contents, name) else contents.document(name)
    for format_, known in DOCUMENTS.items():
        if known(document):
            return format_
    return "jsonl" if document is None or (line and line == document) else "json"


DOCUMENTS: dict[Format, Callable[[object], bool]] = {
    "lm_eval": lm_eval.is_results,
    "every_eval_ever": every_eval_ever.is_record,
    "inspect": inspect_logs.is_log,
    "helm": helm.is_instances,
}


def _first_line(contents: Contents, name: str) -> dict[str, object]:
    """The first line as an object; empty where it is none."""
    with contents.open(name) as source:
        line = source.readline(1 << 24).removeprefix(b"\xef\xbb\xbf")
    try:
        value = parsed(line, name)
    except ApiError:
        return {}
    return value if isinstance(value, dict) else {}


def _goes_on(contents: Contents, name: str) -> bool:
    """Whether a second line follows a first that is an object: JSON Lines."""
    if not _first_line(contents, name):
        return False
    with contents.open(name) as source:
        source.readline()
        return bool(source.readline().strip())


def read(
    contents: Contents, format_: Format, system: str | None, mapping: Mapped, task: str
) -> tuple[list[Run], Mapped | None]:
    """The runs in an upload; of a table, with what its columns were taken for."""
    if format_ in TABLES:
        if len(contents.names) != 1:
            raise unreadable("a table is one file, and this is an archive of several", "format")
        (name,) = contents.names
        return tables.read(tables.rows(contents, name, format_), mapping, name, task)
    if mapping:
        message = f"the fields of {format_} are known: a mapping is for tables"
        raise invalid("invalid_mapping", message, "mapping")
    return list(_logs(contents, format_, system)), None


def _logs(contents: Contents, format_: Format, system: str | None) -> Iterator[Run]:
    if format_ == "lm_eval":
        yield from lm_eval.read(contents, system)
    elif format_ == "every_eval_ever":
        yield from every_eval_ever.read(contents)
    elif format_ == "helm":
        if len(contents.names) == 1 and not contents.names[0].endswith(helm.INSTANCES):
            (name,) = contents.names
            yield helm.single(contents.document(name), name)
        else:
            yield from helm.read(contents)
    else:
        name = contents.names[0] if len(contents.names) == 1 else "log.eval"
        yield from inspect_logs.read(contents, name)
