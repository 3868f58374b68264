"""Python source of tests, taken apart without being run."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from itertools import pairwise

_APART = re.compile(r"^(assert\b|class\s+\w+\s*\(.*TestCase|(async\s+)?def\s+test)", re.MULTILINE)
_DEFINES = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """Tests of one source.

    shared  what stands before every test; lines keep their numbers
    tests   the source of each
    names   what people are shown of each
    """

    shared: str
    tests: tuple[str, ...]
    names: tuple[str, ...]


def split(source: str) -> Parts | None:
    """The tests of a source; None where they cannot be told apart, or it is no Python."""
    if not _APART.search(source):  # parsing thousands of tests takes seconds
        return None
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    try:
        return _parts(ast.parse(source).body, source.split("\n"))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _parts(body: list[ast.stmt], lines: list[str]) -> Parts | None:
    asserts = [one for one in body if isinstance(one, ast.Assert)]
    mains = [one for one in body if is_main(one)]
    rest = [one for one in body if not isinstance(one, ast.Assert) and not is_main(one)]
    units = [*_methods(rest), *([] if asserts else _functions(rest))]
    if any(one.lineno > asserts[0].lineno for one in rest if asserts):
        asserts = []  # they stay where they are: what comes between them would be left out
    loose = [one for one in rest if not _defines(one)]
    if _share_lines(body) or _called(loose, [name for _, name in units]):
        return None
    found = [*_asserts(asserts, lines), *units]
    if not found or ((loose or mains) and not units):
        return None
    tests, names = zip(*found, strict=True)
    return Parts(_without([*asserts, *mains], lines), tests, names)


def _called(loose: list[ast.stmt], names: list[str]) -> bool:
    """Whether the source runs its unit tests in a way of its own."""
    text = "\n".join(map(ast.unparse, loose))
    words = {name.partition(".")[0] for name in names} | {"unittest", "load_tests"}
    return not words.isdisjoint(re.findall(r"\w+", text))


def _asserts(asserts: list[ast.Assert], lines: list[str]) -> list[tuple[str, str]]:
    texts = ["\n".join(lines[one.lineno - 1 : one.end_lineno]) for one in asserts]
    return [(f"{text}\n", text) for text in texts]


def _functions(body: list[ast.stmt]) -> list[tuple[str, str]]:
    found = []
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test"):
            needed = len(one.args.posonlyargs) + len(one.args.args) - len(one.args.defaults)
            if needed == 0 or one.decorator_list:  # `mock.patch` gives arguments
                call = f"{one.name}()"
                if isinstance(one, ast.AsyncFunctionDef):
                    call = f"__import__('asyncio').run({call})"
                found.append((f"{call}\n", one.name))
    return found


def _methods(body: list[ast.stmt]) -> list[tuple[str, str]]:
    """Of each class of unit tests its methods; one that has others' goes as a whole."""
    names, known = [], set[str]()
    for one in body:
        if not isinstance(one, ast.ClassDef):
            continue
        bases = [ast.unparse(base).rpartition(".")[2] for base in one.bases]
        if not any(base.endswith("TestCase") or base in known for base in bases):
            continue
        known.add(one.name)
        own = [
            each.name
            for each in one.body
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            and each.name.startswith("test")
        ]
        plain = len(bases) == 1 and bases[0] not in known and not one.decorator_list
        names += [f"{one.name}.{name}" for name in dict.fromkeys(own)] if plain else [one.name]
    call = "import unittest\nunittest.main(argv=['tests', {}])\n"
    return [(call.format(json.dumps(name)), name) for name in names]


def _defines(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef) and statement.name == "load_tests":
        return False  # unittest calls it
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, (*_DEFINES, ast.Pass))


def is_main(statement: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__": …` or a call of `unittest.main`."""
    if isinstance(statement, ast.If):
        guarded = ast.unparse(statement.test) == "__name__ == '__main__'"
        return guarded and not statement.orelse and all(map(is_main, statement.body))
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    return ast.unparse(statement.value.func) == "unittest.main"


def _share_lines(body: list[ast.stmt]) -> bool:
    return any(
        one.end_lineno is not None and after.lineno <= one.end_lineno
        for one, after in pairwise(body)
    )


def _without(statements: list[ast.Assert] | list[ast.stmt], lines: list[str]) -> str:
    kept = list(lines)
    for one in statements:
        for at in range(one.lineno - 1, one.end_lineno or one.lineno):
            kept[at] = ""
    return "\n".join(kept) + "\n"
