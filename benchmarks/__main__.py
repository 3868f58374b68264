"""`python -m benchmarks`: the table. Exits with 1 where numbers disagree or a bound is missed."""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.comparing import Row

COMPARISONS = (
    "rouge",
    "bleu",
    "chrf",
    "rouge_gaps",
    "edits",
    "words",
    "overlap",
    "ranking",
    "readability",
    "language",
    "personal_data",
    "profanity",
    "answers",
    "bootstrap",
    "distinct_n",
    "bertscore",
    "embeddings",
    "distributional",
    "causal",
    "entailment",
    "questions",
    "toxicity",
    "compression",
    "interior",
    "labels",
    "service",
    "memory",
    "remote",
    "comparisons",
    "boards",
    "people",
    "openai",
    "training",
)


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    asked.add_argument("--only", nargs="+", choices=COMPARISONS, default=COMPARISONS)
    asked.add_argument(
        "--scale", type=float, default=1.0, help="share of the text; below 1 no bound is enforced"
    )
    given = asked.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 200)
    print(machine(), flush=True)
    begun = time.perf_counter()
    rows: list[Row] = []
    for name in given.only:
        for row in import_module(f"benchmarks.{name}").rows(given.scale):
            found = f"{row.what}: {row.ratio or row.ours}; {row.agreement}"
            print(f"{time.perf_counter() - begun:4.0f} s  {found}", file=sys.stderr, flush=True)
            rows.append(row)
    console.print(table(rows))
    print(f"{time.perf_counter() - begun:.0f} s in all; load average at the end {load()}")
    wrong = [row for row in rows if not row.agrees]
    slow = [row for row in rows if not row.fast] if given.scale >= 1 else []
    for row in wrong:
        print(f"numbers disagree: {row.what}: {row.agreement}")
    for row in slow:
        print(f"bound missed: {row.what}: {row.ratio or row.ours}, required {row.required}")
    return 1 if wrong or slow else 0


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    return f"{cores} CPU cores, load average {load()}, Python {sys.version.split()[0]}"


def load() -> str:
    """Over 1, 5 and 15 minutes: figures in seconds mean little on a busy machine."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def table(rows: list[Row]) -> Table:
    shown = Table(box=box.MARKDOWN)
    shown.add_column("what", max_width=60)
    for heading in ("ours", "theirs", "ratio", "required"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("agreement")
    for row in rows:
        ratio = row.ratio if row.fast else f"{row.ratio} (missed)".strip()
        shown.add_row(row.what, row.ours, row.theirs, ratio, row.required, row.agreement)
    return shown


if __name__ == "__main__":
    sys.exit(main())
