"""Are two answers equal in value? Numbers, fractions and texts are told apart here, at once.

What is neither clearly equal nor clearly different (a formula, a set, 0.333333 and 1/3) stays open:
`metrics/text/equality_process.py` decides those, and takes milliseconds to seconds.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from inference.protocols.solutions import is_formula
from metrics.text.normalization import normalize

LONGEST_NUMBER = 100  # characters: beyond, no fast way
NEAR = Fraction(1, 100_000)  # rounding decides what is nearer than this

LATEX = [  # spelled in several ways, with one meaning
    (re.compile(r"\\(?:left|right|displaystyle|,|!|;|:)(?![A-Za-z])|\\ "), ""),
    (re.compile(r"\\[dt]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf)\{([^{}]{0,200})\}"), r"\1"),
    (re.compile(r"\^\{?\\circ\}?|°"), ""),
    (re.compile(r"\\([%$])"), r"\1"),
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])|×"), "*"),
    (re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))"), ""),  # 1 234
]
CURRENCY = "$€£¥₽₹"
DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:[.,]\d*)?|[.,]\d+)"
PLAIN = re.compile(
    rf"([+-]?)({DIGITS})(?:[eE]([+-]?\d{{1,3}})|\*10\^\{{?([+-]?\d{{1,3}})\}}?)?(%?)"
)
QUOTIENT = re.compile(r"([+-]?)(?:(\d+)/(\d+)|\\frac\{(-?\d+)\}\{(-?\d+)\}|\\frac(\d)(\d))(%?)")
PAIR = re.compile(r"-?\d+,\d+")
WITH_UNIT = re.compile(rf"([{re.escape(CURRENCY)}]?)([+-]?{DIGITS}%?)\s?([^\W\d_][^\d]*)?")


def simplest(text: str) -> str:
    """The answer as most would write it: one kind of digits, of minus and of fractions; without
    dollars around it, degrees, and spaces that LaTeX makes."""
    text = unicodedata.normalize("NFKC", text.strip())
    text = "".join(_digit(char) for char in text).replace("\u2212", "-")
    if len(text) > 2 and text.startswith("$") and text.endswith("$"):
        text = text.strip("$")
    if text.startswith(("\\(", "\\[")) and text.endswith(("\\)", "\\]")):
        text = text[2:-2]
    for pattern, written in LATEX:
        text = pattern.sub(written, text)
    return text.strip()


def equal(reference: str, answer: str) -> bool | None:
    """Whether an answer has the value of a reference; None where that takes more than numbers."""
    reference, answer = simplest(reference), simplest(answer)
    if _text(reference) == _text(answer):
        return True
    left, right = number(reference), number(answer)
    if left is not None and right is not None:
        if PAIR.fullmatch(reference) and PAIR.fullmatch(answer):
            return None  # 3,5 and 5,3 are the same set
        return _same(left, right)
    if not (is_formula(reference) and is_formula(answer)):
        return _of_words(reference, answer)
    return None


def key(answer: str) -> str:
    """What answers of one value share, as far as numbers tell: for votes."""
    answer = simplest(answer)
    found = number(answer)
    if found is None:
        return _text(answer)
    return f"{found[0]}%" if found[1] else str(found[0])


def number(text: str) -> tuple[Fraction, bool] | None:
    """The value of a number or fraction, and whether it is in per cent; None of other texts."""
    if len(text) > LONGEST_NUMBER or ", " in text:
        return None
    text = text.strip(CURRENCY) if text[:1] in CURRENCY else text
    text = text.replace(" ", "")
    quotient = QUOTIENT.fullmatch(text)
    if quotient is not None:
        sign, *parts, percent = quotient.groups()
        above, below = (int(part) for part in parts if part is not None)
        return (
            (Fraction(above, below) * (-1 if sign == "-" else 1), percent == "%") if below else None
        )
    plain = PLAIN.fullmatch(text)
    if plain is None:
        return None
    sign, digits, *powers, percent = plain.groups()
    power = int(next((one for one in powers if one), "0"))
    value = Fraction(_decimal(digits)) * Fraction(10) ** power
    return -value if sign == "-" else value, percent == "%"


def _decimal(digits: str) -> str:
    """1,234.5 as 1234.5, and 3,5 as 3.5."""
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d*)?", digits):
        digits = digits.replace(",", "")
    digits = digits.replace(",", ".").rstrip(".")
    return f"0{digits}" if digits.startswith(".") else digits


def _same(left: tuple[Fraction, bool], right: tuple[Fraction, bool]) -> bool | None:
    """50 % is both 50 and 0.5, as math-verify has it."""
    (a, of_hundred), (b, other) = left, right
    pairs = [(a, b)]
    if of_hundred != other:
        pairs.append((a / 100, b) if of_hundred else (a, b / 100))
    if any(one == two for one, two in pairs):
        return True
    return None if any(abs(one - two) < NEAR for one, two in pairs) else False


def _of_words(reference: str, answer: str) -> bool:
    """Of texts with words: equal as texts, but for a unit that only one of them has."""
    left, right = WITH_UNIT.fullmatch(reference), WITH_UNIT.fullmatch(answer)
    if left is None or right is None or (left[3] and right[3]):
        return False
    one, two = number(left[2]), number(right[2])
    return one is not None and two is not None and bool(_same(one, two))


def _text(text: str) -> str:
    """Words normalised; formulas without spaces, and a letter without its brackets."""
    if is_formula(text):
        bare = "".join(text.split())
        alone = re.fullmatch(r"\(([A-Za-z])\)", bare)
        return alone[1] if alone else bare
    return normalize(text, "unicode")


def _digit(char: str) -> str:
    """٣ as 3."""
    if char.isascii():
        return char
    value = unicodedata.decimal(char, None)
    return char if value is None else str(value)
