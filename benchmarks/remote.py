"""1,000 short chats with a model behind a URL that answers in 50 ms, 64 at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.comparing import Row
from inference.chat import Message, Request
from inference.remote.registered import Registered
from inference.remote.remote_chat import RemoteChat

ROOT = Path(__file__).resolve().parents[1]
REQUESTS, CONCURRENCY, SECONDS = 1000, 64, 0.05
MOST = 1.3  # times the ideal
ROUNDS = 5


def rows(scale: float) -> Iterator[Row]:
    """One line: how long they take, and how long they would if nothing but the server took time."""
    count = max(CONCURRENCY, int(REQUESTS * scale))
    waves = -(-count // CONCURRENCY)
    ideal = waves * SECONDS
    spent, right = [], True
    with server(SECONDS) as url:
        chat = RemoteChat(Registered("m", url, "m", concurrency=CONCURRENCY, private=True))
        asked_for(chat, "first", CONCURRENCY)  # connections are opened once
        for number in range(ROUNDS):
            begun = time.perf_counter()
            texts = asked_for(chat, str(number), count)
            spent.append(time.perf_counter() - begun)
            right &= texts == [f"You said: {number}, {index}" for index in range(count)]
    took = median(spent)
    yield Row(
        what=f"remote: {count} chats, {CONCURRENCY} at a time, {SECONDS * 1000:.0f} ms each",
        ours=f"{took:.2f} s",
        theirs=f"ideal {ideal:.2f} s",
        ratio=f"{took / ideal:.2f}",
        required=f"at most {MOST}",
        agreement="every answer to its question" if right else "answers are mixed up",
        fast=took / ideal <= MOST,
        agrees=right,
    )


def asked_for(chat: RemoteChat, about: str, count: int) -> list[str]:
    requests = [Request((Message("user", f"{about}, {index}"),)) for index in range(count)]
    return [one[0].text for one in chat.reply(requests)]


@contextmanager
def server(seconds: float) -> Iterator[str]:
    """The URL of a process that takes so long to answer."""
    command = [sys.executable, "-m", "tests.faulty_server", str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()
