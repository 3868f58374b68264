"""Remote: a value that a server of yours gives to each output.

Conventions
- `POST <url>` with `{"samples": [{"output", "prompt", "references"}, …]}`; the answer is
  `{"values": [0.5, null, …]}`, a finite number for each sample in order, null where there is none:
  such an output counts as missing.
- The score is the mean over samples of the means over their outputs. Say by `low`, `high` and
  `higher_is_better` what the numbers mean, and by `revision` that the server's have changed: all of
  it is in the signature.
- Within an evaluation or a training job an answer that is there is not asked for again.
- Asked again, with growing pauses, are 429, 5xx and connections that break. Anything else fails the
  metric with the server's status, and so does what is no such answer. No redirect is followed.
- Addresses follow the rules of models behind a URL (docs/models.md), checked at each connection.

Example
    >>> METRIC.bind({"url": "http://example.org/score", "high": 1}).scores[0].high
    1.0
    >>> METRIC.bind({"url": "ftp://example.org"})
    Traceback (most recent call last):
    inference.errors.InputError: url: the URL must begin with http:// or https://
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from inference.batching import plan_in_order
from inference.protocol import Models
from inference.remote.asking import awaited
from inference.remote.errors import EndpointError
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import mean

if TYPE_CHECKING:
    import httpx

TRIES = 5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
MOST_BYTES = 16 << 20  # of an answer
NONE, OVER_BUDGET = 1, 2  # flags


class RemoteFailed(EndpointError):
    """The server gave no values; the message says what it did instead."""

    code = "remote_failed"


class RemoteParams(Params):
    """Where values come from, and what they mean."""

    url: str = Field(max_length=2000, description="http(s), asked with POST")
    batch: int = Field(100, ge=1, le=1000, description="outputs in a request")
    timeout_s: float = Field(60.0, gt=0, le=600, description="of a request, seconds")
    higher_is_better: bool = True
    low: float | None = Field(None, allow_inf_nan=False, description="the least there can be")
    high: float | None = Field(None, allow_inf_nan=False, description="the most there can be")
    revision: str | None = Field(None, max_length=100, description="of the server's numbers")

    @field_validator("url")
    @classmethod
    def _may_be_called(cls, url: str) -> str:
        from inference.remote.address import url_fault

        fault = url_fault(url, private=True)  # private addresses are checked where it is called
        if fault is not None:
            raise PydanticCustomError("url", "the URL {fault}", {"fault": fault})
        return url

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise PydanticCustomError("bounds", "low has to be below high")
        return self


def scores(params: RemoteParams) -> tuple[Score, ...]:
    """One, within the bounds that are given."""
    low = -math.inf if params.low is None else params.low
    high = math.inf if params.high is None else params.high
    return (Score("remote", params.higher_is_better, low, high, "mean of the server's values"),)


def plan(items: Sequence[Item], params: RemoteParams, models: Models) -> list[list[int]]:
    """In order, a request each."""
    return plan_in_order([1] * len(items), params.batch, params.batch)


def measure(items: Sequence[Item], params: RemoteParams, models: Models) -> Evidence:
    """Rows (value, 1). Raises RemoteFailed, AddressRefused."""
    body = {
        "samples": [
            {"output": item.output, "prompt": item.prompt, "references": list(item.references)}
            for item in items
        ]
    }
    given = _given(body, params, models)
    if given is None:
        return Evidence.of_rows(np.zeros((len(items), 2)), [OVER_BUDGET] * len(items))
    rows = np.array([(0.0 if value is None else value, 1.0) for value in given])  # (N, 2)
    return Evidence.of_rows(rows, [NONE if value is None else 0 for value in given])


def _given(body: dict[str, Any], params: RemoteParams, models: Models) -> list[float | None] | None:
    """The values, kept where somebody pays; None where the budget is spent."""
    from inference.chat import Reply
    from inference.remote.hooks import Need, reply_key

    count, payer = len(body["samples"]), models.account
    if payer is None:
        return _values(
            asyncio.run(awaited(_asked(body, params, models.private_urls))), count, params
        )
    key = reply_key(params.url, {**body, "revision": params.revision}, 0, payer.scope)
    kept = payer.replies.find([key]).get(key)
    if kept is not None:
        return _values(kept.text.encode(), count, params)
    if payer.budget is not None and not payer.budget.hold([Need(0)], lambda: None):
        return None
    try:
        out = payer.budget.out if payer.budget is not None else nullcontext
        answer = asyncio.run(awaited(_asked(body, params, models.private_urls, out)))
        given = _values(answer, count, params)
        payer.replies.keep(key, Reply(json.dumps({"values": given})), payer.scope)
    finally:
        if payer.budget is not None:
            payer.budget.release()
    return given


async def _asked(
    body: dict[str, Any],
    params: RemoteParams,
    private: bool,
    out: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> bytes:
    """The answer's bytes, after as many tries as it takes."""
    import httpx

    from inference.remote.address import checked_client

    why = ""
    async with checked_client(private, connections=1) as client:
        for attempt in range(TRIES):
            if attempt:
                longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
                await asyncio.sleep(longest * random.uniform(0.5, 1))  # noqa: S311
            try:
                async with out(), asyncio.timeout(params.timeout_s):
                    status, answer = await _once(client, body, params)
            except TimeoutError:
                why = f"no answer within {params.timeout_s:g} s"
                continue
            except (httpx.TransportError, httpx.InvalidURL) as error:
                why = f"{type(error).__name__}"
                continue
            if status == 200:
                return answer
            why = f"it answered {status}"
            if status != 429 and status < 500:
                break
    raise RemoteFailed(f"the server at {params.url} gave no values: {why}", "params.url")


