"""pass@k of other layouts than HumanEval's, against plain runs of what their harnesses do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest

from inference.errors import InputError
from inference.protocol import NoModels
from metrics.core.evidence import FLAG, Evidence
from metrics.core.measure import items_of
from metrics.core.measure import measure as measured
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.core.verdicts import Verdict, verdicts_of
from metrics.pass_at_k import METRIC
from metrics.programs.layouts import as_text
from metrics.sandbox import Ending

ADD = {
    "right": "def add(a, b):\n    return a + b\n",
    "wrong": "def add(a, b):\n    return a - b\n",
    "raises": "def add(a, b):\n    raise ValueError('нет 😀')\n",
    "syntax": "def add(a, b:\n",
    "nothing": "",
    "half": "def add(a, b):\n    return a + b if a else 9\n",
    "leaves": "import os\nos._exit(0)\n",
    "exits": "def add(a, b):\n    raise SystemExit(0)\n",
}
CASES = """
import unittest
from unittest.mock import patch
class TestCases(unittest.TestCase):
    def setUp(self):
        self.two = 2
    def test_sum(self):
        self.assertEqual(add(self.two, 3), 5)
    def test_zero(self):
        self.assertEqual(add(0, 0), 0)
    @patch("builtins.print")
    def test_texts(self, printed):
        with self.subTest("texts"):
            self.assertEqual(add("a", "b"), "ab")
"""
DOUBLE = {
    "right": "print(int(input()) * 2)",
    "by main": "def main():\n    print(2 * int(input()))\nif __name__ == '__main__':\n    main()",
    "reads all": "import sys\nfor line in sys.stdin.read().split():\n    print(int(line) * 2)",
    "bytes": "import sys\nsys.stdout.buffer.write(b'%d\\n' % (2 * int(sys.stdin.buffer.read())))",
    "by open": "print(int(open(0).read()) * 2)",
    "decimals": "print('%.3f ' % (int(input()) * 2))",
    "a thread": "from threading import *\nThread(target=lambda: print(2 * int(input()))).start()",
    "a file left open": "out = open(1, 'w', closefd=False)\nout.write(str(int(input()) * 2))",
    "at its end": "import atexit\nn = int(input())\natexit.register(lambda: print(n * 2))",
    "another stdout": "import io, sys\nprint(int(input()) * 2)\nsys.stdout = io.StringIO()",
    "closed": "import sys\nprint(int(input()) * 2)\nsys.stdout.close()",
    "at hand": "print(reduce(mul, [int(stdin.readline()), 2]))",
    "leaves": "print(int(input()) * 2)\nexit()",
    "leaves with 256": "print(int(input()) * 2)\nexit(256)",
    "leaves with a text": "print(int(input()) * 2)\nexit('done')",
    "wrong": "print(input() * 2)",
    "prompts": "print(int(input('n = ')) * 2)",
    "raises": "print(int(input()) * 2)\n1 / 0",
    "nothing": "pass",
}


def found(
    outputs: Sequence[str], tests: Any, **params: Any
) -> tuple[Evidence, list[list[Verdict]]]:
    metric = METRIC.bind(params)
    samples = [Sample("1", tuple(outputs), prompt="", tests=as_text(tests))]
    metric.check(samples)
    evidence = measured(metric, items_of(samples)[0], NoModels())
    return evidence, verdicts_of(metric, evidence)


def words(verdicts: list[Verdict]) -> list[str]:
    return [verdict.verdict for verdict in verdicts]


def passes(program: str, given: str = "") -> str | None:
    """What a plain interpreter prints; None where it leaves with another code than 0."""
    done = subprocess.run(
        [sys.executable, "-c", program], input=given.encode(), capture_output=True, check=False
    )
    return done.stdout.decode() if done.returncode == 0 else None


def same(printed: str | None, wanted: str) -> bool:
    """One line, stripped: equal, or a number of equal value."""
    try:
        return printed is not None and Decimal(printed.strip()) == Decimal(wanted.strip())
    except InvalidOperation:
        return False


def loaded(candidate: str, tests: str) -> bool:
    """BigCodeBench's way: the class is loaded from one source, and its suite is run."""
    code = f"""
import unittest
namespace = {{"__name__": "__test__"}}
exec({candidate + tests!r}, namespace)
loader, result = unittest.TestLoader(), unittest.TestResult()
loader.loadTestsFromTestCase(namespace["TestCases"]).run(result)
print("ran" if not result.failures + result.errors else "")
"""
    return (passes(code) or "").strip() == "ran"


