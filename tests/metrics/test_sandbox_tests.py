"""Many tests of a program in one sandbox: none is forged, and none reaches the next."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from metrics.sandbox import Ending, Limits, Outcome, Program, run, run_tests
from metrics.sandbox.languages import LANGUAGES
from tests.metrics.test_sandbox_forging import READ_AND_WRITE_ALL

SHORT = Limits(timeout_s=2)
SEARCH = """
import gc, sys
seen, frame = [], sys._getframe()
while frame:
    seen += [repr(frame.f_locals), repr(frame.f_globals)]
    frame = frame.f_back
seen += [repr(one) for one in gc.get_objects() if isinstance(one, (list, dict, tuple))]
secret = "".join(reversed("TERCES"))
print(secret if any(secret in one for one in seen) else input())
"""
LEAVES = """
import os, time
test = input()
if test == "1":
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(0)
            while True:
                open("/tmp/alive", "a").write("x")
                time.sleep(0.01)
        os._exit(0)
    time.sleep(0.2)
else:
    before = os.path.getsize("/tmp/alive")
    time.sleep(0.3)
    assert os.path.getsize("/tmp/alive") == before > 0
print(test)
"""


def outcomes(
    program: str, pairs: Sequence[tuple[str, str]], language: str = "python"
) -> list[Outcome]:
    given, wanted = zip(*pairs, strict=True)
    (found,) = run_tests([Program((program,), given, (), wanted, "stdin", language)], SHORT)
    return found


def endings(found: Sequence[Outcome]) -> list[str]:
    return [outcome.ending.name for outcome in found]


def test_what_is_expected_is_not_in_the_sandbox() -> None:
    assert endings(outcomes(SEARCH, [("SECRE", "SECRET"), ("x", "x")])) == ["WRONG", "PASSED"]


def test_what_a_test_leaves_behind_is_gone_before_the_next() -> None:
    found = outcomes(LEAVES, [("1", "1"), ("2", "2"), ("3", "3")])
    assert endings(found) == ["PASSED"] * 3, found


def test_a_process_left_behind_prints_for_no_other_test() -> None:
    """It holds the pipe of its own test, whose answer is complete when the program has ended."""
    program = "import os, time\ntest = input()\nif test == '1' and os.fork() == 0:\n"
    program += "    while True:\n        os.write(1, b'2\\n')\n        time.sleep(0.01)\n"
    found = outcomes(program, [("1", "1"), ("2", "2")])
    assert endings(found)[1] == "WRONG"
    assert found[1].difference == "line 1: expected '2', got ''"


def test_each_test_of_source_needs_its_own_token() -> None:
    tests = tuple(f"assert add({number}, 1) == {number + 1}\n" for number in range(3))
    leaves = "import os\ndef add(a, b):\n    if a == 1:\n        os._exit(0)\n    return a + b\n"
    (honest, forged) = run_tests([Program((leaves,), tests), Program((READ_AND_WRITE_ALL,), tests)])
    assert endings(honest) == ["PASSED", "EXITED", "PASSED"]
    assert {outcome.ending for outcome in forged} == {Ending.EXITED}
    assert all("descriptors" in outcome.marks for outcome in forged)


def test_state_is_not_carried_over() -> None:
    program = "calls = []\ndef count():\n    calls.append(1)\n    return len(calls)\n"
    (found,) = run_tests([Program((program,), ("assert count() == 1\n",) * 3)])
    assert endings(found) == ["PASSED"] * 3


def test_after_one_that_had_to_be_stopped_none_is_run() -> None:
    program = "import time\nif input() == '2':\n    time.sleep(60)\nprint(1)\n"
    began = time.monotonic()
    found = outcomes(program, [("1", "1"), ("2", "1"), ("3", "1"), ("2", "1")])
    assert endings(found) == ["PASSED", "TIMEOUT", "NOT_RUN", "NOT_RUN"]
    assert time.monotonic() - began < 15  # twice, for a pause is the machine's part


def test_large_inputs_and_answers_pass_through() -> None:
    text = "".join(f"{number} Ж😀\n" for number in range(40_000))  # 0.5 MB
    echo = "import sys\nsys.stdout.write(sys.stdin.read())"
    assert endings(outcomes(echo, [(text, text), ("", "")])) == ["PASSED", "PASSED"]
    deaf = "import os\nos.close(0)\nprint(1)"
    assert endings(outcomes(deaf, [(text, "1")])) == ["PASSED"]


def test_a_sandbox_is_started_once_for_all_tests() -> None:
    count = 40
    pairs = [(str(number), str(number)) for number in range(count)]
    outcomes("print(input())", pairs[:1])
    began = time.monotonic()
    assert set(endings(outcomes("print(input())", pairs))) == {"PASSED"}
    together = time.monotonic() - began
    began = time.monotonic()
    for pair in pairs[:8]:
        outcomes("print(input())", [pair])
    apart = (time.monotonic() - began) / 8 * count
    assert together < apart / 2, (together, apart)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("cat /etc/passwd || echo none", "none"),
        ("echo x > /etc/x || echo none", "none"),
        ("(exec 3<>/dev/tcp/1.1.1.1/80) && echo reached || echo none", "none"),
        ("ls /proc /root 2>/dev/null; kill -9 1; echo none", "none"),
        ("echo $HOME $PATH", "/tmp /usr/bin"),
        ("sort <<< $'b\\na' | head -n 1", "a"),
        ("cat <(echo x) 2>/dev/null || echo none", "none"),  # a pipe's name is a link into /proc
        ("echo /dev/fd/*", "/dev/fd/0"),
    ],
)
def test_bash_is_held_as_python_is(program: str, expected: str) -> None:
    (outcome,) = outcomes(program, [("", expected)], "bash")
    assert outcome.passed, outcome


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0"])
def test_the_input_has_names(name: str) -> None:
    programs = {
        "python": f"print(open({name!r}).read() + open({name!r}).read())",
        "bash": f"cat {name} && cat < {name}",
    }
    for language, program in programs.items():
        for outcome in outcomes(program, [("1", "11"), ("2", "22")], language):
            assert outcome.passed, (language, outcome)
    assert not run(f"open({name!r})").passed  # tests of source have no input


def test_a_fork_bomb_of_another_language_is_contained() -> None:
    bomb = "f() { f | f & }; f; sleep 60"
    assert endings(outcomes(bomb, [("", "1")], "bash"))[0] in {"TIMEOUT", "FAILED", "WRONG"}
    assert run("assert 1").passed


def test_memory_of_another_language_is_bounded() -> None:
    grows = "x=a; while true; do x=$x$x; done"
    assert endings(outcomes(grows, [("", "1")], "bash"))[0] != "PASSED"


def test_every_language_says_how_it_is_installed() -> None:
    for language in LANGUAGES.values():
        assert language.names
        assert language.install
        assert language.hello
