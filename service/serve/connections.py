"""Connections to the API: how many there are, and how long one may keep us waiting.

uvicorn waits for ever for a request's head, and for a reader of an answer: a few hundred clients
that send a byte now and then would hold every file that the process may open. Bodies are
`service.http.middleware`'s, which knows how large they may be.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\n"
    b"connection: close\r\n\r\n"
)


class Connection(H11Protocol):
    """One connection: ended where its client sends no whole head, or reads no answer, in time."""

    most: ClassVar[int]
    seconds: ClassVar[float]
    _head: asyncio.TimerHandle | None = None  # runs while a head is due
    _reader: asyncio.TimerHandle | None = None  # runs while the answer is not read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head, unless there are as many connections as may be."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.write(FULL)
            transport.close()
        else:
            self._head = self.loop.call_later(self.seconds, self._late)

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest of a head where it is none yet."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            _cancel(self._head)
            self._head = None
        elif self._head is None:
            self._head = self.loop.call_later(self.seconds, self._late)

    def pause_writing(self) -> None:
        """The client has not read what was sent."""
        super().pause_writing()
        self._reader = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        super().resume_writing()
        _cancel(self._reader)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        _cancel(self._head)
        _cancel(self._reader)
        super().connection_lost(exc)

    def _late(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(TIMEOUT)
            self.transport.close()


def limited(most: int, seconds: float) -> type[Connection]:
    """The class of connections, for uvicorn: at most `most` at a time, `seconds` of patience."""
    return type("Limited", (Connection,), {"most": most, "seconds": seconds})


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
