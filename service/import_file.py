"""`assay import FILE`: another harness's log, sent to a service that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    from rich.console import Console

Query = Mapping[str, str | bool | list[str] | None]


class ImportFailed(Exception):
    """The service did not take the file; the message says why."""


def import_file(client: httpx.Client, path: Path, query: Query) -> dict[str, Any]:
    """The service's answer to `POST /v1/imports` with this file. Raises ImportFailed.

    client  speaks to the service
    query   the request's other parameters; None is left out
    """
    import httpx

    given = {name: value for name, value in query.items() if value not in (None, [])}
    headers = {"content-type": "application/octet-stream"}
    try:
        with path.open("rb") as content:
            answer = client.post(
                "/v1/imports",
                params={"file": path.name, **given},
                headers=headers,
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
