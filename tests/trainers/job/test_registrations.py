"""Registered models on their way into the processes of a job."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pydantic import SecretStr

from inference.remote.registered import Registered
from trainers.job.registrations import handed_over, received

FAR = Registered(
    "far",
    "http://127.0.0.1/v1",
    "served",
    SecretStr("sk-secret"),
    concurrency=9,
    requests_per_minute=1,
    extra_body={"top_k": None},
)
RANK = """
import os
from trainers.job.registrations import received
one = received(["far"], processes=2)["far"]
left = os.readlink("/proc/self/fd/0")
print(one.key.get_secret_value(), one.concurrency, one.requests_per_minute, one.extra_body, left)
print(one)
"""
LAUNCHER = """
import subprocess, sys
for _ in range(2):
    subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""


def test_every_rank_below_a_launcher_has_the_models_and_nobody_below_it() -> None:
    given = handed_over([FAR])
    command = [sys.executable, "-c", LAUNCHER, RANK]
    said = subprocess.run(command, stdin=given, check=True, capture_output=True, text=True).stdout
    lines = said.splitlines()
    assert lines[0::2] == ["sk-secret 4 1 {'top_k': None} /dev/null"] * 2
    assert all("sk-secret" not in line for line in lines[1::2])
    with pytest.raises(PermissionError):
        os.pwrite(given, b"other", 0)
    os.close(given)


def test_models_that_nobody_handed_over() -> None:
    assert received([]) == {}
    given = handed_over([])
    code = "from trainers.job.registrations import received; received(['far'])"
    ended = subprocess.run(
        [sys.executable, "-c", code], stdin=given, check=False, capture_output=True, text=True
    )
    os.close(given)
    assert "nobody handed over far" in ended.stderr
