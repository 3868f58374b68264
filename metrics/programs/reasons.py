"""Why a program failed a test, for people to read: a word, and a text of bounded size.

What a program wrote is hostile text: it can tell lies about why it failed, and no number depends on
it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.core.evidence import Evidence
from metrics.core.notes import packed, unpacked
from metrics.core.verdicts import Verdict
from metrics.programs.layouts import SampleTests
from metrics.sandbox import Ending, Outcome

LONGEST = 500  # characters of a reason
LONGEST_NAME = 300  # characters of a test
MOST_NOTES = 200  # tests of a program that are kept to be read: its failures first
_PLACE = re.compile(r'File "<tests>", line (\d{1,9}), in (\S+)')
_NAME = re.compile(r"(?:\w+\.)*(\w+)(?=:|$)")
_RAISED = re.compile(r"(?:<ref \*\d{1,3}> )?[\w.]*(Error|Exception|Exit)\b(:|$)")
_WORDS = {
    Ending.PASSED: "passed",
    Ending.EXITED: "exited",
    Ending.TIMEOUT: "timeout",
    Ending.MEMORY: "memory",
    Ending.KILLED: "killed",
    Ending.WRONG: "wrong_answer",
    Ending.LONG: "too_long",
    Ending.NOT_RUN: "not_run",
}
_SYNTAX = {"SyntaxError", "IndentationError", "TabError"}
_FORBIDDEN = re.compile(
    r"PermissionError|Operation not permitted|Permission denied|Read-only file system|"
    r"Network is unreachable|Address family not supported|\bE(?:PERM|ACCES|ROFS|NETUNREACH)\b"
)


def reason(tests: SampleTests, outcome: Outcome) -> tuple[str, str | None]:
    """The word for how one of the tests ended, and what more there is to say."""
    told = ", ".join(outcome.marks)
    if outcome.ending is Ending.PASSED:
        return "passed", f"marks: {told}" if told else None
    if outcome.ending is Ending.WRONG:
        return "wrong_answer", cut(outcome.difference)
    text = _error(outcome.stderr)
    word = _WORDS.get(outcome.ending) or _word(text)
    if word == "assertion":
        text = " ".join(filter(None, [text, _where(tests, outcome.stderr)]))
    elif outcome.ending in {Ending.LONG, Ending.NOT_RUN, Ending.TIMEOUT}:
        text = ""
    elif outcome.ending is Ending.FAILED:
        text = text or "left with an exit code other than 0"
    return word, cut(text) or None


def cut(text: str, longest: int = LONGEST) -> str:
    """The beginning of a text; what controls a terminal or turns the line around, and what no one
    can store, is written as Python would."""
    text = "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text[: longest + 1]
    )
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _error(stderr: str) -> str:
    """`ValueError: …`: what Python's errors say of themselves, else the line that speaks of one."""
    _, told, error = stderr.rpartition("\0")
    if told:
        error = error.strip().removesuffix(":")
        inner = error.removeprefix("AssertionError: ")  # as unittest's failures are raised
        return inner if _RAISED.match(inner) else error
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    speaking = [line for line in lines if _RAISED.match(line)]  # Node's `TypeError: …`
    speaking += [line for line in lines if "syntax error" in line.lower()]
    speaking += [line for line in lines if "/tmp/program" in line and " " in line]  # noqa: S108
    return re.sub(r"^<ref \*\d{1,3}> ", "", next(iter([*speaking, *lines[-1:]]), ""))


def _word(text: str) -> str:
    found = _NAME.match(text)
    name = found[1] if found else ""
    if name in _SYNTAX or "syntax error" in text.lower():
        return "syntax_error"
    if _FORBIDDEN.search(text):
        return "forbidden"
    return {"AssertionError": "assertion", "SystemExit": "exited"}.get(name, "exception")


def _where(tests: SampleTests, stderr: str) -> str:
    """The line of the tests that failed; a test that is one line is shown as its name."""
    apart = bool(tests.shared)
    places = [int(line) for line, of in _PLACE.findall(stderr) if not apart or of != "<module>"]
    lines = tests.whole.split("\n")
    if not places or not 0 < places[-1] <= len(lines):
        return ""
    line = lines[places[-1] - 1].strip()
    return f"(line {places[-1]}: {line})" if line else ""


def notes(tests: SampleTests, outcomes: Sequence[Outcome]) -> NDArray[np.uint8]:
    """The tests of a program with words and reasons, to be kept with its evidence."""
    kept = sorted(range(len(outcomes)), key=lambda at: outcomes[at].passed)[:MOST_NOTES]
    told = [
        [cut(tests.names[at], LONGEST_NAME), *reason(tests, outcomes[at])] for at in sorted(kept)
    ]
    return packed(told)


def verdicts(evidence: Evidence, fail: bool = False) -> list[list[Verdict]]:
    """Of each program, its tests: how each ended, and why it failed; with `fail` a pass that bears
    marks is `suspicious`."""
    return [
        [
            Verdict(name, "suspicious" if fail and word == "passed" and why else word, why)
            for name, word, why in told
        ]
        for told in unpacked(evidence)
    ]
