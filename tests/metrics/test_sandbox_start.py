"""Where the sandbox cannot be set up, nothing is judged: the reason is told, never a verdict."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
JUDGE = """
from inference.errors import Unavailable
from metrics.sandbox import run
try:
    print(run("pass").ending.name, run("assert False").ending.name)
except Unavailable as error:
    print("unavailable:", error.message)
"""

ATTACK = """
import os, resource, signal, time
watcher = os.getppid()
def attempt(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass
for number in set(signal.valid_signals()):
    attempt(os.kill, watcher, number)
    attempt(signal.pidfd_send_signal, os.pidfd_open(watcher), number)
for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_NOFILE):
    attempt(resource.prlimit, watcher, limit, (0, 0))
attempt(os.setpriority, os.PRIO_PROCESS, watcher, 19)
attempt(os.sched_setscheduler, watcher, os.SCHED_IDLE, os.sched_param(0))
assert os.getpriority(os.PRIO_PROCESS, watcher) == 0
assert os.sched_getscheduler(watcher) == os.SCHED_OTHER
assert resource.prlimit(0, resource.RLIMIT_CORE) == (0, 0)  # its own may be asked
assert not os.path.exists("/proc")
{then}
"""
JUDGE_ATTACKS = f"""
from metrics.sandbox import Limits, run, running
for then in ("", "time.sleep(60)"):
    print(run({ATTACK!r}.replace("{{then}}", then), Limits(timeout_s=2)).ending.name)
print(running._route().own_user)
"""


@pytest.fixture
def sources() -> Iterator[Path]:
    """What the sandbox is made of, where every user may read it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    for name in ("metrics/sandbox", "inference"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    yield folder
    shutil.rmtree(folder)


def judged(folder: Path, *command: str, user: int | None = None, script: str = JUDGE) -> str:
    done = subprocess.run(
        [*command, "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


def may_make_user_namespaces() -> bool:
    return (
        subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode == 0
    )


def ordinary() -> tuple[str, int | None]:
    """An interpreter and a user id that is not root's; None: as we are."""
    if os.geteuid() != 0:
        return sys.executable, None
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    able = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    try:
        subprocess.run(able, check=True, user=NOBODY, group=NOBODY, extra_groups=[])
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a Python 3.11 that every user may run")
    return python, NOBODY


def test_a_program_that_cannot_be_confined_has_no_verdict(sources: Path) -> None:
    """The machine's own limit lies below the sandbox's, which cannot be set then."""
    told = judged(sources, "prlimit", "--nofile=100:100", sys.executable)
    assert told.startswith("unavailable:")
    assert "maximum limit" in told


@pytest.mark.skipif(not may_make_user_namespaces(), reason="needs user namespaces")
def test_root_of_an_ordinary_users_namespace(sources: Path) -> None:
    """As in a rootless container: it has no user ids to give, and judges all the same."""
    python, user = ordinary()
    assert judged(sources, "unshare", "-Ur", python, user=user) == "PASSED FAILED"


@pytest.mark.skipif(not may_make_user_namespaces(), reason="needs user namespaces")
def test_an_ordinary_users_watcher_is_out_of_reach(sources: Path) -> None:
    """It has the program's user id; signals, limits and priorities do not reach it all the same."""
    python, user = ordinary()
    told = judged(sources, python, user=user, script=JUDGE_ATTACKS)
    assert told.split() == ["PASSED", "TIMEOUT", "False"]


@pytest.mark.skipif(not may_make_user_namespaces(), reason="needs user namespaces")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_roots_own_namespace_bounds_no_processes(sources: Path) -> None:
    """The kernel exempts the machine's root from the limit on processes, there as well."""
    told = judged(sources, "unshare", "-Ur", sys.executable)
    assert told.startswith("unavailable:")
    assert "limit on processes" in told
