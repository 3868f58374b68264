"""Answers that are read piece by piece: lists, events, the files of a checkpoint."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from assay.errors import AssayError
from assay.exchange import Query, Request, Script, ask, get
from assay.files import OnProgress, UnsafeArchive, unpack
from assay.models import Event, Page, Progress

T = TypeVar("T")

MOST = 1000  # items that the service puts on a page
SILENCE = 60.0  # seconds; the service sends a sign of life four times as often
RESUME = (
    "resume"  # the last event of a stream that the service ends before there is nothing to tell
)


class Listing(Generic[T]):
    """A list that is fetched page by page."""

    def __init__(
        self,
        page: type[Page[T]],
        root: str,
        *names: str,
        query: Query | None = None,
        limit: int | None = None,
        page_size: int = 100,
    ) -> None:
        self._page = page
        self._root = root
        self._names = names
        self._query = dict(query or {})
        self._left = limit
        self._page_size = page_size
        self.finished = limit == 0

    def next_page(self) -> Script[list[T]]:
        """The items of the next page; `finished` says whether it is the last."""
        size = self._page_size if self._left is None else min(self._page_size, self._left)
        query = self._query | {"limit": size}
        page = yield from ask(get(self._root, *self._names, query=query), self._page)
        if self._left is not None:
            self._left -= len(page.data)
        self._query["after"] = page.last_id
        self.finished = not page.has_more or self._left == 0
        return page.data


class EventStream:
    """Server-sent events of an evaluation or a training job; a broken stream resumes by their ids.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    def __init__(self, root: str, *names: str, after: int = 0) -> None:
        self._root = root
        self._names = names
        self._after = after
        self._url = ""
        self._unread = b""
        self._fields: dict[str, str] = {}
        self.finished = True

    @property
    def position(self) -> int:
        """The id of the last event."""
        return self._after

    def start(self) -> Request:
        """The request for all events after the last one read."""
        self._unread, self._fields, self.finished = b"", {}, True
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self._after)}
        request = get(self._root, *self._names, headers=headers, patience=SILENCE)
        return replace(request, lively=True)

    def opened(self, url: str, headers: Mapping[str, str]) -> None:
        """The stream from `url` begins. Raises AssayError where it is none."""
        self._url = url
        kind = headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            raise self._unreadable(f"of type {kind!r}")

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that the piece completes."""
        # lines end with a line feed only: JSON may hold what `splitlines` takes for an end (U+2028)
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            event = self._read(line.decode().removesuffix("\r"))
            if event is not None and event.type == RESUME:
                self.finished = False
            elif event is not None:
                self._after = event.id or self._after
                yield event

    def _read(self, line: str) -> Event | None:
        """The event, if this is the empty line that ends one."""
        if line:
            name, _, value = line.partition(":")
            self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if "event" not in fields:  # nothing, or comments alone
            return None
        try:
            number = int(fields["id"]) if "id" in fields else None
            return Event(id=number, type=fields["event"], data=json.loads(fields.get("data", "")))
        except ValueError as error:
            raise self._unreadable(str(error)) from error

    def _unreadable(self, reason: str) -> AssayError:
        message = f"this is no event stream of the service: {reason}"
        return AssayError(message, code="unreadable_answer", method="GET", url=self._url)


class Download:
    """A tar of files on its way into a new folder, which appears when all of it has come.

    A context manager: what was not finished leaves nothing behind.
    """

    position = 0  # a broken download begins anew
    finished = True  # once its answer has ended

    def __init__(
        self, request: Request, folder: str | Path, progress: OnProgress | None = None
    ) -> None:
        self._request = request
        self._folder = Path(folder)
        self._progress = progress
        self._url = ""
        self._total = 0

    def __enter__(self) -> Self:
        """Make room beside the folder. Raises FileExistsError where the folder holds something."""
        if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            raise FileExistsError(f"{self._folder} exists and is not an empty folder")
        self._make_room()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._room.cleanup()

    def _make_room(self) -> None:
        parent = self._folder.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        self._room = tempfile.TemporaryDirectory(prefix=".assay-", dir=parent)
        self._file = Path(self._room.name, "received").open("wb")  # noqa: SIM115

    def start(self) -> Request:
        """The request for all of it."""
        self._file.seek(0)
        self._file.truncate()
        return self._request

    def opened(self, url: str, headers: Mapping[str, str]) -> None:
        """The tar from `url` begins; its size is in the headers."""
        self._url, self._total = url, int(headers.get("content-length", 0))

    def feed(self, chunk: bytes) -> tuple[()]:
        """Write the piece, and report how many bytes there are."""
        self._file.write(chunk)
        if self._progress is not None:
            self._progress(Progress(done=self._file.tell(), total=self._total))
        return ()

    def finish(self) -> Path:
        """Unpack the tar into the folder, and return it. Raises AssayError for an unsafe one."""
        self._file.close()
        files = Path(self._room.name, "files")
        try:
            unpack(Path(self._file.name), files)
        except (UnsafeArchive, tarfile.TarError) as error:
            message = f"nothing was unpacked: {error}"
            raise AssayError(message, code="unsafe_archive", method="GET", url=self._url) from error
        files.replace(self._folder)
        return self._folder


class FileDownload(Download):
    """One file on its way, which replaces what its path holds once all of it has come."""

    def __enter__(self) -> Self:
        """Make room beside the file. Raises IsADirectoryError where the path is a folder."""
        if self._folder.is_dir():
            raise IsADirectoryError(f"{self._folder} is a folder: name a file")
        self._make_room()
        return self

    def finish(self) -> Path:
        """Put the file where it belongs, and return its path. Raises AssayError where the answer
        was shorter than announced."""
        received = self._file.tell()
        self._file.close()
        if self._total and received != self._total:
            message = f"{received} of {self._total} bytes came"
            raise AssayError(message, code="incomplete_answer", method="GET", url=self._url)
        Path(self._file.name).replace(self._folder)
        return self._folder
