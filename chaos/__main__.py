"""`make chaos`: kill processes of the service at random under load, and compare what comes of it.

First every kind of work is done once, undisturbed. Then clients ask for the same again and again
while processes are killed. The exit status is 1 where anything was lost, doubled or changed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from assay import Client
from chaos.clients import Outcome, Patience, customer, outcome
from chaos.service import VICTIMS, Service, running
from chaos.verdict import Kind, doubled, kinds
from chaos.work import AT_ONCE, EVALUATIONS, EVERY, TRAININGS

CUSTOMERS = (EVALUATIONS, EVALUATIONS[::-1], EVALUATIONS[1:], AT_ONCE, TRAININGS, TRAININGS[::-1])
MOST_IDLE = 3  # kills in a row without anything ending between them: then they wait for it


def main() -> int:
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 120)
    chance = random.Random(options.seed)  # noqa: S311 - which process dies is no secret
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="assay-chaos-") as folder,
        running(Path(folder)) as service,
    ):
        patience = Patience(options.patience, Counter())
        firsts = _undisturbed(service, patience)
        undisturbed = {one.work.name: one.values or {} for one in firsts}
        outcomes: list[Outcome] = []
        killed = _disturb(service, options.kills, options.every, chance, patience, outcomes)
        with Client(service.url) as assay:
            twice = patience.insist(lambda: doubled(assay, [*firsts, *outcomes]))
        if options.log is not None:
            options.log.write_bytes(service.log.read_bytes())
    found = kinds(outcomes, undisturbed)
    console.print(_kills(killed))
    console.print(_table(found))
    console.print(
        f"{time.monotonic() - begun:.0f} s; seed {options.seed}; doubled: {twice or 'nothing'}; "
        f"not answered at once: {dict(patience.refusals)}"
    )
    for one in outcomes:
        if one.values is None:
            console.print(f"lost: {one.work.name} {one.key}: {one.problem}", soft_wrap=True)
    wrong = twice or any(one.lost or one.changed for one in found)
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    asked.add_argument("--kills", type=int, default=100)
    asked.add_argument("--every", type=float, default=8.0, help="seconds between kills, on average")
    asked.add_argument("--seed", type=int, default=0, help="of what is killed when")
    asked.add_argument(
        "--patience", type=float, default=900.0, help="seconds after which a request is lost"
    )
    asked.add_argument("--log", type=Path, help="where to keep what the service said")
    return asked.parse_args()


def _undisturbed(service: Service, patience: Patience) -> list[Outcome]:
    """Every kind of work, done once in peace."""
    done = []
    with Client(service.url) as assay:
        for work in EVERY:
            found = outcome(assay, work, f"undisturbed {work.name}", patience)
            if found.values is None:
                raise SystemExit(f"{work.name} does not even work in peace: {found.problem}")
            print(f"in peace: {work.name}, {len(found.values)} numbers", file=sys.stderr)
            done.append(found)
    return done


def _disturb(
    service: Service,
    kills: int,
    every: float,
    chance: random.Random,
    patience: Patience,
    outcomes: list[Outcome],
) -> Counter[str]:
    """Kills while customers ask; returns what was killed once all that they asked for has ended."""
    closing = threading.Event()
    customers = [
        threading.Thread(
            target=customer,
            args=(service.url, f"customer-{number}", works, patience, closing, outcomes),
        )
        for number, works in enumerate(CUSTOMERS)
    ]
    for one in customers:
        one.start()
    killed: Counter[str] = Counter()
    idle = ended = 0
    try:
        while killed.total() < kills:
            time.sleep(chance.expovariate(1 / every))
            if idle == MOST_IDLE:
                _until_more(outcomes, ended, patience.seconds)
            idle, ended = (0 if len(outcomes) > ended else idle + 1), len(outcomes)
            while (role := service.kill_one(chance)) is None:
                time.sleep(0.2)
            killed[role] += 1
            print(
                f"kill {killed.total()}: {role}; {len(outcomes)} ended so far, "
                f"{sum(one.values is None for one in outcomes)} lost",
                file=sys.stderr,
                flush=True,
            )
    finally:
        closing.set()
        for one in customers:
            one.join()
    return killed


def _until_more(outcomes: list[Outcome], ended: int, seconds: float) -> None:
    """Returns once more than `ended` requests have ended, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while len(outcomes) <= ended and time.monotonic() < deadline:
        time.sleep(0.2)


def _kills(killed: Counter[str]) -> Table:
    shown = Table(box=box.MARKDOWN)
    shown.add_column("killed")
    shown.add_column("times", justify="right")
    for role in VICTIMS:
        shown.add_row(role, str(killed[role]))
    shown.add_row("all", str(killed.total()))
    return shown


def _table(found: list[Kind]) -> Table:
    shown = Table(box=box.MARKDOWN)
    shown.add_column("work")
    for heading in ("asked", "accepted", "lost", "changed", "largest difference"):
        shown.add_column(heading, justify="right")
    for one in found:
        counts = (one.asked, one.accepted, one.lost, one.changed)
        apart = f"{one.apart:.1g}" if one.apart else "none"
        shown.add_row(one.name, *map(str, counts), apart)
    return shown


if __name__ == "__main__":
    sys.exit(main())
