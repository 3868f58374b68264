"""Unit tests inside the sandbox: which of them passed, and whether unittest is what it was.

Runs inside the sandbox, before metrics.sandbox.marks; the standard library only.
"""

import ast
import sys
from collections.abc import Iterator
from typing import Any

_SKIPS = {"skip", "skipIf", "skipUnless", "skipTest", "SkipTest"}
_FAILS = {"expectedFailure"}
_UNSTEADY = {"__annotations__", "__abstractmethods__"}  # made when they are asked for


class Declared:
    """Which tests their own file lets be skipped, or expects to fail.

    A program that raises SkipTest, or changes a class of tests, passes none by it.
    """

    def __init__(self, sources: list[bytes]) -> None:
        self._everywhere = set[str]()
        self._by_test: dict[str, set[str]] = {}
        for tree in filter(None, map(_tree, sources)):
            self._look(tree)

    def undeclared(self, result: Any) -> list[Any]:
        """The tests of a unittest.TestResult that passed by a skip or failure of another's."""
        own = [(test, _SKIPS) for test, _ in result.skipped]
        own += [(test, _FAILS) for test, _ in result.expectedFailures]
        return [test for test, words in own if not self._says(test, words)]

    def _look(self, tree: ast.AST) -> None:
        left = [tree]
        while left:
            node = left.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
                node.name.startswith("test")
            ):
                own = self._by_test.setdefault(node.name, set())
                own.update(*map(_words, ast.walk(node)))
            else:
                self._everywhere.update(_words(node))
                left += ast.iter_child_nodes(node)

    def _says(self, test: Any, words: set[str]) -> bool:
        whole = getattr(test, "test_case", test)  # of one with subTest
        own = self._by_test.get(getattr(whole, "_testMethodName", ""), set())
        return not words.isdisjoint(own | self._everywhere)


class Library:
    """unittest as it is when this is made: the values of its modules and of their classes."""

    def __init__(self) -> None:
        self._modules = {
            name: (module, dict(vars(module)))
            for name, module in sys.modules.items()
            if name.partition(".")[0] == "unittest"
        }
        values = [value for _, own in self._modules.values() for value in own.values()]
        kinds = {value for value in values if isinstance(value, type)}
        self._classes = {
            kind: (type(kind), kind.__bases__, _steady(kind))
            for kind in kinds
            if kind.__module__.partition(".")[0] == "unittest"
        }

    def changed(self) -> bool:
        """Whether a module, an attribute of one, or one of its classes is another."""
        for name, (module, own) in self._modules.items():
            if sys.modules.get(name) is not module or not _same(own, vars(module)):
                return True
        for kind, (meta, bases, own) in self._classes.items():
            now = _steady(kind)
            if type(kind) is not meta or kind.__bases__ != bases or own.keys() != now.keys():
                return True
            if not _same(own, now):
                return True
        return False


def named(source: bytes) -> set[str]:
    """Words that source goes by: names, attributes, modules; no comment and no prose."""
    tree = _tree(source)
    return set() if tree is None else set().union(*map(_words, ast.walk(tree)), *_imported(tree))


def let_unittest_go_on(declared: Declared) -> None:
    """Make `unittest.main()` return where every test passed, and raise where one did not.

    It would leave with `sys.exit`, which no program that came to its end does.
    """
    import unittest

    class Main(unittest.TestProgram):
        exit: bool

        def runTests(self) -> None:  # noqa: N802 - unittest's own name
            leaves, self.exit = bool(self.exit), False
            super().runTests()
            told = "AssertionError: skipped or expected to fail, which the tests do not declare"
            self.result.failures += [(test, told) for test in declared.undeclared(self.result)]
            if leaves and not (self.result.wasSuccessful() and self.result.testsRun):
                wrong = [*self.result.failures, *self.result.errors]
                told = wrong[0][1] if wrong else "unittest: no test was found"
                raise AssertionError(told.rstrip().rpartition("\n  ")[2].partition("\n")[2] or told)

    # the library's, to those who look (`Marks`)
    code = Main.runTests.__code__.replace(co_filename=unittest.__file__)
    Main.runTests.__code__ = code
    unittest.main = Main


def _tree(source: bytes) -> ast.AST | None:
    try:
        return ast.parse(source.decode("utf-8", "surrogatepass"))
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # told when it is compiled
        return None


def _words(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id}
    return {node.attr} if isinstance(node, ast.Attribute) else set()


def _imported(tree: ast.AST) -> Iterator[set[str]]:
    """Parts of what is imported, and of texts that may be names of modules."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            yield {*node.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            yield {*(node.module or "").split(".")}
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (id(node) not in prose)
        ):
            yield {*node.value.split(".")}


def _steady(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if name not in _UNSTEADY}


def _same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    return all(now.get(name, now) is value for name, value in before.items())