async def _once(
    client: httpx.AsyncClient, body: dict[str, Any], params: RemoteParams
) -> tuple[int, bytes]:
    async with client.stream("POST", params.url, json=body, timeout=params.timeout_s) as response:
        pieces, size = [], 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > MOST_BYTES:
                message = f"the server at {params.url} answered more than {MOST_BYTES} bytes"
                raise RemoteFailed(message, "params.url")
            pieces.append(piece)
        return response.status_code, b"".join(pieces)


def _values(answer: bytes, count: int, params: RemoteParams) -> list[float | None]:
    """The values, checked. Raises RemoteFailed."""
    try:
        given = json.loads(answer)["values"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _malformed('is not {"values": […]}', params) from None
    if not isinstance(given, list) or len(given) != count:
        told = len(given) if isinstance(given, list) else "no list of"
        raise _malformed(f"has {told} values for {count} samples", params)
    for at, value in enumerate(given):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and math.isfinite(value)):
            raise _malformed(f"has at values[{at}] what is no finite number", params)
        if value is not None and not (
            (params.low is None or value >= params.low)
            and (params.high is None or value <= params.high)
        ):
            raise _malformed(f"has at values[{at}] {value:.6g}, outside of low and high", params)
    return [None if value is None else float(value) for value in given]


def _malformed(what: str, params: RemoteParams) -> RemoteFailed:
    return RemoteFailed(f"the answer of the server at {params.url} {what}", "params.url")


METRIC = Metric(
    name="remote",
    version=1,
    about="A value that a server of yours gives to each output.",
    formula="mean of the values that a server of yours answers",
    avoid="Where the server may change without notice: give it a revision.",
    params=RemoteParams,
    reads=("output", "prompt", "references"),
    needs=("output",),
    scores=scores,
    interval="bootstrap_t",
    pooling="average",
    source=Source("none: the server's own", "the server at `url`"),
    measure=measure,
    reduce=mean,
    flags={
        NONE: Flag("the server gave no value", missing=True),
        OVER_BUDGET: Flag("not asked: the budget was spent", missing=True, lasting=False),
    },
    calls_url=True,
    plan=plan,
    independent=True,
)
