"""A server that gives values to samples, and fails as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


@dataclass
class Valuing:
    """`url`, the requests so far, and what the next ones are answered before `answer` is asked."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    first: list[tuple[int, bytes]] = field(default_factory=list)


def lengths(body: dict[str, Any]) -> tuple[int, bytes]:
    """The outputs' lengths; none of an empty one."""
    values = [len(one["output"]) or None for one in body["samples"]]
    return 200, json.dumps({"values": values}).encode()


@contextmanager
def valuing(answer: Answer = lengths) -> Iterator[Valuing]:
    """The running server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            body = json.loads(self.rfile.read(size))
            told.requests.append(body)
            status, content = told.first.pop(0) if told.first else answer(body)
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Valuing(f"http://127.0.0.1:{server.server_address[1]}/values")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
