"""Programs that would forge their pass: what fails, and what passes with a mark."""

from __future__ import annotations

import pytest

from metrics.sandbox import Ending, run

TESTS = "assert add(1, 2) == 3\n"
WRONG = "def add(a, b):\n    return a - b\n"
FORGED = {  # (candidate, tests, the mark)
    "constants of the tests' frame": (
        "import sys\ndef add(a, b):\n    return sys._getframe(1).f_code.co_consts[-1]\n",
        "assert 3 == 3 == add(1, 2) or 3\n",
        "frames",
    ),
    "a frame by an error": (
        "def add(a, b):\n    try:\n        1 / 0\n    except ZeroDivisionError as error:\n"
        "        error.__traceback__.tb_frame.f_back\n    return 3\n",
        TESTS,
        "frames",
    ),
    "a frame by inspect": (
        "import inspect\ndef add(a, b):\n    inspect.currentframe()\n    return 3\n",
        TESTS,
        "frames",
    ),
    "a frame under the tests' name": (
        "exec(compile('import sys\\ndef add(a, b):\\n    sys._getframe(1)\\n    return 3',"
        " '<tests>', 'exec'))\n",
        TESTS,
        "frames",
    ),
    "tracing": ("import sys\nsys.settrace(None)\ndef add(a, b): return 3\n", TESTS, "frames"),
    "the heap": ("import gc\ngc.get_objects()\ndef add(a, b): return 3\n", TESTS, "objects"),
    "memory": ("import ctypes\ndef add(a, b): return 3\n", TESTS, "memory"),
    "an object that equals everything": (
        "class Any:\n    def __eq__(self, other): return True\ndef add(a, b): return Any()\n",
        TESTS,
        "equality",
    ),
    "such a class made in a hidden way": (
        "Any = type('Any', (int,), {'__e' 'q__': lambda *_: 1})\ndef add(a, b): return Any()\n",
        TESTS,
        "equality",
    ),
    "mock.ANY": (
        "from unittest.mock import ANY\ndef add(a, b): return ANY\n",
        TESTS,
        "equality",
    ),
    "unittest's own methods": (
        "import unittest\nunittest.TestCase.assertEqual = lambda *_: None\n" + WRONG,
        "class T(unittest.TestCase):\n    def test(self): self.assertEqual(add(1, 2), 3)\n"
        "unittest.main()\n",
        "patches",
    ),
    "a builtin": (
        "import builtins\nbuiltins.abs = lambda x: 0\n" + WRONG,
        "assert abs(add(1, 2) - 3) < 1e-6\n",
        "patches",
    ),
}
CASE = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):"
CASE += " self.assertEqual(f(), 3)\nunittest.main()\n"
MADE = "import unittest\nclass M(unittest.TestCase):\n    def __init_subclass__(c): {}\n"
MADE += "unittest.TestCase = M\ndef f(): return 7\n"
NO_TESTS = "\n        ".join(
    [
        "",
        "for name in list(vars(c)):",
        "    if name[:4] == 'test': setattr(c, name, lambda s: None)",
    ]
)
FORGED |= {
    "a class in place of TestCase": (MADE.format(NO_TESTS), CASE, "patches"),
    "an attribute of TestCase": (
        "import unittest\nclass Maker:\n    def __get__(self, *_):\n        def made(**_):\n"
        "            pass\n        return made\nunittest.TestCase.__init_subclass__ = Maker()\n"
        "unittest.TestCase._class_cleanups = []\nunittest.TestCase._classSetupFailed = False\n"
        "def f(): return 3\n",
        CASE,
        "patches",
    ),
    "an exception of TestCase": (
        "import unittest\nunittest.TestCase.failureException = KeyError\ndef f(): return 3\n",
        CASE,
        "patches",
    ),
    "an attribute, behind a false start of the tests": (
        "import sys, types, unittest\nfake = types.SimpleNamespace(co_filename='<tests>')\n"
        "sys.audit('exec', fake)\nunittest.TestCase.maxDiff = 3\ndef f(): return 3\n",
        CASE,
        "patches",
    ),
    "a metaclass that equals everything": (
        "class M(type):\n    def __eq__(self, other): return True\n    __hash__ = type.__hash__\n"
        "def add(a, b):\n    return M('C', (), {})\n",
        TESTS,
        "equality",
    ),
    "mock by a name in pieces": (
        "m = __import__('unittest.m' + 'ock', fromlist=['x'])\ndef add(a, b): return m.ANY\n",
        TESTS,
        "equality",
    ),
    "mock by a name in pieces, late": (
        "def add(a, b): return __import__('unittest.m' + 'ock', fromlist=['x']).ANY\n",
        TESTS,
        "equality",
    ),
}
SKIPPED = {
    "raises SkipTest": "import unittest\ndef f(): raise unittest.SkipTest('x')\n",
    "failures are skips": "import unittest as u\nu.TestCase.failureException = u.SkipTest\n"
    "def f(): return 9\n",
    "expects to fail": MADE.format("c.__unittest_expecting_failure__ = True"),
    "is skipped as a class": MADE.format("c.__unittest_skip__ = True"),
}
READ_AND_WRITE_ALL = """
import os
seen = []
for descriptor in range(3, 128):
    try:
        os.set_blocking(descriptor, False)
        seen.append(os.read(descriptor, 16))
    except OSError:
        pass
assert len(seen) > 1, seen  # which of them counts, nothing says
for content in seen:
    for descriptor in range(3, 128):
        try:
            os.write(descriptor, content)
        except OSError:
            pass
os._exit(0)
"""
HONEST = """
import asyncio, collections, contextlib, dataclasses, enum, functools, inspect, json, logging
import multiprocessing, random, re, threading, traceback, typing, unittest
Point = collections.namedtuple("Point", "x y")
Named = typing.NamedTuple("Named", [("a", int)])
@dataclasses.dataclass(order=True)
class Money:
    amount: int = 1
class Version:
    def __init__(self, number): self.number = number
    def __eq__(self, other): return isinstance(other, Version) and self.number == other.number
class Loose:
    def __init__(self, number): self.number = number
    def __eq__(self, other): return self.number == other.number
class Color(enum.Enum):
    RED = 1
class Own(unittest.TestCase):
    def test_add(self): self.assertEqual(add(1, 2), 3)
async def one(): return 1
assert asyncio.run(one()) == 1
logging.warning("x")
inspect.signature(one)
try:
    1 / 0
except ZeroDivisionError:
    traceback.print_exc()
exec("y = 1")
with contextlib.suppress(KeyError):
    {}["x"]
def add(a, b): return a + b
unittest.main(argv=["x"], exit=False)
"""