def test_asserts_as_mbpp_runs_them() -> None:
    asserts = ["assert add(2, 3) == 5", "assert add(0, 0) == 0, 'zero'", "assert add(1, 1) == 2"]
    expected = [passes(f"{one}\n" + "\n".join([*asserts, "print(1)"])) for one in ADD.values()]
    listed, verdicts = found([*ADD.values()], asserts)
    assert listed["passed"].tolist() == [int(bool(one)) for one in expected]
    told = dict(zip(ADD, verdicts, strict=True))
    assert words(told["half"]) == ["passed", "assertion", "passed"]
    assert told["half"][1].source == "AssertionError: zero"
    assert told["raises"][0].source == "ValueError: нет 😀"
    assert words(told["syntax"]) == ["syntax_error"] * 3
    assert words(told["leaves"]) == ["exited"] * 3
    source, apart = found([*ADD.values()], "\n".join(asserts))
    assert source["tests"].tolist() == listed["tests"].tolist()
    assert list(map(words, apart)) == list(map(words, verdicts))


def test_unit_tests_as_bigcodebench_runs_them() -> None:
    evidence, verdicts = found([*ADD.values()], CASES)
    assert evidence["passed"].tolist() == [int(loaded(one, CASES)) for one in ADD.values()]
    assert not evidence["marks"].any()
    told = dict(zip(ADD, verdicts, strict=True))["half"]
    assert [(one.text, one.verdict) for one in told] == [
        ("TestCases.test_sum", "passed"),
        ("TestCases.test_zero", "assertion"),
        ("TestCases.test_texts", "passed"),
    ]
    reason = "AssertionError: 9 != 0 (line 10: self.assertEqual(add(0, 0), 0))"
    assert told[1].source == reason
    main = "if __name__ == '__main__':\n    unittest.main()\n"
    _, (with_main,) = found([ADD["half"]], CASES + main)
    assert with_main == told


def test_functions_are_tests_too() -> None:
    tests = "def test_one():\n    assert add(2, 3) == 5, 'sum'\nasync def test_two():\n"
    tests += "    assert add(0, 0) == 0\n"
    evidence, verdicts = found([ADD["right"], ADD["wrong"]], tests)
    assert evidence["passed"].tolist() == [1, 0]
    assert words(verdicts[1]) == ["assertion", "passed"]
    assert verdicts[1][0].source == "AssertionError: sum (line 2: assert add(2, 3) == 5, 'sum')"


def test_pairs_as_livecodebench_compares_them() -> None:
    """Its harness puts what programs use without importing before each of them."""
    pairs = {"inputs": ["3\n", "-4"], "outputs": ["6\n", "-8"]}
    before = "from sys import stdin\nfrom functools import reduce\nfrom operator import mul\n"

    def right(program: str) -> bool:
        ends = zip(pairs["inputs"], pairs["outputs"], strict=True)
        return all(same(passes(before + program, given), wanted) for given, wanted in ends)

    evidence, verdicts = found([*DOUBLE.values()], pairs)
    expected = {name: right(program) for name, program in DOUBLE.items()}
    got = dict(zip(DOUBLE, map(bool, evidence["passed"].tolist()), strict=True))
    assert got == expected
    assert [name for name, passed in got.items() if not passed] == [
        "leaves with a text", "wrong", "prompts", "raises", "nothing",
    ]  # fmt: skip
    told = dict(zip(DOUBLE, verdicts, strict=True))
    assert told["wrong"][0].source == "line 1: expected '6', got '33'"
    assert told["raises"][0] == Verdict("3\n", "exception", "ZeroDivisionError: division by zero")
    assert not evidence[FLAG].any()


