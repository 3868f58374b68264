"""Arithmetic that a model may ask for: read by a parser of its own, exact, bounded."""

from __future__ import annotations

import re
from fractions import Fraction

LONGEST = 500  # characters
DEEPEST = 50
MOST_BITS = 4096  # of a numerator or denominator
TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|(\*\*|//|[-+*/%^()])|(sqrt))")


class Unreadable(ValueError):
    """It is no arithmetic, or too large."""


def calculated(text: str) -> str:
    """The value of an expression of + - * / // % ** ^ sqrt and parentheses, as `12` or `0.5`.

    Raises Unreadable.
    """
    if len(text) > LONGEST:
        raise Unreadable(f"longer than {LONGEST} characters")
    return _shown(_Parser(_tokens(text)).whole())


def _tokens(text: str) -> list[str]:
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)  # 1,234
    text = text.replace("×", "*").replace("÷", "/").replace("−", "-").strip().rstrip("= ")
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise Unreadable(f"not arithmetic at {text[at : at + 20]!r}")
        found.append(match[0].strip())
        at = match.end()
    return found


def _shown(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.12g}"


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
        raise Unreadable("the number is too large")
    return value


class _Parser:
    """Recursive descent: sums of products of signed powers of atoms."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def whole(self) -> Fraction:
        value = self.sum()
        if self.at < len(self.tokens):
            raise Unreadable(f"not arithmetic at {self.tokens[self.at]!r}")
        return value

    def next_of(self, *wanted: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at] in wanted:
            self.at += 1
            return self.tokens[self.at - 1]
        return None

    def sum(self) -> Fraction:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable("too many parentheses")
        value = self.product()
        while (sign := self.next_of("+", "-")) is not None:
            right = self.product()
            value = _bounded(value + right if sign == "+" else value - right)
        self.depth -= 1
        return value

    def product(self) -> Fraction:
        value = self.signed()
        while (sign := self.next_of("*", "/", "//", "%")) is not None:
            value = _bounded(_multiplied(value, sign, self.signed()))
        return value

    def signed(self) -> Fraction:
        negative = False
        while (sign := self.next_of("-", "+")) is not None:
            negative ^= sign == "-"
        value = self.power()
        return -value if negative else value

    def power(self) -> Fraction:
        base = self.atom()
        if self.next_of("**", "^") is None:
            return base
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable("too many powers")
        exponent = self.signed()
        self.depth -= 1
        return _raised(base, exponent)

    def atom(self) -> Fraction:
        if self.next_of("sqrt") is not None:
            value = self.atom()
            if value < 0:
                raise Unreadable("the root of a negative number")
            return _raised(value, Fraction(1, 2))
        if self.next_of("(") is not None:
            value = self.sum()
            if self.next_of(")") is None:
                raise Unreadable("a parenthesis is not closed")
            return value
        if self.at == len(self.tokens) or not re.fullmatch(r"[\d.]+", self.tokens[self.at]):
            raise Unreadable("a number is missing")
        self.at += 1
        return Fraction(self.tokens[self.at - 1])


def _multiplied(left: Fraction, sign: str, right: Fraction) -> Fraction:
    if sign == "*":
        return left * right
    if right == 0:
        raise Unreadable("division by zero")
    if sign == "/":
        return left / right
    return Fraction(left // right) if sign == "//" else left % right


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    if base == 0 and exponent < 0:
        raise Unreadable("division by zero")
    if exponent.denominator != 1:
        if base < 0:
            raise Unreadable("the root of a negative number")
        root = _root(base) if exponent == Fraction(1, 2) else None
        try:
            return root if root is not None else Fraction(float(base) ** float(exponent))
        except (OverflowError, ValueError):
            raise Unreadable("the number is too large") from None
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent.numerator) * size > MOST_BITS:
        raise Unreadable("the number is too large")
    return Fraction(base**exponent.numerator)


def _root(value: Fraction) -> Fraction | None:
    """The exact square root, where there is one."""
    from math import isqrt

    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    exact = top * top == value.numerator and bottom * bottom == value.denominator
    return Fraction(top, bottom) if exact else None
