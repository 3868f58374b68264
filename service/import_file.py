"""`assay import FILE`: an archive or another harness's log, sent to a service that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from service.remote import Query, RemoteError, ask, parsed

if TYPE_CHECKING:
    from rich.console import Console

HEAD = 64  # bytes that tell what a file is


def import_file(url: str, path: Path, query: Query) -> dict[str, Any]:
    """The service's answer to the file: an evaluation, of an archive; else what was imported.

    query  the request's parameters; what is None, empty or false is left out

    Raises RemoteError, for a file that cannot be read, too.
    """
    given = {name: value for name, value in query.items() if value}
    name = path.name.encode(errors="replace").decode()  # one of another encoding has surrogates
    try:
        with path.open("rb") as content:
            archived = _is_archive(content.read(HEAD))
            content.seek(0)
            _check(path, archived, given)
            answer = ask(
                url,
                "POST",
                "/v1/archives" if archived else "/v1/imports",
                given if archived else {"file": name, **given},
                headers={"content-type": f"application/{'zip' if archived else 'octet-stream'}"},
                content=iter(lambda: content.read(1 << 20), b""),
            )
    except OSError as error:
        raise RemoteError(f"{path}: {error.strerror or error}") from None
    return parsed(answer, url)


def _is_archive(head: bytes) -> bool:
    """Whether a zip begins as archives do, with their records: logs of others are zips, too."""
    return head.startswith(b"PK\3\4") and head[30:43] == b"records.jsonl"


def _check(path: Path, archived: bool, given: Mapping[str, object]) -> None:
    """Raises RemoteError for options that archives do not have."""
    unknown = sorted(set(given) - {"dataset"}) if archived else []
    if unknown:
        told = ", ".join(unknown)
        raise RemoteError(f"{path} is an archive, which says that itself: leave out {told}")


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print what was imported, or would be: a line for each score. Ids are whole, to be copied.

    console  as `screen` makes it, without markup
    """
    from rich.table import Table

    ids = [one["evaluation"] or "(dry run)" for one in found["evaluations"]]
    table = Table(box=None)
    for head in ("system", "dataset", "score", "value", "n", "from"):
        justify: Literal["left", "right"] = "right" if head in {"value", "n"} else "left"
        table.add_column(head, justify=justify, overflow="fold")
    table.add_column("evaluation", no_wrap=True, min_width=max(map(len, ids), default=0))
    for one, id in zip(found["evaluations"], ids, strict=True):
        for score in one["scores"]:
            value = "-" if score["value"] is None else f"{score['value']:.4g}"
            cells = (one["system"], one["dataset"], score["name"], value, str(score["n"]))
            table.add_row(*cells, score["kind"], id)
    console.print(table)
    if found["mapping"]:
        pairs = ",".join(f"{column}:{field}" for column, field in found["mapping"].items())
        console.print(f"columns, as --mapping says it: {pairs}", soft_wrap=True)
    for one in found["evaluations"]:
        for warning in one["warnings"]:
            console.print(f"{one['task']}: {warning}", soft_wrap=True)