def test_functions_are_called_as_livecodebench_and_apps_do() -> None:
    outputs = [
        "class Solution:\n    def pick(self, a: List[int], b: int) -> int:\n"
        "        return sorted(a)[b]",
        "def pick(a, b):\n    print('noise')\n    return sorted(a)[b]",
        "def pick(a, b):\n    return a[b]",
        "def pick(a, b):\n    return {a[b]}",
        "def other(): pass",
    ]
    tests = {"fn_name": "pick", "inputs": ["[3, 1, 2]\n0", "[5]\n0"], "outputs": ["1", "5"]}
    evidence, verdicts = found(outputs, tests)
    assert evidence["passed"].tolist() == [1, 1, 0, 0, 0]
    assert words(verdicts[2]) == ["wrong_answer", "passed"]
    assert verdicts[2][0].text == "pick([3, 1, 2], 0)"
    assert verdicts[2][0].source == "expected 1, got 3"
    apps = {"fn_name": "pair", "inputs": [[1, 2], [3, 4]], "outputs": [[[1, 2]], [3, 4]]}
    evidence, _ = found(["def pair(a, b):\n    return (a, b)"], apps)
    assert evidence["passed"].tolist() == [1]


def test_each_way_to_fail_has_a_word() -> None:
    outputs = {
        "forbidden": "open('/etc/passwd', 'w')",
        "timeout": "import time\ntime.sleep(60)",
        "too_long": "while True: print('x' * 10_000)",
        "memory": "x = bytearray(9 << 30)",
        "killed": "import os\nos.abort()",
    }
    evidence, verdicts = found([*outputs.values()], [{"input": "", "output": "1"}] * 2, timeout_s=1)
    assert {one[0].verdict: one[1].verdict for one in verdicts} == {
        "forbidden": "forbidden",
        "timeout": "not_run",
        "too_long": "not_run",
        "memory": "memory",
        "killed": "killed",
    }
    assert verdicts[0][0].source == "OSError: [Errno 30] Read-only file system: '/etc/passwd'"
    assert evidence[FLAG].tolist() == [0, 1, 0, 1, 1]
    assert evidence["ending"].tolist()[:3] == [Ending.FAILED, Ending.TIMEOUT, Ending.LONG]


def test_honest_programs_of_contests_pass() -> None:
    digits = {"fn_name": "f", "inputs": ["10000"], "outputs": ["1" + "0" * 10_000]}
    evidence, _ = found(["def f(n): return 10**n", "def f(n): return 10**n + 1"], digits)
    assert evidence["passed"].tolist() == [1, 0]
    outputs = ["print(10**5000 - int(open('/dev/stdin').read()) + 3)", "\ufeffprint(10**5000)"]
    pairs = [{"input": "3\n", "output": "1" + "0" * 5000}] * 2
    evidence, _ = found(outputs, pairs)
    assert evidence["passed"].tolist() == [1, 1]
    evidence, _ = found(["cat /dev/stdin"], [{"input": "я\n", "output": "я"}], language="bash")
    assert evidence["passed"].tolist() == [1]


def test_reasons_keep_type_and_message_of_hostile_errors() -> None:
    raises = "raise ValueError('\\udcff\\ud800\\x00 \\x1b[31m \\u202e')"
    for tests in ([{"input": "", "output": "1"}], ["assert f()"]):
        _, ((told, *_),) = found([raises], tests)
        assert told.source == r"ValueError: \udcff\ud800\x00 \x1b[31m \u202e"


def test_a_pass_that_counts_as_failed_is_no_pass_in_its_verdict() -> None:
    marked = "import sys\nsys.settrace(None)\ndef f(): return 3\n"
    for suspicious, word in (("count", "passed"), ("fail", "suspicious")):
        _, verdicts = found([marked], ["assert f() == 3"], suspicious=suspicious)
        assert verdicts[0] == [Verdict("assert f() == 3", word, "marks: frames")]


def test_tests_of_no_use_are_refused_by_their_field() -> None:
    for params, tests in (
        ({}, [{"input": "1"}]),
        ({}, []),
        ({"language": "bash"}, "assert add(1, 2) == 3"),
        ({"language": "bash"}, {"fn_name": "f", "inputs": [[1]], "outputs": [1]}),
    ):
        with pytest.raises(InputError) as caught:
            found(["x"], tests, **params)
        assert caught.value.field == "samples[0].tests"


def test_the_estimate_is_of_programs_that_pass_all_tests() -> None:
    tests = json.dumps([{"input": "3", "output": "6"}, {"input": "0", "output": "0"}])
    outputs = (DOUBLE["right"], "print(6)", DOUBLE["wrong"], "print(int(input()) + 3)")
    (result,) = score([Sample("1", outputs, prompt="?", tests=tests)], [METRIC.bind({"k": [1, 2]})])
    assert [one.value for one in result.scores] == [0.25, pytest.approx(0.5)]
