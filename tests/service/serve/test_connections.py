"""Clients that are slow, silent or many, against a real API process with little patience."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.service.live import Live
from tests.waiting import until

PATIENCE = 1.0  # seconds
MOST = 12
STREAMS = 2
SAMPLE = {"output": "a cat", "references": ["a cat"]}
EVALUATION = {"metrics": ["bleu"], "samples": [SAMPLE], "system": "s", "dataset": "slow"}
HEAD = b"POST /v1/evaluations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def service(new_database: Callable[[], str], data_dir: Path) -> Iterator[Live]:
    """An API without a worker: an evaluation never ends."""
    live = Live(
        new_database(),
        data_dir,
        request_seconds=str(PATIENCE),
        max_connections=str(MOST),
        max_streams=str(STREAMS),
        stream_seconds="1.5",
    )
    try:
        live.api()
        yield live
    finally:
        live.close()


@pytest.fixture(scope="module")
def events(service: Live) -> str:
    """Where the events of an evaluation are that waits for a worker."""
    made = httpx.post(f"{service.base}/v1/evaluations", json=EVALUATION).raise_for_status()
    return f"{service.base}/v1/evaluations/{made.json()['id']}/events"


def connect(service: Live) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=10)


def answer(client: socket.socket) -> bytes:
    """All that comes until the service closes the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def repeat(client: socket.socket, data: bytes, pause: float = 0) -> None:
    """Send it again and again, for ten seconds."""
    began = time.monotonic()
    while time.monotonic() - began < 10:
        client.sendall(data)
        time.sleep(pause)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /healthz HTTP/1.1\r\nhost: loc"],
    ids=["nothing", "half a head"],
)
def test_a_head_has_to_come(service: Live, sent: bytes) -> None:
    with connect(service) as client:
        client.sendall(sent)
        began = time.monotonic()
        assert answer(client).startswith(b"HTTP/1.1 408 ")
        assert PATIENCE * 0.9 < time.monotonic() - began < 5


def test_bytes_now_and_then_buy_no_time(service: Live) -> None:
    with connect(service) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            repeat(client, b"x-slow: 1\r\n", 0.1)
        assert time.monotonic() - began < 5


def test_a_second_head_has_to_come(service: Live) -> None:
    with connect(service) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"GET /healthz HT")
        assert b"HTTP/1.1 408 " in answer(client)


def test_a_body_has_to_come(service: Live) -> None:
    with connect(service) as client:
        client.sendall(HEAD + b'content-length: 5000\r\n\r\n{"metrics":')
        began = time.monotonic()
        told = answer(client)
        assert told.startswith(b"HTTP/1.1 408 ")
        assert b'"request_too_slow"' in told
        assert PATIENCE * 0.9 < time.monotonic() - began < 5


def test_a_slow_body_that_comes_is_taken(service: Live) -> None:
    content = b" " * 60_000 + b"{}"
    with connect(service) as client:
        client.sendall(HEAD + f"content-length: {len(content)}\r\n\r\n".encode())
        for start in range(0, len(content), 6_000):  # 30 kB a second, for twice the patience
            client.sendall(content[start : start + 6_000])
            time.sleep(0.2)
        assert client.recv(65536).startswith(b"HTTP/1.1 422 ")


def test_an_answer_has_to_be_read(service: Live) -> None:
    ask = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with connect(service) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises(ConnectionError):  # and no timeout
            repeat(client, ask)


def test_many_connections_keep_nobody_out_for_long(service: Live) -> None:
    """The attack called slowloris: as many half requests as may be, and more."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(service)) for _ in range(MOST)]
        for client in clients:
            client.sendall(b"GET /healthz HTTP/1.1\r\n")
        with connect(service) as one_more:
            assert answer(one_more).startswith(b"HTTP/1.1 503 ")
        until(lambda: _healthy(service), 10)


def _healthy(service: Live) -> bool:
    try:
        return httpx.get(f"{service.base}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_there_are_so_many_streams_and_no_more(service: Live, events: str) -> None:
    wanted = {"accept": "text/event-stream"}
    with ExitStack() as stack:
        for _ in range(STREAMS):
            stream = stack.enter_context(httpx.stream("GET", events, headers=wanted))
            assert stream.status_code == 200
        refused = httpx.get(events, headers=wanted)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "too_many_streams"
        assert refused.headers["retry-after"]
        assert httpx.get(events).status_code == 200  # as a list
    until(lambda: _streams(events), 10)  # places are free again


def _streams(events: str) -> bool:
    with httpx.stream("GET", events, headers={"accept": "text/event-stream"}) as stream:
        return stream.status_code == 200


def test_a_stream_ends_and_says_how_it_goes_on(service: Live, events: str) -> None:
    told = httpx.get(events, headers={"accept": "text/event-stream"}, timeout=10).text
    *_, last = [part for part in told.split("\n\n") if part]
    assert last.startswith("event: resume\n")


def test_a_reader_of_events_does_not_notice(service: Live, events: str) -> None:
    evaluation = events.split("/")[-2]
    with service.client() as client:
        following = client.events(evaluation)
        began = time.monotonic()
        while time.monotonic() - began < 2.5:  # longer than a stream
            assert next(following).type in {"progress", "queued"}
