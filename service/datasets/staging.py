"""Records on their way into the database: checked one by one, kept in a file, counted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

import orjson

from service.datasets.store import Content
from service.errors import ApiError
from service.http.received import SPOOLED
from service.settings import Settings


class Staged:
    """Records, any number of times over, of which one at a time is in memory. Also a context."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Content]:
        self._file.seek(0)
        return map(orjson.loads, self._file)

    def fill(self, records: Iterable[Content], settings: Settings) -> None:
        """Takes all records. Raises 413 as soon as there are too many, or too many bytes."""
        written = 0
        for record in records:
            line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
            written += len(line)
            self._size += 1
            if written > settings.max_upload_decoded_bytes:
                limit, name = settings.max_upload_decoded_bytes, "ASSAY_MAX_UPLOAD_DECODED_BYTES"
                raise _too_large(f"the file's rows hold over {limit} bytes", name)
            if self._size > settings.max_upload_rows:
                limit, name = settings.max_upload_rows, "ASSAY_MAX_UPLOAD_ROWS"
                raise _too_large(f"the file has over {limit} rows", name)
            self._file.write(line)


def _too_large(what: str, setting: str) -> ApiError:
    return ApiError(413, "file_too_large", f"{what}, the limit that {setting} sets")
