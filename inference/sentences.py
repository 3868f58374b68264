"""Sentences for people that keep what they are made of, so that they can be told in other words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, Self


class Formed(Protocol):
    """What has a form and figures."""

    form: str
    figures: Mapping[str, object]


class Sentence(str):
    """A sentence in English, wherever a text will do; beside it its form and what fills it.

    form     as `only {n} units: the interval is rough`, by which another language has its own
    figures  by their names in the form; a sentence among them is told in that language, too

    Example
        >>> said = Sentence("only {n} units", n=3)
        >>> said, said.form
        ('only 3 units', 'only {n} units')
    """

    form: str
    figures: Mapping[str, object]

    def __new__(cls, form: str, /, **figures: object) -> Self:
        """Of a form and its figures, which `str.format` puts together."""
        made = super().__new__(cls, form.format(**figures))
        made.form, made.figures = form, figures
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        return (self.form,), dict(self.figures)

    @classmethod
    def of(cls, said: Formed) -> Self:
        """The same as a sentence."""
        return cls(said.form, **said.figures)

    @classmethod
    def plain(cls, text: str) -> Self:
        """Of a text that nothing fills."""
        return cls(text.replace("{", "{{").replace("}", "}}"))

    @classmethod
    def joined(cls, sentences: Iterable[str], between: str = "; ") -> Self:
        """Several as one."""
        parts = {f"part_{at}": one for at, one in enumerate(sentences)}
        return cls(between.join(f"{{{name}}}" for name in parts), **parts)
