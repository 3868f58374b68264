"""Memory: the limit is the whole program's, whatever number of processes it divides into."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from metrics.sandbox import Ending, Limits, cgroup, describe, run

HOLD = """
import os, time
READY, GO = os.pipe()
for _ in range({children}):
    if os.fork() == 0:
        held = bytearray({mib} << 20)
        os.write(GO, b"x")
        time.sleep({seconds})
        os._exit(0)
for _ in range({children}):
    os.read(READY, 1)
time.sleep({seconds})
"""
LIMITS = Limits(timeout_s=10, memory_mb=160)


def test_the_tree_is_bounded() -> None:
    """Four children, each of which holds half of the limit: none of them exceeds it."""
    started = time.monotonic()
    outcome = run(HOLD.format(children=4, mib=80, seconds=30), LIMITS)
    assert outcome.ending is Ending.MEMORY
    assert time.monotonic() - started < 20  # both tries were ended at once


def test_what_together_holds_less_passes() -> None:
    outcome = run(HOLD.format(children=4, mib=25, seconds=0.3), LIMITS)
    assert outcome.passed, outcome.stderr


def test_pages_that_forks_share_count_once() -> None:
    program = """
import os, time
held = bytearray(100 << 20)
for _ in range(4):
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)
time.sleep(0.3)
"""
    outcome = run(program, LIMITS)
    assert outcome.passed, outcome.stderr


def test_grandchildren_of_threads_and_orphans_count() -> None:
    program = """
import os, threading, time
def hold():
    held = bytearray(110 << 20)
    time.sleep(30)
def spawn():
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        if os.fork() == 0:
            hold()
        hold()
threading.Thread(target=spawn).start()
hold()
"""
    assert run(program, Limits(memory_mb=300)).ending is Ending.MEMORY


def test_memory_that_nobody_is_seen_to_hold_is_refused() -> None:
    outcome = run("import os\nos.memfd_create('x')")
    assert outcome.ending is Ending.FAILED
    assert "PermissionError" in outcome.stderr


def test_which_group_is_delegated(tmp_path: Path) -> None:
    """In folders that look like cgroup v2's: systemd's mark, a container's root, a machine's."""
    own = tmp_path / "system.slice/assay.service/main"
    own.mkdir(parents=True)
    assert cgroup.delegated(tmp_path, "/system.slice/assay.service/main") is None
    (tmp_path / "cgroup.events").touch()
    assert cgroup.delegated(tmp_path, "/system.slice/assay.service/main") == tmp_path
    try:
        os.setxattr(own.parent, "user.delegate", b"1")
    except OSError:
        pytest.skip("the file system has no attributes")
    assert cgroup.delegated(tmp_path, "/system.slice/assay.service/main") == own.parent


def test_the_groups_limits() -> None:
    written = cgroup.limiting(Limits(memory_mb=100, disk_mb=20, processes=5))
    assert int(written["memory.max"]) == (100 + 20 + 64) << 20
    assert written["memory.swap.max"] == "0"
    assert written["memory.oom.group"] == "1"
    assert int(written["pids.max"]) > 5


def test_it_is_told_how_programs_are_held() -> None:
    told = describe()
    assert told["memory"].startswith("looked at from outside; ")
    parent, why = cgroup.home()
    assert told["memory"].endswith(f"control group {parent}" if parent else why)


@pytest.mark.skipif(cgroup.home()[0] is None, reason="no control group is delegated")
def test_a_delegated_group_is_a_hard_limit() -> None:
    with cgroup.group(Limits(memory_mb=64, disk_mb=1)) as group:
        assert group.folder is not None
        assert (group.folder / "memory.max").read_text().strip() == str((64 + 1 + 64) << 20)
    assert not group.folder.exists()
