"""Results of other harnesses, in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from assay.exchange import Query, Script, ask, columns, get, upload
from assay.files import OnProgress
from assay.import_models import Import
from assay.streams import Download

LogFormat = Literal[
    "lm_eval", "inspect", "every_eval_ever", "helm", "csv", "json", "jsonl", "parquet"
]


def import_results(
    path: str | Path,
    *,
    format: LogFormat | None = None,
    system: str | None = None,
    dataset: str | None = None,
    scores: Sequence[str] | None = None,
    lower_is_better: Sequence[str] | None = None,
    slices: Sequence[str] | None = None,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    progress: OnProgress | None = None,
    idempotency_key: str | None = None,
) -> Script[Import]:
    """Make evaluations of another harness's log, or of a table of scores; a worker closes them.

    Args:
        path: a log, a table (CSV, JSON, JSONL, Parquet), or a tar or zip of several logs.
        format: of the file; default: by what is in it.
        system: whose results they are, where the file does not say it.
        dataset: that gets the samples; default: the harness and its task.
        scores: those to import; default: all.
        lower_is_better: scores of which less is better.
        slices: keys of the metadata by which scores are computed for parts, too.
        mapping: what a table's columns are: `{"question": "prompt", "acc": "score"}`.
        dry_run: only says what would be imported.
        progress: called with the bytes sent so far.

    Raises:
        OSError: The file cannot be read.
    """
    query: Query = {
        "format": format,
        "file": Path(path).name,
        "system": system,
        "dataset": dataset,
        "scores": scores,
        "lower_is_better": lower_is_better,
        "slices": slices,
        "mapping": columns(mapping),
        "dry_run": dry_run,
    }
    request = upload("/v1/imports", path, query, progress=progress, key=idempotency_key)
    return ask(request, Import)


def export_records(
    evaluation: str, folder: str | Path, *, progress: OnProgress | None = None
) -> Download:
    """An evaluation's records of Every Eval Ever, in a new folder.

    Args:
        folder: must not exist, or be empty; it appears when all files have come.
        progress: called with the bytes received so far.

    Raises:
        FileExistsError: The folder holds something.
    """
    request = get("/v1/evaluations", evaluation, "every_eval_ever")
    return Download(request, folder, progress)
