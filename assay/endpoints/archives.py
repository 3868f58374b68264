"""Evaluations that travel: archives, and parts measured again."""

from __future__ import annotations

from pathlib import Path

from assay.archive_models import Audit
from assay.endpoints.evaluations import ROOT
from assay.exchange import Script, ask, get, post, upload, waited
from assay.files import OnProgress
from assay.models import Evaluation
from assay.streams import FileDownload

WRITTEN = 240.0  # seconds within which the service writes an archive


def archive(
    evaluation: str, path: str | Path, *, progress: OnProgress | None = None
) -> FileDownload:
    """All of an evaluation as one file, which `assay verify` checks and `import_archive` loads.

    Args:
        path: of the file, which is replaced once all of it has come.
        progress: called with the bytes received so far.
    """
    request = get(ROOT, evaluation, "archive", patience=WRITTEN)
    return FileDownload(request, path, progress)


def import_archive(
    path: str | Path,
    *,
    dataset: str | None = None,
    progress: OnProgress | None = None,
    idempotency_key: str | None = None,
) -> Script[Evaluation]:
    """Load an archive; the same archive again is the same evaluation.

    Args:
        dataset: a name to store its records under; default: the one they had. Of an archive that
            was loaded before another name is a 409.
        progress: called with the bytes sent so far.

    Raises:
        OSError: The file cannot be read.
    """
    request = upload(
        "/v1/archives",
        path,
        {"dataset": dataset},
        progress=progress,
        key=idempotency_key,
        kind="application/zip",
    )
    return ask(request, Evaluation)


def audit(
    evaluation: str, fraction: float = 0.05, seed: int = 0, *, timeout: float = 120.0
) -> Script[Audit]:
    """Measure a random part of an evaluation again, and compare it with what is stored.

    Args:
        fraction: of the samples.
        seed: of the samples that are drawn.
        timeout: in seconds, for the service's answer; 600 at most.
    """
    body = {"fraction": fraction, "seed": seed}
    request = post(ROOT, evaluation, "audit", body=body)
    return ask(waited(request, max(timeout, 1)), Audit)
