"""Which answers are right, and what is said of tests that failed."""

from __future__ import annotations

import json

import pytest

from metrics.core.evidence import NOTES, Evidence
from metrics.programs.layouts import SampleTests, parsed
from metrics.programs.reasons import LONGEST, MOST_NOTES, notes, reason, verdicts
from metrics.sandbox import Ending, Outcome
from metrics.sandbox.answers import LINE, difference, right

NODE = (
    "/tmp/program:1\nx()\n^\n\nTypeError: x is not a function\n    at /tmp/program:1:1\n\nNode.js\n"
)
LUA = "lua5.4: /tmp/program:1: x\nstack traceback:\n\t/tmp/program:1: in main chunk\n\t[C]: in ?\n"
SOURCE = parsed("def check(f):\n    assert f(1) == 2\ncheck(add)\n")


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("3\n", "3", True),
        ("  3 \r\n4\n\n", "3\n4", True),
        ("1.50 2", "1.5 2.0", True),
        ("1.5000001", "1.5", False),
        ("50000000000000000", "50000000000000001", False),
        ("1e0", "1", True),
        ("nan", "NaN", False),
        ("sNaN 1", "NaN 1", False),
        ("3 4", "3  4", True),  # as many numbers of equal value
        ("a b", "a  b", False),
        ("Yes", "YES", False),
        ("3\n\n4", "3\n4", False),
        ("", "", True),
        ("", "3", False),
        ("Привет 😀", "Привет 😀\n", True),
        ("\udcff", "\ufffd", False),
    ],
)
def test_printed_text(printed: str, expected: str, same: bool) -> None:
    assert right("stdin", printed.encode("utf-8", "surrogateescape"), expected) is same


@pytest.mark.parametrize(
    ("returned", "expected", "same"),
    [
        ("[1, 2]", "[1, 2]", True),
        ("1", "1.0", True),
        ("[1, 2]", "[2, 1]", False),
        ("", "1", False),
        ("[" * 100_000, "1", False),
        ("9" * 10_000, "1", False),
        ("NaN", "NaN", False),
    ],
)
def test_returned_values(returned: str, expected: str, same: bool) -> None:
    wanted = json.dumps({"any": [json.loads(expected)]})
    assert right("call", returned.encode(), wanted) is same


@pytest.mark.parametrize(
    ("outcome", "word", "text"),
    [
        (Outcome(Ending.PASSED), "passed", None),
        (Outcome(Ending.PASSED, marks=("frames",)), "passed", "marks: frames"),
        (
            Outcome(Ending.FAILED, '  File "<tests>", line 2, in check\n\0AssertionError: no'),
            "assertion",
            "AssertionError: no (line 2: assert f(1) == 2)",
        ),
        (
            Outcome(Ending.FAILED, 'File "<tests>", line 999999999, in x\n\0AssertionError: '),
            "assertion",
            "AssertionError",
        ),
        (Outcome(Ending.FAILED, "\0IndentationError: x"), "syntax_error", "IndentationError: x"),
        (Outcome(Ending.FAILED, "\0PermissionError: x"), "forbidden", "PermissionError: x"),
        (Outcome(Ending.FAILED, "\0my.own.Error: x"), "exception", "my.own.Error: x"),
        (Outcome(Ending.FAILED, NODE), "exception", "TypeError: x is not a function"),
        (Outcome(Ending.FAILED, LUA), "exception", "lua5.4: /tmp/program:1: x"),
        (Outcome(Ending.FAILED), "exception", "left with an exit code other than 0"),
        (Outcome(Ending.TIMEOUT, "noise"), "timeout", None),
        (Outcome(Ending.NOT_RUN), "not_run", None),
    ],
)
def test_reasons(outcome: Outcome, word: str, text: str | None) -> None:
    assert reason(SOURCE, outcome) == (word, text)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("a\nx\n1.5", "line 2: expected 'b', got 'x'"),
        ("a\nb", "line 3: expected '1.50', got nothing"),
        ("a\nb\n1.5\nd", "line 4: expected nothing, got 'd'"),
        ("", "line 1: expected 'a', got ''"),
    ],
)
def test_wrong_answers_name_the_first_line_that_differs(answer: str, text: str) -> None:
    assert difference("stdin", answer.encode(), "a\n b \n1.50") == text
    assert reason(SOURCE, Outcome(Ending.WRONG, difference=text)) == ("wrong_answer", text)


def test_a_line_far_below_is_found_and_cut() -> None:
    expected = "x\n" * 5000 + "y" * 5000
    told = difference("stdin", b"x\n" * 5000, expected)
    assert told == f"line 5001: expected '{'y' * LINE}…', got nothing"


def test_hostile_text_is_cut_and_can_be_stored() -> None:
    said = "\0ValueError: <script>\0\ud800" + "\u202e😀" * 5000
    _, text = reason(SOURCE, Outcome(Ending.FAILED, said))
    assert text is not None
    assert len(text) == LONGEST
    text.encode()
    assert "\0" not in text


def test_failures_are_kept_before_passes() -> None:
    count = MOST_NOTES + 100
    tests = SampleTests(
        "stdin", ("x",) * count, tuple(map(str, range(count))), expected=("",) * count
    )
    outcomes = [Outcome(Ending.PASSED)] * (count - 1) + [Outcome(Ending.KILLED)]
    (kept,) = verdicts(Evidence.of_ragged({NOTES: [notes(tests, outcomes)]}))
    assert len(kept) == MOST_NOTES
    assert (kept[-1].text, kept[-1].verdict) == (str(count - 1), "killed")
    assert [one.text for one in kept[:-1]] == [str(at) for at in range(MOST_NOTES - 1)]
