"""`assay import`: a file sent to a running service, to the route that takes files of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from inference.errors import InputError

HEAD = 64  # bytes that tell what a file is
CHUNK = 1 << 20
PATIENCE = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class Importer:
    """A kind of files and the route that takes them.

    is_one  whether a file is of the kind, by its path and its first HEAD bytes
    """

    kind: str
    is_one: Callable[[Path, bytes], bool]
    route: str
    content_type: str


def _is_archive(path: Path, head: bytes) -> bool:
    """Whether a zip begins as archives do, with their records: logs of others are zips, too."""
    return head.startswith(b"PK\3\4") and head[30:43] == b"records.jsonl"


IMPORTERS = (Importer("archive", _is_archive, "/v1/archives", "application/zip"),)


def send(path: Path, url: str, query: Mapping[str, str | None]) -> dict[str, Any]:
    """The evaluation that the service at `url` made of the file, as JSON.

    Raises InputError for a file of no known kind, and with what the service refused.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    importer = next((one for one in IMPORTERS if one.is_one(path, head)), None)
    if importer is None:
        kinds = ", ".join(one.kind for one in IMPORTERS)
        raise InputError(f"{path} is of no kind that can be imported: {kinds}")
    headers = {
        "content-type": importer.content_type,
        "content-length": str(path.stat().st_size),
    }
    params = {name: value for name, value in query.items() if value is not None}
    try:
        answer = httpx.post(
            url.rstrip("/") + importer.route,
            params=params,
            content=_pieces(path),
            headers=headers,
            timeout=PATIENCE,
        )
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(f"no service answers at {url}: {error}") from error
    except ValueError:
        raise InputError(f"what answers at {url} is no Assay service") from None
    if not answer.is_success:
        message = found.get("error", {}).get("message", f"status {answer.status_code}")
        raise InputError(f"{path} was refused: {message}")
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece
