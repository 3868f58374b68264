"""Tests of source that are of no use, told before any program runs.

Broken source would fail every program, and source that only defines would pass every one. What is
looked at is the tree of the source; nothing of it is run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from inference.errors import InputError
from inference.sentences import Sentence
from metrics.programs.layouts import SampleTests
from metrics.programs.sources import is_main

_NOTHING = "nothing in these tests would run: {advice}"
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
        body = _body(tests.whole, Sentence("tests are"))
        if not (_any_acts(tests.tests) if tests.shared else _runs(body)):
            raise NothingRuns(Sentence(_NOTHING, advice=_advice(body)), "tests")
        return
    for source in tests.shared:
        _body(source, Sentence("what stands before the tests is"))
    for number, source in enumerate(tests.tests):
        body = _body(source, Sentence("test {number} is", number=number + 1))
        if not any(map(_acts, body)):
            none = "nothing in test {number} would run: {advice}"
            told = Sentence(none, number=number + 1, advice=_advice(body))
            raise NothingRuns(told, "tests")


def _body(source: str, what: Sentence) -> list[ast.stmt]:
    """The statements of a source; raises InputError where it cannot be compiled."""
    if len(source) > LONGEST:
        return [ast.Assert(ast.Name("unread"))]
    try:
        tree = ast.parse(source, "<tests>")
        compile(source, "<tests>", "exec", dont_inherit=True)
    except SyntaxError as error:
        form = "{what} no Python: line {line}: {why}"
        if source.lstrip()[:1] in {"[", "{"}:
            form = "{what} neither JSON nor Python: line {line}: {why}"
        told = Sentence(form, what=what, line=error.lineno, why=error.msg)
        raise InputError(told, "tests") from None
    except (ValueError, MemoryError, RecursionError) as error:  # a NUL, or nested too deep
        why = str(error) or Sentence("nested too deep")
        told = Sentence("{what} no Python: {why}", what=what, why=why)
        raise InputError(told, "tests") from None
    return tree.body


def _runs(body: list[ast.stmt]) -> bool:
    """Whether a whole source does more than define; `unittest.main()` alone finds test methods."""
    mains = [one for one in body if is_main(one)]
    if any(_acts(one) for one in body if one not in mains):
        return True
    return bool(mains) and any(isinstance(one, ast.ClassDef) and _may_test(one) for one in body)


def _any_acts(sources: Iterable[str]) -> bool:
    """Whether one of the tests of a source, each by itself, may fail."""
    return any(_acts(one) for source in sources for one in _body(source, Sentence("tests are")))


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


def _advice(body: Iterable[ast.stmt]) -> Sentence:
    functions = [one.name for one in body if isinstance(one, _DEFINES[:2])]
    classes = [one for one in body if isinstance(one, ast.ClassDef)]
    if classes:
        return Sentence(
            "class {name} has to derive from unittest.TestCase and have methods `test…`; classes "
            "of pytest are not run",
            name=classes[0].name,
        )
    if functions:
        uncalled = "`{name}` is defined and never called; HumanEval's needs `check(name)`"
        return Sentence(uncalled, name=functions[-1])
    if any(isinstance(one, ast.Assert) for one in body):
        holds = "an assert of a tuple or of True always holds; write `assert a == b, message`"
        return Sentence(holds)
    return Sentence("there is no assert, no call and no test")
