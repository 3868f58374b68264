"""Identifiers: a prefix that tells the kind, then characters that sort by time of creation."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u


def new(prefix: str) -> str:
    """`eval_01j9…`: 10 characters of microseconds since the epoch, then 60 random bits."""
    return f"{prefix}_{_digits(time.time_ns() // 1000, 11)}{_digits(secrets.randbits(60), 12)}"


def _digits(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
