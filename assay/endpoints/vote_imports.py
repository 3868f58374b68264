"""Votes from elsewhere: projects made of them, and votes added to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.annotation_models import AnnotationProject, VoteImport
from assay.endpoints.annotation import ROOT
from assay.exchange import Script, address, ask, columns, upload
from assay.files import OnProgress


def import_votes(
    name: str,
    path: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    system: str | None = None,
    form: str | None = None,
    scale: str | None = None,
    labels: Sequence[str] | None = None,
    progress: OnProgress | None = None,
    idempotency_key: str | None = None,
) -> Script[AnnotationProject]:
    """Make a project of votes from elsewhere; the same file again is the same project.

    Args:
        name: of the project.
        path: a log of LMArena, a table (CSV, JSON, JSONL, Parquet) of votes, Label Studio's JSON,
            or votes of a service.
        mapping: what columns are: `{"left": "output_a", "verdict": "winner"}`.
        system: whose outputs these are, where no column has it.
        form: pairwise, likert, label or best_worst; default: as the columns say.
        scale: of ratings: `1,5`, or `helpfulness:1,5;safe:0,1`; default: a usual one that has room
            for them.
        labels: that there are; default: those of the file.
        progress: called with the bytes sent so far.

    Raises:
        OSError: The file cannot be read.
    """
    query = {
        "name": name,
        "file": Path(path).name,
        "mapping": columns(mapping),
        "system": system,
        "form": form,
        "scale": scale,
        "labels": ",".join(labels) if labels else None,
    }
    request = upload(f"{ROOT}/imports", path, query, progress=progress, key=idempotency_key)
    return ask(request, AnnotationProject)


def add_votes(
    project: str,
    path: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    system: str | None = None,
    beyond_overlap: bool = False,
    progress: OnProgress | None = None,
    idempotency_key: str | None = None,
) -> Script[VoteImport]:
    """Add votes from elsewhere to a project; the same file again adds nothing.

    Args:
        path: votes of a service (`annotation_votes`, as a file), or a file as `import_votes` takes
            it, of the project's form.
        mapping: what columns are: `{"left": "output_a", "verdict": "winner"}`.
        system: whose outputs these are, where no column has it.
        beyond_overlap: votes on an item may be more than the project's overlap.
        progress: called with the bytes sent so far.

    Raises:
        OSError: The file cannot be read.
    """
    query = {
        "file": Path(path).name,
        "mapping": columns(mapping),
        "system": system,
        "beyond_overlap": beyond_overlap,
    }
    where = address(ROOT, project, "imports")
    return ask(upload(where, path, query, progress=progress, key=idempotency_key), VoteImport)
