"""What tests may look like, and how they are taken apart."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from inference.errors import InputError
from metrics.programs.layouts import as_text, parsed

BOTH = ["TestCases.test_a", "TestCases.test_b"]
MAIN = "if __name__ == '__main__':\n    unittest.main()\n"
MORE = "class More(TestCases):\n    def test_c(self): pass\n"
FUNCTIONS = "def test_a():\n    assert f()\nasync def test_b(): assert f()\ndef test_c(x): pass\n"
ASSERTS = "import math\nx = 1\nassert f(x) == 2\nassert f(2) == (\n  3)\n"
CASES = "import unittest\nclass TestCases(unittest.TestCase):\n    def test_a(self): pass\n"
CASES += "    def helper(self): pass\n    def test_b(self): pass\n"


@pytest.mark.parametrize(
    "tests",
    [
        {"inputs": ["1\n2", "3"], "outputs": ["a", "b"]},
        {"input": ["1\n2", "3"], "output": ["a", "b"]},
        {"inputs": [["1", "2"], ["3"]], "outputs": [["a"], ["b"]], "fn_name": None},
        [{"input": "1\n2", "output": "a", "testtype": "stdin"}, {"input": "3", "output": "b"}],
    ],
)
def test_pairs(tests: Any) -> None:
    found = parsed(as_text(tests))
    assert found.kind == "stdin"
    assert found.tests == ("1\n2", "3")
    assert found.expected == ("a", "b")


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([[[3, 1], 0], [[], 1]], [[1], None]),  # APPS
        (["[3, 1]\n0", "[]\n1"], ["[1]", "null"]),  # LiveCodeBench
    ],
)
def test_calls(inputs: list[Any], outputs: list[Any]) -> None:
    found = parsed(json.dumps({"fn_name": "f", "inputs": inputs, "outputs": outputs}))
    assert found.kind == "call"
    assert [json.loads(one)["arguments"] for one in found.tests] == [[[3, 1], 0], [[], 1]]
    assert found.names[0] == "f([3, 1], 0)"
    assert [json.loads(one)["any"][0] for one in found.expected] == [[1], None]


@pytest.mark.parametrize(
    ("tests", "names"),
    [
        (ASSERTS, ["assert f(x) == 2", "assert f(2) == (\n  3)"]),
        (json.dumps(["assert f(1) == 2", "assert f(2)"]), ["assert f(1) == 2", "assert f(2)"]),
        (json.dumps({"test_setup_code": "x = 1", "test_list": ["assert x"]}), ["assert x"]),
        (CASES, BOTH),
        (CASES + MAIN, BOTH),
        (CASES + "unittest.main()", BOTH),
        (CASES + MORE, [*BOTH, "More"]),
        (FUNCTIONS, ["test_a", "test_b"]),
        # nothing else would run them
        ("import random\nrandom.seed(0)\n" + CASES, BOTH),
        (CASES + "for x in range(3):\n    print(x)\nassert f(1)\n", ["assert f(1)", *BOTH]),
        ("assert f(1)\nx = 2\n" + CASES + "assert x\n", BOTH),
        # what cannot be told apart runs as one
        ("def check(f):\n    assert f(1)\ncheck(add)\n", ["tests"]),
        ("x = 1\nassert x\nx = 2\nassert x == 2\n", ["tests"]),
        ("import math; assert f(1)\n", ["tests"]),
        ("for x in range(3):\n    assert f(x)\nassert f(9)\n", ["tests"]),
        ("assert f(1\n", ["tests"]),
        ("", ["tests"]),
        ("[print(1) for _ in x]", ["tests"]),
        (CASES + "def load_tests(*_): ...\n", ["tests"]),
        (CASES + "unittest.TextTestRunner().run(TestCases('test_a'))\n", ["tests"]),
        ("def test(x=1): return f(x)\nprint(test())\nassert test()\n", ["tests"]),
        ("def test(): pass\nprint(" + "1 + " * 5000 + "1)\n", ["tests"]),
        ("def test(): return 1\nassert test()\nx = 2\nassert x\n", ["tests"]),
        ("assert " + "(" * 5000 + ")" * 5000, ["tests"]),
    ],
)
def test_source(tests: str, names: list[str]) -> None:
    found = parsed(tests)
    assert found.kind == "source"
    assert list(found.names) == names
    assert parsed(tests, apart=False).kind == "source"


def test_the_rest_of_a_source_keeps_its_lines() -> None:
    source = "import math\r\n\r\nassert f(1)\r\nassert f(2)\r\n"
    found = parsed(source)
    assert found.shared == ("import math\n\n\n\n\n",)
    assert found.tests == ("assert f(1)\n", "assert f(2)\n")


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ([], "is empty"),
        ({"inputs": ["1"], "outputs": []}, "1 inputs, but 0 outputs"),
        ({"inputs": "1", "outputs": "2"}, "have to be lists"),
        ({"inputs": [1], "outputs": ["2"]}, "have to be texts"),
        ({"fn_name": "f(", "inputs": [[1]], "outputs": [2]}, "a function's name"),
        ({"fn_name": "f", "inputs": ["{1"], "outputs": ["2"]}, "arguments"),
        ({"tests": ["x"]}, "no known layout"),
        ([{"input": "x"}], "no known layout"),
        ([1, 2], "no known layout"),
        ([{"input": "[1]", "output": "2", "testtype": "functional"}], "`fn_name`"),
        ([{"input": "1", "output": "2", "fn_name": ["f"]}], "a function's name"),
        ([{"input": "1", "output": "2", "fn_name": {}}], "a function's name"),
        ({"test_list": [1]}, "have to be texts"),
        ({"test_list": ["assert 1"], "test_imports": 5}, "have to be texts"),
        ({"inputs": ["1"] * 1001, "outputs": ["1"] * 1001}, "1000 is the most"),
    ],
)
def test_what_is_of_no_use_is_told(tests: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parsed(as_text(tests))
    assert caught.value.field == "tests"


def test_hostile_sizes_take_no_time() -> None:
    began = time.monotonic()
    deep = "[" * 100_000
    assert parsed(deep).names == ("tests",)
    parsed("assert 1\n" * 50_000)
    assert parsed("def test_x(): pass\n" * 20_000).names == ("tests",)
    assert time.monotonic() - began < 15
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(ValueError, match="too deep"):
        as_text(nested)
