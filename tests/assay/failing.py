"""A server that fails as it is told to: what a client does then is seen in what it asks next."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Planned:
    """One answer; `cut` closes the connection after `content`, before all that was announced."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    seconds: float = 0.0  # until it begins
    silence: float = 0.0  # seconds between the content and the end


DROPPED = Planned(status=0)  # the connection is closed without an answer


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived; its headers' names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and what it was asked so far."""

    url: str
    asked: list[Asked]

    def headers(self, name: str) -> list[str | None]:
        """One header of every request."""
        return [request.headers.get(name) for request in self.asked]


def error(status: int, code: str = "some_code", **headers: str) -> Planned:
    """An error as the service words it; an underscore in a header's name is a hyphen."""
    problem = {"type": "some_error", "code": code, "message": "some message", "param": None}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Planned(status, json.dumps({"error": problem}).encode(), names)


@contextmanager
def answering(*plan: Planned) -> Iterator[Server]:
    """A server that gives these answers in turn, and the last one for ever."""
    asked: list[Asked] = []
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(plan, asked))
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{http.server_port}", asked)
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(plan: Sequence[Planned], asked: list[Asked]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            content = self.rfile.read(length)
            asked.append(Asked(self.command, self.path, headers, content, time.monotonic()))
            self._give(plan[min(len(asked), len(plan)) - 1])

        do_DELETE = do_GET  # noqa: N815
        do_PATCH = do_GET  # noqa: N815
        do_POST = do_GET  # noqa: N815 - the base class says how it is called

        def _give(self, answer: Planned) -> None:
            time.sleep(answer.seconds)
            self.close_connection = answer.cut or answer is DROPPED
            if answer is DROPPED:
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content) + answer.cut))
            self.end_headers()
            self.wfile.write(answer.content)
            time.sleep(answer.silence)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    return Handler
