"""`assay import FILE`: an archive or another harness's log, sent to a service that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    from rich.console import Console

HEAD = 64  # bytes that tell what a file is

Query = Mapping[str, str | bool | list[str] | None]


class ImportFailed(Exception):
    """The service did not take the file; the message says why."""


def import_file(client: httpx.Client, path: Path, query: Query) -> dict[str, Any]:
    """The service's answer to the file: an evaluation, of an archive; else what was imported.

    client  speaks to the service
    query   the request's other parameters; None is left out

    Raises ImportFailed.
    """
    import httpx

    given = {name: value for name, value in query.items() if value not in (None, [], False)}
    try:
        with path.open("rb") as content:
            archived = _is_archive(content.read(HEAD))
            content.seek(0)
            _check(path, archived, given)
            answer = client.post(
                "/v1/archives" if archived else "/v1/imports",
                params=given if archived else {"file": path.name, **given},
                headers={"content-type": f"application/{'zip' if archived else 'octet-stream'}"},
                content=iter(lambda: content.read(1 << 20), b""),
            )
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror or error}") from None
    except httpx.RequestError as error:
        message = f"no service answers at {client.base_url}: {error}; `assay serve` starts one"
        raise ImportFailed(message) from None
    try:
        found: dict[str, Any] = answer.json()
    except ValueError:
        raise ImportFailed(f"{client.base_url} is no service: {answer.text[:200]}") from None
    if not answer.is_success:
        problem = found.get("error", {})
        raise ImportFailed(str(problem.get("message", answer.text[:500])))
    return found


def _is_archive(head: bytes) -> bool:
    """Whether a zip begins as archives do, with their records: logs of others are zips, too."""
    return head.startswith(b"PK\3\4") and head[30:43] == b"records.jsonl"


def _check(path: Path, archived: bool, given: Mapping[str, object]) -> None:
    """Raises ImportFailed for options that archives do not have."""
    unknown = sorted(set(given) - {"dataset"}) if archived else []
    if unknown:
        told = ", ".join(unknown)
        raise ImportFailed(f"{path} is an archive, which says that itself: leave out {told}")


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print what was imported, or would be: a line for each score."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None)
    for head in ("system", "dataset", "score", "value", "n", "from", "evaluation"):
        table.add_column(head, justify="right" if head in {"value", "n"} else "left")
    for one in found["evaluations"]:
        for score in one["scores"]:
            value = "-" if score["value"] is None else f"{score['value']:.4g}"
            cells = (one["system"], one["dataset"], score["name"], value, str(score["n"]))
            id = one["evaluation"] or "(dry run)"
            table.add_row(*map(escape, (*cells, score["kind"], id)))
    console.print(table)
    if found["mapping"]:
        pairs = ",".join(f"{column}:{field}" for column, field in found["mapping"].items())
        console.print(f"columns, as --mapping says it: {escape(pairs)}", soft_wrap=True)
    for one in found["evaluations"]:
        for warning in one["warnings"]:
            console.print(f"{escape(one['task'])}: {escape(warning)}", soft_wrap=True)
