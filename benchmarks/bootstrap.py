"""Paired bootstrap of BLEU against sacrebleu's, and its memory at a million segments."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparing import Row, bound, furthest, in_turns, ratio, rows_of, seconds, timed
from benchmarks.texts import Pairs, news
from metrics.bleu import METRIC
from metrics.core.rows import Floats
from metrics.statistics.intervals import Intervals, bootstrap
from metrics.statistics.paired import Difference, from_replicates
from metrics.statistics.weights import totals, unit_keys

REQUIRED = 10.0
SEGMENTS, MANY = 30_000, 1_000_000
REPLICATES = 1000
# Two bootstraps of 1,000 replicates differ by chance: by 4% of an interval's half width (one
# standard deviation), and by 0.022 at most in p. Beyond four of those it is no chance.
WIDTH, P = 0.17, 0.09
MEBIBYTES = 128  # beyond the rows themselves, at a million segments; sacrebleu's way takes 40 GB

BLEU = METRIC.bind()
Systems = tuple[Pairs, Pairs, Floats, Floats]


def rows(scale: float) -> Iterator[Row]:
    segments = max(100, int(SEGMENTS * scale))
    found = in_turns([systems(segments, seed) for seed in range(3)], ours, theirs)
    compared = [agreement(*results) for results in found.results]
    scores, width, p = (max(column) for column in zip(*compared, strict=True))
    yield ratio(
        f"paired bootstrap of BLEU, {segments} segments, {REPLICATES} replicates: two intervals "
        "and a p-value, against sacrebleu",
        found,
        REQUIRED,
        f"BLEU within {scores:.1g}; half widths within {width:.0%}, p within {p:.3f} "
        "(both resample at random)",
        agrees=scores < 1e-9 and width < WIDTH and p < P,
    )
    yield memory(max(1000, int(MANY * scale)))


def systems(segments: int, seed: int) -> Systems:
    """Two systems over the same references, equally good: a p-value worth comparing."""
    a = news(segments, seed)
    b = news(segments, seed, system=1)
    return a, b, rows_of(BLEU, a.samples), rows_of(BLEU, b.samples)


def reduce(sums: Floats) -> Floats:
    return BLEU.reduce(sums)


def ours(given: Systems) -> tuple[list[Intervals], Difference, list[Floats]]:
    """From stored rows, as the service does it: each system's interval, and the difference."""
    a, _, *both = given
    keys = unit_keys([sample.id for sample in a.samples])
    values = [reduce(totals(one)) for one in both]
    found = [bootstrap(one, keys, reduce, replicates=REPLICATES) for one in both]
    drawn = [one.replicates for one in found if one.replicates is not None]
    (difference,) = from_replicates(*drawn, *values, units=len(keys), recipe="sacrebleu")
    return found, difference, values


def theirs(given: Systems) -> Any:
    """sacrebleu's own test, of statistics that it need not count again."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.significance import PairedTest

    a, b, rows_a, rows_b = given
    known = {id(a.outputs): rows_a.astype(int).tolist(), id(b.outputs): rows_b.astype(int).tolist()}

    class Counted(BLEU):
        def _extract_corpus_statistics(self, hypotheses: Any, references: Any) -> Any:
            self.num_refs = 1
            return known[id(hypotheses)]

    named: list[tuple[str, Sequence[str]]] = [("a", a.outputs), ("b", b.outputs)]
    test = PairedTest(named, {"BLEU": Counted()}, [a.references], "bs", n_samples=REPLICATES)
    return test()[1]["BLEU"]


def agreement(
    mine: tuple[list[Intervals], Difference, list[Floats]], results: Any
) -> tuple[float, float, float]:
    """The largest differences: of values, of half widths (relative), and of p."""
    found, difference, values = mine
    scores = furthest([value[0] for value in values], [result.score for result in results])
    halves = [(one.high[0] - one.low[0]) / 2 for one in found]
    width = max(abs(h / r.ci - 1) for h, r in zip(halves, results, strict=True))
    return scores, float(width), abs(difference.p_value - results[1].p_value)


def memory(segments: int) -> Row:
    """In a process of its own, whose peak is its own."""
    command = [sys.executable, "-m", "benchmarks.bootstrap", str(segments)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return bound(
        f"peak memory of a bootstrap of BLEU, {segments} segments, {REPLICATES} replicates",
        told["mebibytes"],
        MEBIBYTES,
        "MiB",
        f"beyond the {told['rows']:.0f} MiB of float64 rows; took {seconds(told['seconds'])}",
    )


def report(segments: int) -> None:
    """Prints what a bootstrap of so many segments takes, as JSON."""
    counted = rows_of(BLEU, news(1000, seed=0).samples)
    many = np.tile(counted, (-(-segments // len(counted)), 1))[:segments]
    keys = unit_keys([f"s{at}" for at in range(segments)])
    bootstrap(many[:1000], keys[:1000], reduce, replicates=REPLICATES)  # what is loaded once
    forget_peak()
    before = peak()
    _, spent = timed(lambda all_: bootstrap(all_, keys, reduce, replicates=REPLICATES), many)
    told = {"mebibytes": peak() - before, "rows": many.nbytes / 2**20, "seconds": spent}
    print(json.dumps(told))


def peak() -> float:
    """Resident memory of this process at its highest, in MiB, since the last `forget_peak`."""
    status = Path("/proc/self/status").read_text()  # getrusage counts the parent's before exec, too
    (kibibytes,) = re.findall(r"VmHWM:\s+(\d+)", status)
    return int(kibibytes) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    report(int(sys.argv[1]))
