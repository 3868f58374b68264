"""Open connections to one server, each used by one request at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore
import httpx

from inference.remote.address import CONNECTIONS_KEPT_S, CheckedBackend, ssl_context


class Connections:
    """The connection used last is used next: it is likeliest to be open still.

    A pool of httpcore's looks through all of its connections for every request, which takes longer
    than a request where there are 64.

    url  of what is asked: requests go to paths below it
    """

    def __init__(self, url: str, private: bool, connect_s: float) -> None:
        parts = httpx.URL(url)
        self.base = parts.raw_path.rstrip(b"/")
        self.host = parts.netloc
        self._url = httpcore.URL(
            scheme=parts.raw_scheme, host=parts.raw_host, port=parts.port, target=b"/"
        )
        self._backend = CheckedBackend(private)
        self._extensions = {"timeout": {"connect": connect_s}}
        self._free: list[httpcore.AsyncHTTPConnection] = []

    async def close(self) -> None:
        """Close those that are not in use."""
        while self._free:
            await self._free.pop().aclose()

    @asynccontextmanager
    async def post(
        self, path: str, headers: list[tuple[bytes, bytes]], data: bytes
    ) -> AsyncIterator[httpcore.Response]:
        """The answer to a POST, whose body is yet to be read. Raises what httpcore does."""
        connection = await self._connection()
        url = httpcore.URL(
            scheme=self._url.scheme,
            host=self._url.host,
            port=self._url.port,
            target=self.base + path.encode(),
        )
        length = (b"content-length", str(len(data)).encode())
        request = httpcore.Request(
            "POST",
            url,
            headers=[(b"host", self.host), length, *headers],
            content=data,
            extensions=self._extensions,
        )
        try:
            response = await connection.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            if connection.is_idle():
                self._free.append(connection)
            elif not connection.is_closed():
                await connection.aclose()

    async def _connection(self) -> httpcore.AsyncHTTPConnection:
        while self._free:
            connection = self._free.pop()
            if connection.is_idle() and not connection.has_expired():
                return connection
            await connection.aclose()
        https = self._url.scheme == b"https"
        return httpcore.AsyncHTTPConnection(
            self._url.origin,
            ssl_context=ssl_context() if https else None,
            keepalive_expiry=CONNECTIONS_KEPT_S,
            network_backend=self._backend,
        )
