"""Ask an endpoint: few at a time, again where that helps, never longer or more than is allowed."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NoReturn

import httpcore

from inference.remote import replies
from inference.remote.connections import Connections
from inference.remote.errors import (
    EndpointError,
    KeyRefused,
    ModelRefused,
    QuotaSpent,
    RequestFailed,
    Stopped,
    Unreachable,
)
from inference.remote.hooks import Slots
from inference.remote.registered import Registered

MOST_BYTES = 16 * 1024**2  # of one answer
CONNECT_S = 10.0
AGAIN = {408, 409, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
SPENT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}

BROKEN = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.ConnectionNotAvailable,
)

Fault = Literal["rate", "server", "timeout"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is sent, and how long is waited between: twice as long each time."""

    rate: int = 12  # times, where the server says that it is asked too often
    server: int = 6  # where it fails, cannot be reached, or is cut off
    timeout: int = 2  # where it takes too long: whoever answers too late may charge for it
    first_s: float = 0.5
    longest_s: float = 30.0
    longest_asked_s: float = 300.0  # by Retry-After
    give_up: int = 50  # requests in a row that failed however often they were sent


ONCE = Patience(rate=1, server=1, timeout=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object with status 200."""

    content: Mapping[str, Any]
    latency_s: float  # from sending to the whole answer


class _Again(Exception):
    """The attempt failed in a way that may pass."""

    def __init__(self, fault: Fault, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.fault: Fault = fault
        self.why = why
        self.after = after  # seconds that the server asked us to wait


class RemoteClient:
    """Connections to one registered model; all calls on one event loop.

    requests  sent so far, repetitions included
    """

    def __init__(self, model: Registered, slots: Slots, patience: Patience | None = None) -> None:
        self.model = model
        self.slots = slots
        self.patience = patience or Patience()
        self.requests = 0
        self._paused_until = 0.0
        self._failed_in_a_row = 0
        connect_s = min(CONNECT_S, model.timeout_s)
        self._connections = Connections(model.url, model.private, connect_s)
        self._headers = [
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),  # what is unpacked has no bound
            (b"content-type", b"application/json"),
            (b"user-agent", b"assay"),
        ]
        if model.key is not None:
            key = model.key.get_secret_value()
            self._headers.append((b"authorization", f"Bearer {key}".encode()))

    async def close(self) -> None:
        """Close all connections that are not in use."""
        await self._connections.close()

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        tokens: int = 0,
        key: str | None = None,
        wanted: Callable[[], bool] = lambda: True,
        out: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> Answer:
        """The answer to `body`, a JSON object.

        tokens  what it is expected to take, for limits by the minute
        key     the same for each attempt, for servers that then answer and charge once
        wanted  asked before each attempt
        out     around each attempt

        Raises RequestFailed for this request alone, EndpointError where all others would fail too.
        """
        failed = {"rate": 0, "server": 0, "timeout": 0}
        data = json.dumps(body).encode()
        while True:
            await self._pause(wanted)
            try:
                async with self.slots.slot(self.model, tokens):
                    _go_on(wanted)
                    async with out():
                        answer = await self._attempt(path, data, key)
            except _Again as again:
                failed[again.fault] += 1
                if failed[again.fault] >= getattr(self.patience, again.fault):
                    self._give_up(again, sum(failed.values()))
                await self._wait(again, sum(failed.values()), wanted)
            else:
                self._failed_in_a_row = 0
                return answer

    def _give_up(self, again: _Again, times: int) -> NoReturn:
        said = f"{again.why}; it was asked {times} times" if times > 1 else again.why
        self._failed_in_a_row += again.fault == "server"
        if self._failed_in_a_row >= self.patience.give_up:
            raise Unreachable(
                f"the model {self.model.name!r} has failed {self._failed_in_a_row} requests in a "
                f"row; the last: {said}"
            )
        raise RequestFailed(said, again.fault)

    async def _pause(self, wanted: Callable[[], bool]) -> None:
        """Until the server wants to be asked again, by whichever request it said so."""
        while (left := self._paused_until - time.monotonic()) > 0:
            await _sleep(left * random.uniform(1.0, 1.1), wanted)  # noqa: S311

    async def _wait(self, again: _Again, times: int, wanted: Callable[[], bool]) -> None:
        if again.after is not None:
            if again.after > self.patience.longest_asked_s:
                raise RequestFailed(f"{again.why}; it asks to wait {again.after:.0f} s", "rate")
            self._paused_until = max(self._paused_until, time.monotonic() + again.after)
            return
        longest = min(self.patience.first_s * 2 ** (times - 1), self.patience.longest_s)
        await _sleep(longest * random.uniform(0.5, 1.0), wanted)  # noqa: S311

    async def _attempt(self, path: str, data: bytes, key: str | None) -> Answer:
        headers = list(self._headers)
        if key is not None:
            headers.append((b"idempotency-key", key.encode()))
        self.requests += 1
        began = time.monotonic()
        read = bytearray()
        status, received = 0, dict[str, str]()
        cut: _Again | None = None
        try:
            async with (
                asyncio.timeout(self.model.timeout_s),
                self._connections.post(path, headers, data) as response,
            ):
                status, received = response.status, _headers(response)
                async for part in response.aiter_stream():
                    read += part
                    if len(read) > MOST_BYTES:
                        raise RequestFailed(f"the answer has over {MOST_BYTES >> 20} MiB")
        except TimeoutError:
            cut = _Again("timeout", f"no answer within {self.model.timeout_s:g} s")
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            cut = _Again("server", f"it cannot be reached: {replies.plain(str(error))}")
        except BROKEN as error:
            cut = _Again("server", f"the connection broke: {type(error).__name__}")
        answer = self._read(status, received, bytes(read), cut)
        return Answer(answer, time.monotonic() - began)

    def _read(
        self, status: int, headers: Mapping[str, str], data: bytes, cut: _Again | None
    ) -> Mapping[str, Any]:
        """What was answered. An answer that was cut off counts where all of it can be read: it
        was paid for."""
        if status == 200:
            try:
                content = replies.decoded(data)
            except RequestFailed as error:
                raise cut or _encoded(headers) or error from None
            if content.get("error") and not content.get("choices"):
                code, _, _ = replies.complaint(content)
                self._refuse(int(code) if code.isdigit() else 200, headers, content)
            return content
        if cut is not None and not status:
            raise cut
        try:
            content = replies.decoded(data)
        except RequestFailed:
            content = {}
        self._refuse(status, headers, content)

    def _refuse(
        self, status: int, headers: Mapping[str, str], content: Mapping[str, Any]
    ) -> NoReturn:
        """Raise what an error means: for all, for this request, or for now."""
        code, kind, said = replies.complaint(content)
        name = self.model.name
        if status in {401, 403}:  # what is said about a key may hold it
            raise KeyRefused(f"the model {name!r} refuses the key (status {status})", "api_key")
        shown = self._without_key(f"status {status}" + (f": {said}" if said else ""))
        if status == 402 or SPENT & {code, kind}:
            raise QuotaSpent(f"the account of the model {name!r} has nothing left: {shown}")
        if status in {404, 405, 410}:
            raise ModelRefused(
                f"{self.model.model!r} is not served at the URL of {name!r}: {shown}", "model"
            )
        if 300 <= status < 400:
            raise EndpointError(f"{name!r} redirects elsewhere, which is not followed", "url")
        words = f"{code} {kind}"
        if status == 429 or "rate_limit" in words:
            raise _Again("rate", f"asked too often: {shown}", _retry_after(headers))
        if status in AGAIN or "overloaded" in words or "server_error" in words:
            raise _Again("server", f"the server failed: {shown}", _retry_after(headers))
        reason = replies.reason(code, kind, said)
        raise RequestFailed(f"the request was refused: {shown}", reason)

    def _without_key(self, text: str) -> str:
        key = self.model.key.get_secret_value() if self.model.key else ""
        return text.replace(key, "…") if key else text


def _go_on(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise Stopped("given up: another request ended the work")


async def _sleep(seconds: float, wanted: Callable[[], bool]) -> None:
    """Raises Stopped within a second where nobody wants the answer any more."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 1.0))
        _go_on(wanted)


def _encoded(headers: Mapping[str, str]) -> RequestFailed | None:
    """What is wrong with an answer that is packed, though that was not asked for."""
    encoding = headers.get("content-encoding", "identity")
    if encoding == "identity":
        return None
    said = f"the answer is encoded ({replies.plain(encoding)[:20]!r}), which was not asked for"
    return RequestFailed(said, "unreadable")


def _headers(response: httpcore.Response) -> dict[str, str]:
    """By name in lower case; the last of each."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, said as a number or a date; None where it does not."""
    said = headers.get("retry-after-ms")
    try:
        if said is not None:
            return max(float(said) / 1000, 0.0)
        said = headers.get("retry-after")
        if said is None:
            return None
        if said.strip().replace(".", "", 1).isdigit():
            return float(said)
        when = parsedate_to_datetime(said)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max((when - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
