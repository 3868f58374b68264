"""Control groups (cgroup v2): a hard limit on what a program's processes hold together.

A group is used where one is delegated to the service: by systemd (`Delegate=memory pids` and
`DelegateSubgroup=main`), or as the root of a container's own hierarchy with the service in a group
below it. Elsewhere the limit holds by looking (metrics.sandbox.memory), and `describe` says why.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from metrics.sandbox.limits import Limits

_NEEDED = ("memory", "pids")
_ROOM = 64 << 20  # bubblewrap, the watcher, and what the kernel keeps for them
_NAME = "assay-sandbox-"
_ENTER = 'echo 0 > "$0/cgroup.procs" && exec "$@"'
_LEAVE_S = 2.0


@dataclass(frozen=True, slots=True)
class Group:
    """A program's group; `None` stands for a program without one."""

    folder: Path | None

    @property
    def enter(self) -> list[str]:
        """What stands before a command that is to run in the group."""
        return [] if self.folder is None else ["/bin/sh", "-c", _ENTER, str(self.folder)]

    @property
    def exhausted(self) -> bool:
        """Whether the kernel had to kill for want of memory."""
        if self.folder is None:
            return False
        events = (self.folder / "memory.events").read_text().split()
        return int(dict(zip(events[::2], events[1::2], strict=True)).get("oom_kill", 0)) > 0


@contextmanager
def group(limits: Limits) -> Iterator[Group]:
    """A group with the limits, gone at the end; none where no group is delegated."""
    parent, _ = home()
    if parent is None:
        yield Group(None)
        return
    folder = parent / f"{_NAME}{os.getpid()}-{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        for file, value in limiting(limits).items():
            with suppress(FileNotFoundError):  # swap is not there on every kernel
                (folder / file).write_text(value)
        yield Group(folder)
    finally:
        _remove(folder)


def limiting(limits: Limits) -> dict[str, str]:
    """What is written into a group's files. The processes' number is held by RLIMIT_NPROC; here
    bubblewrap and the watcher count as well."""
    return {
        "memory.max": str(((limits.memory_mb + limits.disk_mb) << 20) + _ROOM),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": str(limits.processes + 2),
    }


@cache
def home() -> tuple[Path | None, str]:
    """The group below which programs' groups are made; None, and why there is none."""
    mount, own = _place()
    if mount is None:
        return None, "cgroup v2 is not mounted"
    parent = delegated(mount, own)
    if parent is None:
        return None, f"no group above {own} is delegated to the service"
    try:
        _prepare(parent)
    except (OSError, subprocess.CalledProcessError) as error:
        return None, f"{parent} is delegated, but cannot be used: {error}"
    return parent, str(parent)


def delegated(mount: Path, own: str) -> Path | None:
    """The nearest group, from a process's own upwards, that may be divided further.

    mount  where the hierarchy is
    own    the process's group in it, as /proc/self/cgroup says
    """
    folder = mount / own.strip("/")
    for candidate in (folder, *folder.parents):
        # the file is lacking in the machine's root alone: this one is a container's
        if candidate == mount:
            return candidate if (candidate / "cgroup.events").exists() else None
        if any(_attribute(candidate, name) == b"1" for name in ("user", "trusted")):
            return candidate
    return None


def _attribute(folder: Path, name: str) -> bytes:
    """systemd's mark of delegation."""
    try:
        return os.getxattr(folder, f"{name}.delegate")
    except OSError:
        return b""


def _place() -> tuple[Path | None, str]:
    """Where cgroup v2 is mounted, and this process's group in it."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            own = Path("/proc/self/cgroup").read_text().rpartition("0::")[2].strip()
            return Path(before.split()[4]), own
    return None, ""


def _prepare(parent: Path) -> None:
    """Have the controllers at work below a group, and try it. Raises OSError with the reason."""
    lacking = set(_NEEDED) - set((parent / "cgroup.controllers").read_text().split())
    if lacking:
        raise OSError(f"it has no controller {', '.join(sorted(lacking))}")
    (parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _NEEDED))
    for left in parent.glob(f"{_NAME}*"):  # of processes that were killed
        if not Path("/proc", left.name.removeprefix(_NAME).partition("-")[0]).exists():
            with suppress(OSError):
                left.rmdir()
    trial = parent / f"{_NAME}{os.getpid()}-trial"
    trial.mkdir()
    try:
        (trial / "memory.max").write_text("max")
        enter = [*Group(trial).enter, "/bin/true"]
        subprocess.run(enter, check=True, capture_output=True, text=True)
    finally:
        _remove(trial)


def _remove(folder: Path) -> None:
    """Nothing is left in it by now; what the kernel is still at ends within moments."""
    with suppress(OSError):
        (folder / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + _LEAVE_S
    while True:
        try:
            return folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)
