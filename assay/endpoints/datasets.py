"""Datasets: what outputs are compared with and models are trained on, versioned by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from assay.exchange import Script, ask, columns, create, get, upload
from assay.files import OnProgress
from assay.models import Dataset, Json, Page
from assay.streams import MOST, Listing

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".tar": "tar",
}

Kind = Literal["eval", "code", "sft", "preference", "labelled", "prompts"]
Format = Literal["jsonl", "csv", "parquet", "arrow", "tar"]


def create_dataset(
    name: str,
    records: Sequence[Mapping[str, object]],
    kind: str = "eval",
    *,
    idempotency_key: str | None = None,
) -> Script[Dataset]:
    """Make a version of a dataset; the same content again is the same version.

    Args:
        kind: `eval`, `code`, `sft`, `preference`, `labelled` or `prompts`; it says what a
            record holds.
    """
    body = {"name": name, "kind": kind, "records": list(records)}
    return ask(create("/v1/datasets", body, idempotency_key), Dataset)


def upload_dataset(
    name: str,
    path: str | Path,
    kind: Kind = "eval",
    *,
    format: Format | None = None,
    mapping: Mapping[str, str] | None = None,
    progress: OnProgress | None = None,
    idempotency_key: str | None = None,
) -> Script[Dataset]:
    """Make a version of a dataset from a file, which is streamed.

    Args:
        format: of the file; default: by its name (.jsonl, .ndjson, .csv,
            .parquet, .arrow, .tar: of a folder that `save_to_disk` has made).
        mapping: fields by the columns that hold them, where the names differ:
            `{"question": "prompt", "answer": "references"}`.
        progress: called with the bytes sent so far.

    Raises:
        ValueError: The file's name does not say its format.
        OSError: The file cannot be read.
    """
    path = Path(path)
    known = format or FORMATS.get(path.suffix.lower())
    if known is None:
        formats = ", ".join(dict.fromkeys(FORMATS.values()))
        message = f"{path.name!r} does not say its format: name one of {formats}"
        raise ValueError(message)
    query = {"name": name, "format": known, "kind": kind, "mapping": columns(mapping)}
    request = upload("/v1/datasets/upload", path, query, progress=progress, key=idempotency_key)
    return ask(request, Dataset)


def dataset(dataset: str) -> Script[Dataset]:
    """One dataset, by id, name or name@version."""
    return ask(get("/v1/datasets", dataset), Dataset)


def datasets(
    *, name: str | None = None, order: str = "desc", limit: int | None = None
) -> Listing[Dataset]:
    """All versions of all datasets, or of those called `name`, newest first."""
    query = {"name": name, "order": order}
    return Listing(Page[Dataset], "/v1/datasets", query=query, limit=limit)


def records(dataset: str, *, limit: int | None = None) -> Listing[Json]:
    """A dataset's records, in its order."""
    return Listing(Page[Json], "/v1/datasets", dataset, "records", limit=limit, page_size=MOST)
