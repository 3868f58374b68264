"""An uploaded file as the files in it: a zip, a tar, or itself. Nothing is unpacked to a disk."""

from __future__ import annotations

import gzip
import json
import tarfile
import zipfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from service.errors import ApiError, invalid
from service.http.json_reader import Reader
from service.http.received import SPOOLED
from service.imports.runs import MOST_BYTES
from service.settings import Settings

Opened = AbstractContextManager[IO[bytes]]

MOST_FILES = 10_000
LONGEST_LINE = 64 * 1024**2  # bytes
LARGEST_DOCUMENT = 256 * 1024**2  # bytes of a JSON file that is read as a whole
PIECE = 1 << 20
FORBIDDEN = frozenset("\\\0")  # in names
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError),
    *(NotImplementedError, RuntimeError),  # zips that are packed otherwise, or encrypted
)


def unreadable(message: str, param: str | None = None) -> ApiError:
    """422: the file is not what it is said to be."""
    return ApiError(422, "unreadable_file", message, param)


class Contents:
    """Files by name, read one at a time.

    whole  the upload itself, for readers that want a file
    """

    def __init__(self, whole: IO[bytes], openers: Mapping[str, Callable[[], Opened]]) -> None:
        self.whole = whole
        self._openers = dict(openers)

    @property
    def names(self) -> list[str]:
        """The names of the files, sorted."""
        return sorted(self._openers)

    def open(self, name: str) -> Opened:
        """A file, to be read from its beginning."""
        try:
            return self._openers[name]()
        except BROKEN as error:
            raise unreadable(f"{name}: {error}", name) from None

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of a file."""
        with self.open(name) as source:
            return _read(source, size, name)

    def document(self, name: str) -> Any:
        """A JSON file. Raises 422 where it is none, 413 where it is too large to read at once."""
        with self.open(name) as source:
            content = _read(source, LARGEST_DOCUMENT + 1, name)
        if len(content) > LARGEST_DOCUMENT:
            message = f"{name} has over {LARGEST_DOCUMENT} bytes, the most that is read at once"
            raise ApiError(413, "file_too_large", message, name)
        return parsed(content.removeprefix(BOM_UTF8), name)

    def lines(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The objects of a JSON Lines file, each with its place, as `samples.jsonl line 3`."""
        with self.open(name) as source:
            number = 0
            while True:
                line = _line(source, name)
                if not line:
                    return
                number += 1
                if number == 1:
                    line = line.removeprefix(BOM_UTF8)
                if not line.strip():
                    continue
                where = f"{name} line {number}"
                value = parsed(line, where)
                if not isinstance(value, dict):
                    raise unreadable(f"{where} is not a JSON object", where)
                yield where, value


def parsed(content: bytes, where: str) -> Any:
    """The JSON in `content`; NaN and Infinity are read, since harnesses write them."""
    try:
        return Reader(content.decode()).whole()
    except UnicodeDecodeError:
        raise unreadable(f"{where} is not UTF-8: save the file as UTF-8", where) from None
    except json.JSONDecodeError as error:
        raise unreadable(f"{where} is not valid JSON: {error.msg}", where) from None
    except (ValueError, RecursionError):  # a number of 5,000 digits, a thousand brackets
        raise unreadable(f"{where} cannot be parsed", where) from None


def uploaded(upload: IO[bytes], name: str, settings: Settings) -> Contents:
    """The files in an upload that is at its end. Raises 422 for an empty one, 413 for a large one,
    and what `opened` does."""
    if not upload.tell():
        raise invalid("empty_file", "the file is empty")
    most = min(settings.max_upload_decoded_bytes, MOST_BYTES)
    if upload.tell() > most:
        message = f"the file has over {most} bytes, the most that an import may"
        raise ApiError(413, "file_too_large", message)
    return opened(upload, name, most)


