"""Tests of source that are of no use, told before any program runs.

Broken source would fail every program, and source that only defines would pass every one. What is
looked at is the tree of the source; nothing of it is run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from inference.errors import InputError
from metrics.programs.layouts import SampleTests
from metrics.programs.sources import is_main

LONGEST = 1 << 18  # characters of a source that is looked at: parsing takes a second a megabyte
_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_ACTS = (
    ast.Call,
    ast.Assert,
    ast.Raise,
    ast.Await,
    ast.With,
    ast.AsyncWith,
    ast.For,
    ast.AsyncFor,
    ast.Delete,
    ast.Match,
)


class NothingRuns(InputError):
    """Tests in which nothing would run: every program would pass them."""

    code = "missing_tests"


def refuse(tests: SampleTests) -> None:
    """Raises InputError where tests of source are no Python, NothingRuns where one does nothing."""
    if tests.kind != "source":
        return
    if tests.whole:
        body = _body(tests.whole, "tests are")
        if not (_any_acts(tests.tests) if tests.shared else _runs(body)):
            raise NothingRuns(f"nothing in these tests would run: {_advice(body)}", "tests")
        return
    for source in tests.shared:
        _body(source, "what stands before the tests is")
    for number, source in enumerate(tests.tests):
        body = _body(source, f"test {number + 1} is")
        if not any(map(_acts, body)):
            told = f"nothing in test {number + 1} would run: {_advice(body)}"
            raise NothingRuns(told, "tests")


def _body(source: str, what: str) -> list[ast.stmt]:
    """The statements of a source; raises InputError where it cannot be compiled."""
    if len(source) > LONGEST:
        return [ast.Assert(ast.Name("unread"))]
    try:
        tree = ast.parse(source, "<tests>")
        compile(source, "<tests>", "exec", dont_inherit=True)
    except SyntaxError as error:
        kinds = "neither JSON nor Python" if source.lstrip()[:1] in {"[", "{"} else "no Python"
        raise InputError(f"{what} {kinds}: line {error.lineno}: {error.msg}", "tests") from None
    except (ValueError, MemoryError, RecursionError) as error:  # a NUL, or nested too deep
        told = str(error) or "nested too deep"
        raise InputError(f"{what} no Python: {told}", "tests") from None
    return tree.body


def _runs(body: list[ast.stmt]) -> bool:
    """Whether a whole source does more than define; `unittest.main()` alone finds test methods."""
    mains = [one for one in body if is_main(one)]
    if any(_acts(one) for one in body if one not in mains):
        return True
    return bool(mains) and any(isinstance(one, ast.ClassDef) and _may_test(one) for one in body)


def _any_acts(sources: Iterable[str]) -> bool:
    """Whether one of the tests of a source, each by itself, may fail."""
    return any(_acts(one) for source in sources for one in _body(source, "tests are"))


def _may_test(kind: ast.ClassDef) -> bool:
    """Whether a class may have tests, be they its own or another's."""
    own = any(isinstance(one, _DEFINES[:2]) and one.name.startswith("test") for one in kind.body)
    bases = [ast.unparse(base).rpartition(".")[2] for base in kind.bases]
    inherits = any(base not in {"TestCase", "IsolatedAsyncioTestCase", "object"} for base in bases)
    return (own and bool(bases)) or inherits


def _acts(statement: ast.stmt) -> bool:
    """Whether a statement may fail when it is run: what functions would do does not count."""
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        if isinstance(node, _DEFINES):
            if node is statement and getattr(node, "decorator_list", None):
                return True
            continue
        if isinstance(node, ast.Assert) and _always_holds(node.test):
            continue
        loose = isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
        if loose or isinstance(node, _ACTS):
            return True
        left += node.body if isinstance(node, ast.ClassDef) else ast.iter_child_nodes(node)
    return False


def _always_holds(condition: ast.expr) -> bool:
    """Of an assert: `True`, or a tuple, as `assert (f() == 4, "message")` has it by mistake."""
    if isinstance(condition, ast.Tuple):
        return bool(condition.elts)
    return isinstance(condition, ast.Constant) and bool(condition.value)


def _advice(body: Iterable[ast.stmt]) -> str:
    functions = [one.name for one in body if isinstance(one, _DEFINES[:2])]
    classes = [one for one in body if isinstance(one, ast.ClassDef)]
    if classes:
        return (
            f"class {classes[0].name} has to derive from unittest.TestCase and have methods "
            "`test…`; classes of pytest are not run"
        )
    if functions:
        return f"`{functions[-1]}` is defined and never called; HumanEval's needs `check(name)`"
    if any(isinstance(one, ast.Assert) for one in body):
        return "an assert of a tuple or of True always holds; write `assert a == b, message`"
    return "there is no assert, no call and no test"
