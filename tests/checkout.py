"""What the checkout holds, as git and the file system know it: no list of ours is written down."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def files() -> list[Path]:
    """Every file that git tracks or would add, relative to ROOT."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = sorted({Path(name) for name in listed.stdout.split("\0") if name})
    return [path for path in paths if (ROOT / path).is_file()]


def folders() -> set[str]:
    """The top-level folders that hold Python files of ours."""
    return {path.parts[0] for path in files() if path.suffix == ".py" and len(path.parts) > 1}
