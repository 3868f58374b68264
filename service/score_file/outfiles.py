"""Files that the command writes beside its answer."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from inference.errors import InputError


def check(option: str, path: Path, endings: Collection[str], inputs: Sequence[Path]) -> None:
    """Raises InputError where the file could not be written, or is one of the inputs, before
    anything is measured."""
    if path.suffix.lower() not in endings:
        known = ", ".join(endings)
        raise InputError(f"{option}: {path} ends with none of {known}: that says what is written")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{option}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise InputError(f"{option}: {path} cannot be written: choose another place")
    if path.is_dir() or any(
        path.exists() and one.exists() and path.samefile(one) for one in inputs
    ):
        raise InputError(f"{option}: {path} would be written over")


def write(option: str, path: Path, content: bytes) -> None:
    """Raises InputError where it cannot be."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"{option}: {path}: {error.strerror or error}") from error
