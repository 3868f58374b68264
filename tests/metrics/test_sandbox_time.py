"""The limit on time is the program's: pauses and load of the machine do not count against it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metrics.sandbox import Ending, Limits, Program, run, running
from metrics.sandbox.bubblewrap import Route
from metrics.sandbox.limits import Outcome

ROOT = Path(__file__).resolve().parents[2]
SLEEP = "import time\ntime.sleep(1)"
ONE_TRY = f"""
from metrics.sandbox import Limits, Program, running
route = running._route()
print("ready", flush=True)
(outcome,) = running._attempt(route, Program(({SLEEP!r},)), Limits(timeout_s=2))
print(outcome.ending.name, flush=True)
"""


def test_a_pause_of_the_process_that_asked_changes_no_verdict() -> None:
    """At the first try already: the program is over long before the process goes on."""
    command = [sys.executable, "-c", ONE_TRY]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(6)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == "PASSED\n"


@pytest.mark.parametrize(
    ("program", "tries"),
    [
        ("assert False", 1),
        ("while True: pass", 1),  # had its processor throughout
        ("import time\ntime.sleep(9)", 2),
        ("import os\nos.abort()", 2),
        ("bytearray(9 << 30)", 2),
    ],
)
def test_what_the_machine_had_a_part_in_is_tried_once_more(
    program: str, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, outcomes = running._attempt, list[Outcome]()

    def counted(route: Route, program: Program, limits: Limits) -> list[Outcome]:
        (outcome,) = attempt(route, program, limits)
        outcomes.append(outcome)
        return [outcome]

    run("pass")  # the way in is found
    monkeypatch.setattr(running, "_attempt", counted)
    outcome = run(program, Limits(timeout_s=1))
    assert outcome.ending is not Ending.PASSED
    # on a loaded machine the loop may have had less of its processor than counts as all of it
    assert len(outcomes) == tries or (len(outcomes) == 2 and not outcomes[0].worked)