def opened(upload: IO[bytes], name: str, most_bytes: int) -> Contents:
    """The files in an upload.

    name        of the upload itself, where it is one file
    most_bytes  of all files in it together, unpacked

    Raises 422 for archives with anything but plain files below one folder, 413 for large ones.
    """
    upload.seek(0)
    head = upload.read(512)
    upload.seek(0)
    try:
        if head[:2] == b"\x1f\x8b":
            return opened(_inflated(upload, most_bytes), name.removesuffix(".gz"), most_bytes)
        if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:  # of an empty one, its end
            return Contents(upload, _zipped(upload, most_bytes))
        if head[257:262] == b"ustar":
            return Contents(upload, _tarred(upload, most_bytes))
    except BROKEN as error:
        raise unreadable(f"the archive cannot be read: {error}") from None

    def itself() -> Opened:
        upload.seek(0)
        return nullcontext(upload)  # more may be read of it: it stays open

    return Contents(upload, {name: itself})


def _zipped(upload: IO[bytes], most_bytes: int) -> dict[str, Callable[[], Opened]]:
    archive = zipfile.ZipFile(upload)
    found: dict[str, Callable[[], Opened]] = {}
    total = 0
    for info in archive.infolist():
        if info.is_dir():
            continue
        if info.external_attr >> 28 not in {0, 8}:  # of a Unix mode: a plain file, or unsaid
            raise unreadable(f"{info.filename!r} is not a plain file")
        total += info.file_size
        _admit(found, info.filename, total, most_bytes)
        found[info.filename] = partial(archive.open, info)
    return found


def _tarred(upload: IO[bytes], most_bytes: int) -> dict[str, Callable[[], Opened]]:
    archive = tarfile.open(fileobj=upload, mode="r:")  # noqa: SIM115 (read as files are asked for)
    found: dict[str, Callable[[], Opened]] = {}
    total = 0
    for member in archive:
        if member.isdir():
            continue
        if not member.isfile():
            raise unreadable(f"{member.name!r} is not a plain file")
        total += member.size
        _admit(found, member.name, total, most_bytes)
        found[member.name] = partial(_member, archive, member)
    return found


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Opened:
    """A file of a tar, to be read. Raises 422 for what has no content of its own."""
    source = archive.extractfile(member)
    if source is None:
        raise unreadable(f"{member.name!r} is not a plain file", member.name)
    return source


def _admit(found: Mapping[str, object], name: str, total: int, most_bytes: int) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or FORBIDDEN & set(name):
        raise unreadable(f"{name!r} leads out of the archive")
    if name in found:
        raise unreadable(f"{name!r} is in the archive twice")
    if len(found) >= MOST_FILES:
        raise ApiError(413, "file_too_large", f"the archive holds over {MOST_FILES} files")
    if total > most_bytes:
        raise _too_large(most_bytes)


def _inflated(upload: IO[bytes], most_bytes: int) -> IO[bytes]:
    """What is gzipped, in a file of its own. Raises 413 as soon as it is too large."""
    found: IO[bytes] = SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115 (as long as the upload)
    with gzip.GzipFile(fileobj=upload, mode="rb") as source:
        while piece := source.read(PIECE):
            found.write(piece)
            if found.tell() > most_bytes:
                raise _too_large(most_bytes)
    return found


def _too_large(most_bytes: int) -> ApiError:
    message = (
        f"the files in it hold over {most_bytes} bytes: more is not held in memory, or the limit "
        "that ASSAY_MAX_UPLOAD_DECODED_BYTES sets"
    )
    return ApiError(413, "file_too_large", message)


def _read(source: IO[bytes], size: int, name: str) -> bytes:
    try:
        return source.read(size)
    except BROKEN as error:
        raise unreadable(f"{name} cannot be unpacked: {error}", name) from None


def _line(source: IO[bytes], name: str) -> bytes:
    try:
        line = source.readline(LONGEST_LINE + 1)
    except BROKEN as error:
        raise unreadable(f"{name} cannot be unpacked: {error}", name) from None
    if len(line) > LONGEST_LINE:
        message = f"{name}: a line has over {LONGEST_LINE} bytes, the most that one may have"
        raise ApiError(413, "line_too_long", message, name)
    return line
