"""What processes show of themselves."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.checkout import ROOT

ASK = """
import os, subprocess
from service import processes

if os.geteuid() == 0:  # to root everything is shown
    os.setuid(65534)
    processes._libc.prctl(processes.PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after a start
print(os.stat("/proc/self/environ").st_uid)
processes.conceal()
print(os.stat("/proc/self/environ").st_uid)
print(subprocess.check_output(["stat", "-c%u", "/proc/self/environ"], text=True))
"""


def test_a_concealed_process_shows_its_environment_to_root_alone() -> None:
    user = os.geteuid() or 65534
    asked = subprocess.check_output([sys.executable, "-c", ASK], cwd=ROOT, text=True)
    before, after, child = map(int, asked.split())
    assert (before, after, child) == (user, 0, user)
