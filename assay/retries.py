"""Whether a request that failed is sent again, and when."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Generator
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar

import httpx

from assay.errors import AssayError, ConnectionFailed, RequestTimedOut
from assay.exchange import Outcome, Reply, Request, Script, Step, unreadable

RETRIED = frozenset({429, 502, 503, 504})
FIRST_DELAY = 0.5  # seconds; doubled from attempt to attempt
LONGEST_DELAY = 8.0  # seconds
LONGEST_RETRY_AFTER = 60.0  # seconds; a service that wants more is not asked again

T = TypeVar("T")


class Attempts:
    """Counts the failures of a request and decides about each: the delay, or the error."""

    def __init__(self, retries: int) -> None:
        self.retries = retries
        self.failed = 0

    def after(self, request: Request, outcome: Outcome) -> float:
        """Seconds until the request is sent again. Raises AssayError where it is not."""
        if isinstance(outcome, Reply):
            if not _retryable(request, outcome) or self.failed >= self.retries:
                _refuse(outcome)
            asked = _retry_after(outcome)
        else:
            if not _broken(request, outcome) or self.failed >= self.retries:
                _fail(outcome)
            asked = None
        backoff = min(FIRST_DELAY * 2**self.failed, LONGEST_DELAY)
        self.failed += 1
        return asked if asked is not None else backoff * random.uniform(0.75, 1)  # noqa: S311


def persistent(script: Script[T], retries: int) -> Generator[Step, Outcome, T]:
    """The script with every failed step repeated where that is safe, up to `retries` times."""
    step = next(script)
    while True:
        attempts = Attempts(retries)
        outcome = yield step
        while not isinstance(outcome, Reply) or not 200 <= outcome.status < 300:
            outcome = yield Step(step.request, attempts.after(step.request, outcome))
        try:
            step = script.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result


def _retryable(request: Request, reply: Reply) -> bool:
    """Whether the service could answer otherwise the next time."""
    if reply.headers.get("x-should-retry") == "false" or not request.repeatable:
        return False
    if (_retry_after(reply) or 0.0) > LONGEST_RETRY_AFTER:
        return False
    # `timed_out`: the service has waited as long as it was asked to
    return reply.status in RETRIED and _problem(reply).get("code") != "timed_out"


def _broken(request: Request, error: httpx.RequestError) -> bool:
    """Whether another connection could succeed: always where the request was not sent."""
    if isinstance(error, httpx.ConnectError):
        return True
    if isinstance(error, httpx.ReadTimeout):
        return request.lively
    return request.repeatable and isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)


def _retry_after(reply: Reply) -> float | None:
    """Seconds that the service asks to wait: a number of them, or a date."""
    value = reply.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds)


def _problem(reply: Reply) -> dict[str, Any]:
    """The error that the answer holds; {} where it holds none."""
    try:
        problem = json.loads(reply.content)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _refuse(reply: Reply) -> NoReturn:
    problem = _problem(reply)
    if not problem:
        raise unreadable(reply, reply.content[:500].decode(errors="replace"))
    raise AssayError(
        str(problem.get("message", "")),
        code=str(problem.get("code", "unknown")),
        method=reply.method,
        url=reply.url,
        status=reply.status,
        param=problem.get("param"),
        request_id=reply.headers.get("x-request-id"),
        errors=problem.get("errors", ()),
    )


def _fail(error: httpx.RequestError) -> NoReturn:
    method, url = error.request.method, str(error.request.url)
    if isinstance(error, httpx.TimeoutException):
        timeout = float(error.request.extensions["timeout"]["read"])
        raise RequestTimedOut(method=method, url=url, timeout=timeout) from error
    reason = str(error) or type(error).__name__
    message = f"the connection failed: {reason}; is the service running there?"
    raise ConnectionFailed(message, code="connection_failed", method=method, url=url) from error
