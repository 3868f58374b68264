"""What may be None and is not."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def known(value: T | None) -> T:
    """The value. Fails where there is none."""
    assert value is not None
    return value
