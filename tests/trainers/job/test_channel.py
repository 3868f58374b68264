"""Registered models, and slots to ask them, on their way into the processes of a job."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise

from pydantic import SecretStr

from inference.remote.hooks import MemorySlots
from inference.remote.registered import Registered
from tests.waiting import until
from trainers.job.channel import Channel, channel

FAR = Registered(
    "far",
    "http://127.0.0.1/v1",
    "served",
    SecretStr("sk-secret"),
    concurrency=9,
    requests_per_minute=7,
    extra_body={"top_k": None},
)
ONE = replace(FAR, concurrency=1, requests_per_minute=None)
RANK = """
import os
from trainers.job.channel import received
one = received(["far"]).models["far"]
left = os.readlink("/proc/self/fd/0")
print(one.key.get_secret_value(), one.concurrency, one.requests_per_minute, one.extra_body, left)
print(one)
"""
LAUNCHER = """
import subprocess, sys
ranks = [subprocess.Popen([sys.executable, "-c", sys.argv[1]]) for _ in range(2)]
sys.exit(sum(rank.wait() for rank in ranks))
"""
ASKS = """
import asyncio, time
from trainers.job.channel import received
models, slots = received(["far"])

async def ask():
    async with slots.slot(models["far"], 10):
        began = time.monotonic()
        await asyncio.sleep(SECONDS)
        print(began, time.monotonic(), flush=True)

async def several():
    await asyncio.gather(*(ask() for _ in range(4)))

asyncio.run(several())
asyncio.run(several())  # on another loop
"""


@contextmanager
def asking(given: Channel, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A process that asks four times at once, for so long each."""
    code = ASKS.replace("SECONDS", str(seconds))
    with started(given, code) as process:
        yield process
        process.kill()


def started(given: Channel, *code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", *code],
        stdin=given.standard_input,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_every_rank_below_a_launcher_has_the_models_and_nobody_below_it() -> None:
    with channel([FAR], MemorySlots()) as given, started(given, LAUNCHER, RANK) as launcher:
        said, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 0
    assert said.splitlines().count("sk-secret 9 7 {'top_k': None} /dev/null") == 2
    assert said.count("sk-secret") == 2


def test_models_that_nobody_handed_over() -> None:
    code = "from trainers.job.channel import received; assert received([]) == ({}, None)"
    for models in ([], [replace(FAR, name="near")]):
        with (
            channel(models, MemorySlots()) as given,
            started(given, f"{code}; received(['far'])") as process,
        ):
            _, said = process.communicate(timeout=30)
        assert "nobody handed over far" in said


def test_all_processes_of_a_job_keep_to_the_limit_together() -> None:
    code = ASKS.replace("SECONDS", "0.01")
    with channel([ONE], MemorySlots()) as given, started(given, LAUNCHER, code) as launcher:
        said, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 0
    times = sorted(tuple(map(float, line.split())) for line in said.splitlines())
    assert len(times) == 16
    assert all(end <= began for (_, end), (began, _) in pairwise(times))


def test_what_a_killed_process_had_is_free_at_once() -> None:
    with channel([ONE], MemorySlots()) as given, asking(given, 60) as first:
        until(lambda: given.waiting == 3)
        with asking(given, 0.01) as second:
            until(lambda: given.waiting == 7)
            first.kill()
            began = time.monotonic()
            assert second.stdout is not None
            assert second.stdout.readline()
            assert time.monotonic() - began < 2


def test_a_process_whose_supervisor_is_gone_does_not_wait() -> None:
    with ExitStack() as supervisor:
        given = supervisor.enter_context(channel([ONE], MemorySlots()))
        with asking(given, 60) as process:
            until(lambda: given.waiting == 3)
            supervisor.close()
            _, said = process.communicate(timeout=5)
            assert process.returncode == 1
            assert "hands out no slots" in said
