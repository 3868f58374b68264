"""Python source, looked at and not run."""

from __future__ import annotations

import ast
import re

IDLE = re.compile(r"pass\b|\.\.\.|[a-zA-Z]{0,2}['\"]")  # how a line begins that may do nothing


def does_nothing(source: str) -> bool:
    """Whether it holds blanks, comments, `pass` and constants (docstrings) alone.

    Source that cannot be parsed is no such: running it fails.
    """
    lines = (line.strip() for line in source.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), None)
    if first is None:
        return True
    if not IDLE.match(first):  # parsing thousands of tests takes seconds
        return False
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return all(
        isinstance(one, ast.Pass)
        or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in body
    )
