"""Notices: "something about this id changed", from any process to any other.

A notice carries an id and nothing else; whoever waits for it reads the database again. One
listening connection per process serves every waiter. When it is lost, it is opened again and
everyone is woken, since nobody can know what was missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import Connection, text

CHANNEL = "assay"
PING = 10.0  # seconds of silence after which the connection is asked whether it lives
RETRY = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds between attempts to connect; the last one repeats

log = logging.getLogger(__name__)


def notify(connection: Connection, id: str) -> None:
    """Wake whoever watches `id`, when the transaction commits; at most 7,999 bytes."""
    connection.execute(
        text("SELECT pg_notify(:channel, :id)"), {"channel": CHANNEL, "id": id}
    ).close()


class Wake:
    """One waiter's flag. Read after `watch` begins and after every `wait`, nothing is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake whoever waits."""
        self._event.set()

    async def wait(self, timeout: float | None = None) -> bool:
        """Whether a notice came within `timeout` seconds; the flag is cleared before you read."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout)
        woken = self._event.is_set()
        self._event.clear()
        return woken


class Notices:
    """`async with Notices(url) as notices:` listens until the block ends."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._wakes: dict[str, set[Wake]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    async def __aenter__(self) -> Notices:
        self._listener = asyncio.create_task(self._listen(), name="notices")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener

    @property
    def listening(self) -> bool:
        """Whether the connection stands; while it does not, waiters live on their timeouts."""
        return self._listening.is_set()

    async def ready(self, timeout: float) -> bool:
        """Waits until the connection stands."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), timeout)
        return self.listening

    @asynccontextmanager
    async def watch(self, id: str) -> AsyncIterator[Wake]:
        """A flag that notices about `id` raise, for as long as the block lasts."""
        wake = Wake()
        self._wakes[id].add(wake)
        try:
            yield wake
        finally:
            self._wakes[id].discard(wake)
            if not self._wakes[id]:
                del self._wakes[id]

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=10, application_name="assay notices"
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    failures = 0
                    self._listening.set()
                    self._wake_all()
                    await self._hear(connection)
            except (psycopg.Error, OSError) as error:
                self._listening.clear()
                if failures == 0:
                    log.warning("notices: connection lost, trying again: %s", error)
                await asyncio.sleep(RETRY[min(failures, len(RETRY) - 1)])
                failures += 1

    async def _hear(self, connection: AsyncConnection[tuple[object, ...]]) -> None:
        while True:
            async for notice in connection.notifies(timeout=PING):
                for wake in self._wakes.get(notice.payload, ()):
                    wake.set()
            await connection.execute(b"SELECT 1")  # a silent connection may be a dead one

    def _wake_all(self) -> None:
        for wakes in self._wakes.values():
            for wake in wakes:
                wake.set()
