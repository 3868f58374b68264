"""Distributions of other people, which subprocesses find as installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.checkout import ROOT


class Site:
    """A folder that subprocesses import from."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        paths = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))

    def install(self, distribution: str, group: str, points: dict[str, str]) -> None:
        """What an installer writes: the distribution's name and its entry points."""
        metadata = self.folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir(parents=True)  # up to the first "-" is the name
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        lines = [f"{name} = {value}" for name, value in points.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