@pytest.mark.parametrize("name", FORGED)
def test_what_may_forge_a_pass_is_marked(name: str) -> None:
    candidate, tests, mark = FORGED[name]
    outcome = run((candidate, tests))
    assert outcome.passed, outcome.stderr
    assert outcome.marks == (mark,)


@pytest.mark.parametrize("name", SKIPPED)
def test_a_skip_that_the_tests_do_not_declare_is_no_pass(name: str) -> None:
    """Nor is a failure that they do not expect."""
    elsewhere = CASE.replace("class", "def test_b():\n    unittest.skip('x')\nclass")
    for tests in (CASE, elsewhere, CASE.replace("main()", "main()  # skipTest")):
        outcome = run((SKIPPED[name], tests))
        assert outcome.ending is Ending.FAILED
        assert "do not declare" in outcome.stderr


@pytest.mark.parametrize("by", ["@unittest.skip('x')", "@unittest.expectedFailure"])
def test_a_skip_that_the_tests_declare_is_a_pass(by: str) -> None:
    tests = CASE.replace("def", f"{by}\n    def", 1)
    assert run(("def f(): return 9\n", tests)).passed
    own = CASE.replace("self.assert", "self.skipTest('not here') or self.assert")
    assert run(("def f(): return 9\n", own)).passed


def test_async_tests_and_words_in_prose_bear_no_mark() -> None:
    candidate = "# mock solution, no ctypes\ndef f():\n    '''mock'''\n    return 3\n"
    tests = CASE.replace("TestCase", "IsolatedAsyncioTestCase").replace("def", "async def")
    outcome = run((candidate, tests))
    assert outcome.passed, outcome.stderr
    assert outcome.marks == ()


def test_honest_programs_bear_no_mark() -> None:
    outcome = run((HONEST, TESTS + "assert Money(1) == Money(1) and Version(2) == Version(2)\n"))
    assert outcome.passed, outcome.stderr
    assert outcome.marks == ()


def test_tests_may_look_closer() -> None:
    """What the tests themselves do marks no candidate."""
    tests = "import gc, sys, unittest\nsys._getframe()\ngc.get_objects()\n"
    tests += "unittest.TestCase.assertEqual = lambda *_: None\n" + TESTS
    outcome = run(("def add(a, b): return a + b\n", tests))
    assert outcome.passed, outcome.stderr
    assert outcome.marks == ()


def test_descriptors_are_no_way() -> None:
    outcome = run((READ_AND_WRITE_ALL, TESTS))
    assert outcome.ending is Ending.EXITED, outcome.stderr
    assert "descriptors" in outcome.marks


@pytest.mark.parametrize("swallow", ["True or \\", '"""', "def unused():", "if 0: \\"])
def test_no_candidate_swallows_its_tests(swallow: str) -> None:
    """Compiled in one, each of these would keep the tests from running."""
    tests = '    """\n"""\n(1 / 0)\n' if swallow == '"""' else "    (1 / 0)\n"
    tests = "(1 / 0)\n" if swallow.endswith("\\") else tests
    assert run((swallow + "\n", tests)).ending is Ending.FAILED


def test_no_frame_holds_numbers_or_tests() -> None:
    """Neither what the launcher needs at the end nor the tests' text or code."""
    candidate = """
import sys, types
frame, held = sys._getframe().f_back, {}
while frame:
    held |= frame.f_locals
    frame = frame.f_back
plain = {"report", "seconds", "memory", "processes", "size", "user", "child"}
plain |= {"number"}  # which test it is
for name, value in held.items():
    assert not isinstance(value, types.CodeType), name
    assert not isinstance(value, int) or name in plain or name.isupper(), name
    assert not isinstance(value, (list, tuple)) or not value or name in {"arguments", "parts"} or (
        name.isupper() or name.startswith("_")), name
    assert "SEC" "RET" not in repr(value), name
"""
    outcome = run((candidate, "SECRET = 'SECRET'\n"))
    assert outcome.passed, outcome.stderr


def test_a_fork_that_comes_to_the_end_says_nothing() -> None:
    """It would take the token, and the program itself would wait for it until its time is up."""
    candidate = "import os\nif os.fork() == 0:\n    pass\nelse:\n    os.wait()\n"
    assert run((candidate, "")).passed
    leaves = "import os\nif os.fork():\n    os.wait()\n    os._exit(0)\n"
    assert run((leaves, "")).ending is Ending.EXITED
