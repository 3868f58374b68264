"""`assay verify`: an archive held to itself, without a server and without a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inference.errors import InputError
from metrics import find
from metrics.core.archive import Archive
from metrics.core.verification import Check, Options, sound, verify

LOOKS = {"equal": "green", "differs": "bold red", "unchecked": "yellow"}
WHAT = {"rows": "rows, from the evidence", "sample": "a random part, measured again"}


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of an archive."""

    system: str
    dataset: str
    samples: int
    origin: str
    digest: str
    checks: tuple[Check, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing differs, and every value was computed again."""
        return sound(self.checks)


def check(path: Path, options: Options, roots: Sequence[Path]) -> Verified:
    """Look at an archive.

    roots  folders under which metrics of `evaluate` may lie

    Raises InputError (UnreadableArchive) for a file that is none or was changed: it says where.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    with file:
        try:
            archive = Archive(file)
            told = archive.provenance()
            checks = tuple(verify(archive, partial(find, roots=roots), options))
        except InputError as error:
            raise InputError(f"{path}: {error.message}") from None
        manifest = archive.manifest
    return Verified(
        system=manifest.evaluation.system,
        dataset=manifest.dataset.name,
        samples=manifest.dataset.size,
        origin=f"{told.get('evaluation')} of {told.get('service')}",
        digest=manifest.digest,
        checks=checks,
    )


def as_json(found: Verified) -> str:
    """All that was found."""
    shown: dict[str, Any] = asdict(found) | {"sound": found.sound}
    return json.dumps(shown, ensure_ascii=False, indent=2)


def show(found: Verified, console: Console) -> None:
    """A table of what was checked, then what it amounts to."""
    table = Table("metric", "checked", box=None, header_style="bold")
    table.add_column("value", justify="right")
    table.add_column("")
    table.add_column("detail", overflow="fold")
    for one in found.checks:
        what = WHAT.get(one.what) or " ".join(filter(None, (one.score, one.slice)))
        value = repr(one.value) if one.value is not None else ""
        status = Text(one.status, LOOKS[one.status])
        table.add_row(one.metric, what, value, status, Text(one.detail))
    console.print(table)
    console.print(
        f"\n{found.system} on {found.dataset}, {found.samples} samples; {found.origin}",
        markup=False,
    )
    console.print(f"digest {found.digest}", soft_wrap=True)
    counts = {name: sum(one.status == name for one in found.checks) for name in LOOKS}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    verdict, look = ("sound", "equal") if found.sound else ("NOT SOUND", "differs")
    console.print(f"{verdict}: {told}", style=LOOKS[look])
