"""Archives that another service wrote."""

from __future__ import annotations

from pathlib import Path

import orjson

from metrics.core.archive import Archive
from tests.metrics.core.test_archive import repacked


def from_elsewhere(file: Path, folder: Path) -> Path:
    """The archive as a service of another name would have written it, in the folder."""
    with file.open("rb") as content:
        told = Archive(content).provenance() | {"service": "svc_elsewhere"}
    sent = folder / "elsewhere.zip"
    sent.write_bytes(repacked(file.read_bytes(), "provenance.json", orjson.dumps(told)))
    return sent
