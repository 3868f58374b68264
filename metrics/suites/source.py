"""Definitions taken out of our modules, with all that they need, as a text that stands alone."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

MARKS = re.compile("  # (noqa|type: ignore).*")  # for our own tools
OURS = ("inference", "metrics")
Definition = ast.stmt


class Extract:
    """Collects definitions, each behind those that it uses.

    imports  lines of the modules of others that they use
    parts    the definitions' texts
    """

    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.parts: list[str] = []
        self._taken: dict[str, str] = {}  # modules, by the names taken from them

    def add(self, module: str, name: str) -> None:
        """Take what `name` means in `module`; nothing where that is a builtin. Raises ValueError
        for a name that means two things."""
        text, definitions = _module(module)
        node = definitions.get(name)
        if node is None:
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
                self.add(str(node.module), name)
            else:
                self.imports[_import(node, name)] = None
            return
        if name in self._taken:
            if self._taken[name] != module:
                raise ValueError(f"{name} is of {self._taken[name]} and of {module}")
            return
        self._taken[name] = module
        for used in sorted({one.id for one in ast.walk(node) if isinstance(one, ast.Name)}):
            self.add(module, used)
        lines = text[node.lineno - 1 : node.end_lineno]
        self.parts.append("\n".join(MARKS.sub("", line) for line in lines))


def constant(module: str, name: str) -> object:
    """The literal that `name` is in the module; None where it is not there."""
    node = _module(module)[1].get(name)
    return ast.literal_eval(node.value) if isinstance(node, ast.Assign) else None


def comments(module: str, mark: str) -> list[str]:
    """What stands behind the mark in lines that begin with it."""
    return [line[len(mark) :].strip() for line in _module(module)[0] if line.startswith(mark)]


def exists(module: str) -> bool:
    """Whether there is such a module."""
    return find_spec(module) is not None


@cache
def _module(name: str) -> tuple[list[str], dict[str, Definition]]:
    """The module's lines, and what its names stand for."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ValueError(f"no module {name}")
    text = Path(spec.origin).read_text("utf-8")
    found: dict[str, Definition] = {}
    for node in ast.parse(text).body:
        for named in _names(node):
            found[named] = node
    return text.splitlines(), found


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [one.asname or one.name for one in node.names]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _import(node: ast.Import | ast.ImportFrom, name: str) -> str:
    alias = next(one for one in node.names if (one.asname or one.name) == name)
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import([alias]))
    return ast.unparse(ast.ImportFrom(node.module, [alias], 0))
