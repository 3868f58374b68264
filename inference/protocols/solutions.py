"""The final answer of a solution that is written in words and formulas.

In this order: what stands in the last `\\boxed{…}`; the line behind the last `####` (GSM8K); what
follows the last "answer is", "Answer:", "Ответ:"; the last formula between dollars; a single line
that is all formula; the last number; a single line.
"""

from __future__ import annotations

import re

LONGEST = 1000  # characters of an answer

BOXES = ("\\boxed{", "\\fbox{")
SAID = re.compile(
    r"(?:answer|ответ|答案|الجواب|respuesta|réponse|antwort)(?:\s+is)?\s?[:：=—是-]?\s?([^\n]*)",
    re.IGNORECASE,
)
BETWEEN = re.compile(r"\$\$([^$]{1,1000})\$\$|\$([^$]{1,1000})\$|\\\(([^\n]{1,1000}?)\\\)")
QUOTED = re.compile(r"\\(?:text|mathrm|textbf|mathbf|operatorname)\{[^{}]{0,200}\}|\\[A-Za-z]+")
WORD = re.compile(r"[^\W\d_]{2,}")
FUNCTIONS = frozenset(
    (
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "log",
        "ln",
        "exp",
        "sqrt",
        "pi",
        "mod",
        "max",
        "min",
    )
)
NUMBER = re.compile(r"(?:(?<![\d)])-)?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?")


def final(text: str) -> str | None:
    """The answer of a solution; None where it has none."""
    declared = boxed(text) or behind_hashes(text)
    if declared is not None:
        return declared
    said = [found[1] for found in SAID.finditer(text)]
    line = next((one for one in reversed(said) if one.strip(" *.\t")), None)
    if line is not None:
        return _of_line(line)
    formulas = _formulas(text)
    if formulas:
        return formulas[-1]
    lines = [one for one in text.splitlines() if one.strip()]
    if len(lines) == 1 and is_formula(lines[0]):
        return bare(lines[0])
    numbers = NUMBER.findall(text)
    if numbers:
        return str(numbers[-1]).rstrip(",")
    return bare(lines[0]) or None if len(lines) == 1 else None


def declared(text: str) -> str:
    """The answer of a reference: behind its marks, where it has any, and else all of it."""
    return boxed(text) or behind_hashes(text) or bare(text)


def boxed(text: str) -> str | None:
    """What the last box holds."""
    at, box = max((text.rfind(box), box) for box in BOXES)
    if at < 0:
        return None
    depth, start = 1, at + len(box)
    for place, char in enumerate(text[start : start + LONGEST], start):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return bare(text[start:place]) or None
    return None


def behind_hashes(text: str) -> str | None:
    """The line behind the last `####`."""
    at = text.rfind("####")
    if at < 0:
        return None
    line = text[at + 4 :].lstrip("#").strip().partition("\n")[0]
    return bare(line) or None


def is_formula(text: str) -> bool:
    """Whether a text has no words but names of functions, and is no longer than formulas are."""
    if len(text) > LONGEST or not text.strip():
        return False
    return all(word in FUNCTIONS for word in WORD.findall(QUOTED.sub(" ", text)))


def bare(text: str) -> str:
    """An answer without the spaces, stars and full stop around it."""
    text = text[:LONGEST].strip().strip("*").strip()
    return text[:-1].rstrip() if text.endswith((".", "。")) else text


def _of_line(line: str) -> str | None:
    """The answer at the beginning of a line."""
    formulas = _formulas(line)
    if formulas:
        return formulas[0]
    if is_formula(line):
        return bare(line)
    found = NUMBER.search(line)
    return found[0].rstrip(",") if found else bare(line) or None


def _formulas(text: str) -> list[str]:
    found = (next(part for part in one.groups() if part) for one in BETWEEN.finditer(text))
    return [bare(one) for one in found if is_formula(one)]
