"""Files on their way: a dataset to the service, a checkpoint from it."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from assay.models import Progress

CHUNK = 1 << 20  # bytes
FORBIDDEN = frozenset("\\:\0")  # in names: on some systems they lead elsewhere, or nowhere

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file as the body of a request; read anew by every attempt."""

    path: Path
    size: int
    progress: OnProgress | None = None

    def chunks(self) -> Iterator[bytes]:
        """The file, piece by piece; each that was sent is reported in bytes."""
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
                self._report(file.tell())

    async def async_chunks(self) -> AsyncIterator[bytes]:
        """The same, read in a thread."""
        with self.path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk
                self._report(file.tell())

    def _report(self, sent: int) -> None:
        if self.progress is not None:
            self.progress(Progress(done=sent, total=self.size))


class UnsafeArchive(ValueError):
    """An archive holds something other than plain files below one folder; nothing was kept."""


def unpack(tar: Path, folder: Path) -> None:
    """The files of an uncompressed tar, without their topmost folder, in the new folder `folder`.

    Only plain files below that folder are accepted, whatever this Python's tarfile would allow.
    Raises UnsafeArchive.
    """
    folder.mkdir()
    with tarfile.open(tar, "r:") as archive:
        for member in archive:
            if member.isdir():
                continue
            source = archive.extractfile(member) if member.isfile() else None
            if source is None:
                raise UnsafeArchive(f"{member.name!r} is not a plain file")
            with source, _opened(folder.joinpath(*_inside(member.name))) as file:
                shutil.copyfileobj(source, file, CHUNK)


def _opened(target: Path) -> BinaryIO:
    """A new file, with the folders above it. Raises UnsafeArchive where its place is taken."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise UnsafeArchive(f"{target.name!r} or a folder above it is there already") from error


def _inside(name: str) -> tuple[str, ...]:
    """The parts of a member's name below its topmost folder. Raises UnsafeArchive."""
    path = PurePosixPath(name)
    parts = path.parts[1:]
    if path.is_absolute() or not parts or ".." in path.parts or FORBIDDEN & set(name):
        raise UnsafeArchive(f"{name!r} does not lie below one folder")
    return parts
