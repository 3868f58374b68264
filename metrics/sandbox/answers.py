"""Whether an answer is the expected one; decided outside the sandbox.

Printed text is compared as LiveCodeBench does: both without blanks at their ends, line by line,
each line without blanks at its ends; lines that differ are the same where both are as many numbers
of equal value to the last digit (`1.50` and `1.5`, not `1.5000001`). What a function returned is
compared as JSON values: tuples are lists, 1 is 1.0.
"""

from __future__ import annotations

import json
from decimal import Decimal, DecimalException

_DIGITS = 4000  # Python refuses integers of over 4,300
LINE = 160  # characters of an expected or printed line that are shown


def right(kind: str, answer: bytes, expected: str) -> bool:
    """Whether the answer is the expected one.

    kind      "stdin": text that was printed; "call": JSON; `expected` likewise
    """
    try:
        text = answer.decode("utf-8", "surrogateescape")
        return same_value(text, expected) if kind == "call" else same_text(text, expected)
    except (RecursionError, ValueError):  # too deep, no JSON, an integer of too many digits
        return False


def same_text(printed: str, expected: str) -> bool:
    """Whether two texts have the same lines, but for blanks and for how numbers are written."""
    ours, theirs = printed.strip().split("\n"), expected.strip().split("\n")
    return len(ours) == len(theirs) and all(map(_same_line, ours, theirs))


def _same_line(ours: str, theirs: str) -> bool:
    if ours.strip() == theirs.strip():
        return True
    words, wanted = ours.split(), theirs.split()
    if len(words) != len(wanted):
        return False
    try:
        return all(Decimal(a) == Decimal(b) for a, b in zip(words, wanted, strict=True))
    except DecimalException:
        return False


def same_value(returned: str, expected: str) -> bool:
    """Whether two JSON texts are of the same value. `expected` may be a list of several, under
    `any`: APPS wraps some results in a list, and takes both."""
    value, wanted = (json.loads(text, parse_int=_whole) for text in (returned, expected))
    return any(value == one for one in wanted["any"])


def _whole(digits: str) -> int | Decimal:
    """A whole number; of very many digits by decimals, which takes no time for them."""
    return int(digits) if len(digits) <= _DIGITS else Decimal(digits)


def difference(kind: str, answer: bytes, expected: str) -> str:
    """What was expected, and what came, for people to read; of text the first line that differs."""
    text = answer.decode("utf-8", "surrogateescape")
    if kind == "call":
        wanted = expected.removeprefix('{"any": [').removesuffix("]}")
        return f"expected {_cut(wanted)}, got {_cut(text) or 'nothing'}"
    theirs, ours = expected.strip().split("\n"), text.strip().split("\n")
    pairs = enumerate(zip(ours, theirs, strict=False))
    shorter = min(len(ours), len(theirs))
    at = next((at for at, pair in pairs if not _same_line(*pair)), shorter)
    want, got = (
        repr(_cut(lines[at].strip())) if at < len(lines) else "nothing" for lines in (theirs, ours)
    )
    return f"line {at + 1}: expected {want}, got {got}"


def _cut(text: str) -> str:
    return text if len(text) <= LINE else f"{text[:LINE]}…"
