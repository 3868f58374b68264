"""Rows of columnar files: Parquet, Arrow, and folders of Arrow as `Dataset.save_to_disk` makes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from io import SEEK_END
from itertools import chain
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from service.errors import ApiError

if TYPE_CHECKING:
    from pyarrow import RecordBatch

Table = tuple[list[str], Iterator[dict[str, Any]]]  # names of the columns, rows by them

# what a value cannot become raises these: a date of Python's, a time zone, a text
WRONG = (ValueError, OverflowError, LookupError, OSError)

FILE_MARK = b"ARROW1\0\0"  # a file is this, the stream, and a footer that ends with ARROW1
END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream; before Arrow 0.15, four zeros
SCHEMA, DICTIONARY, BATCH = 1, 2, 3  # kinds of messages


def unreadable(message: str) -> ApiError:
    """422: the file is not what it is said to be."""
    return ApiError(422, "unreadable_file", message)


def parquet(source: IO[bytes]) -> Table:
    """Row by row, texts as places in dictionaries until then: a page of a few bytes may stand for
    gigabytes of rows."""
    import pyarrow
    from pyarrow import parquet as format_

    wrong = (pyarrow.ArrowException, *WRONG)

    def read() -> Iterator[dict[str, Any]]:
        try:
            for batch in file.iter_batches(1024):
                yield from _rows(batch)
        except wrong as error:
            raise unreadable(f"not valid Parquet: {error}") from None

    try:
        schema = format_.ParquetFile(source).schema
        leaves = [schema.column(at) for at in range(len(schema))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        source.seek(0)
        file = format_.ParquetFile(source, read_dictionary=texts)
        return list(file.schema_arrow.names), read()
    except wrong as error:
        raise unreadable(f"not valid Parquet: {error}") from None


def stream(source: IO[bytes]) -> Table:
    """Of Arrow's IPC format, a stream or a file. Compressed buffers are refused: some bytes of them
    may stand for gigabytes, and nothing says so before they are there."""
    import pyarrow
    from pyarrow import ipc

    wrong = (pyarrow.ArrowException, *WRONG)
    start = 8 if source.read(8) == FILE_MARK else 0

    def read() -> Iterator[dict[str, Any]]:
        try:
            for batch in reader:
                yield from _rows(batch)
        except wrong as error:
            raise unreadable(f"not valid Arrow: {error}") from None

    try:
        source.seek(start)
        end = start  # of the last message
        for message in ipc.MessageReader.open_stream(source):
            if _compressed(message.metadata.to_pybytes()):
                raise unreadable("its buffers are compressed: write it without, or as Parquet")
            end = source.tell()
        _check_end(source, end, is_file=start > 0)
        source.seek(start)
        reader = ipc.open_stream(source)
        return list(reader.schema.names), read()
    except wrong as error:
        raise unreadable(f"not valid Arrow: {error}") from None


def _check_end(source: IO[bytes], end: int, *, is_file: bool) -> None:
    """Raises 422 where the mark of the end, or a file's footer, does not follow the messages."""
    source.seek(end)
    tail = source.read(len(END))
    if tail != END and tail[:4] != bytes(4):
        raise unreadable("the file is cut off: Arrow's mark of a stream's end is missing")
    if is_file:
        source.seek(-6, SEEK_END)
        if source.read() != FILE_MARK[:6]:
            raise unreadable("the file is cut off: the footer of an Arrow file is missing")


def folder(source: IO[bytes]) -> Table:
    """Of a tar of a folder that `Dataset.save_to_disk` has made, its shards in order."""
    try:
        archive = tarfile.open(fileobj=source, mode="r:")  # noqa: SIM115 (read as rows are asked for)
        files = sorted(
            (one for one in archive if one.isfile() and one.name.endswith(".arrow")),
            key=lambda one: one.name,
        )
    except (tarfile.TarError, *WRONG) as error:
        raise unreadable(f"not a tar: {error}") from None
    folders = sorted({str(PurePosixPath(one.name).parent) for one in files})
    if len(folders) != 1:
        found = f"there are {', '.join(folders)}" if folders else "there is none"
        raise unreadable(f"a tar holds one folder with .arrow files, a split of a dataset; {found}")
    shards = (stream(_member(archive, one)) for one in files)
    names, rows = next(shards)
    return names, chain(rows, chain.from_iterable(rows for _, rows in shards))


def _member(archive: tarfile.TarFile, file: tarfile.TarInfo) -> IO[bytes]:
    found = archive.extractfile(file)
    if found is None:
        raise unreadable(f"{file.name} is no file")
    return found


def _rows(batch: RecordBatch) -> Iterator[dict[str, Any]]:
    named = list(zip(batch.schema.names, batch.columns, strict=True))
    for index in range(batch.num_rows):
        row = {name: column[index].as_py() for name, column in named}
        yield {name: value for name, value in row.items() if value is not None}


def _compressed(message: bytes) -> bool:
    """Whether a message's head, a flatbuffer, says that its buffers are compressed."""
    root = int.from_bytes(message[:4], "little")
    kind, header = _field(message, root, 1), _field(message, root, 2)
    if kind is None or header is None or message[kind] not in {DICTIONARY, BATCH}:
        return False
    batch = _table(message, header)
    if message[kind] == DICTIONARY:
        inner = _field(message, batch, 1)
        if inner is None:
            return False
        batch = _table(message, inner)
    return _field(message, batch, 3) is not None


def _table(message: bytes, place: int) -> int:
    """Where the table begins that the offset at `place` points to."""
    return place + int.from_bytes(message[place : place + 4], "little")


def _field(message: bytes, table: int, number: int) -> int | None:
    """Where a table's field is; None where it is left out."""
    names = table - int.from_bytes(message[table : table + 4], "little", signed=True)
    size = int.from_bytes(message[names : names + 2], "little")
    at = 4 + 2 * number
    if at + 2 > size:
        return None
    offset = int.from_bytes(message[names + at : names + at + 2], "little")
    return table + offset if offset else None
