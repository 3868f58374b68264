"""What statistics say of an interval: English sentences that keep the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self


class Remark(str):
    """A sentence, its form as `only {n} units`, and the numbers that fill it."""

    form: str
    figures: Mapping[str, object]

    def __new__(cls, form: str, /, **figures: object) -> Self:
        """Of a form and its figures, which `str.format` puts together."""
        made = super().__new__(cls, form.format(**figures))
        made.form, made.figures = form, figures
        return made
