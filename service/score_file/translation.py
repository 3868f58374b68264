"""What metrics say of a file's scores, and why a suite's metric is not measured, in Russian."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

from inference.sentences import Sentence
from metrics.core.result import Result
from metrics.suites.choosing import LeftOut
from metrics.suites.wording import Lang
from service.score_file.report import Scored


@cache
def forms() -> Mapping[str, str]:
    """The Russian of each form."""
    parts = tomllib.loads((files(__package__) / "ru.toml").read_text("utf-8"))
    return {form: own for part in parts.values() for form, own in part.items()}


def told(text: str, lang: Lang) -> str:
    """A sentence in the language, and those among its figures; English where it has no form, as
    the messages of other packages."""
    if lang == "en" or not isinstance(text, Sentence):
        return text
    figures = {
        name: told(one, lang) if isinstance(one, str) else one for name, one in text.figures.items()
    }
    return forms().get(text.form, text.form).format(**figures)


def translated(scored: Scored, lang: Lang) -> Scored:
    """With all of its warnings, errors and reasons in the language."""
    if lang == "en":
        return scored
    found = [
        (_result(whole, lang), {name: _result(part, lang) for name, part in parts.items()})
        for whole, parts in scored.found
    ]
    chosen = scored.chosen
    if chosen is not None:
        left_out = tuple(_left_out(one, lang) for one in chosen.left_out)
        chosen = replace(chosen, left_out=left_out)
    return replace(scored, found=found, chosen=chosen)


def _result(result: Result, lang: Lang) -> Result:
    scores = tuple(
        replace(
            one,
            warnings=tuple(told(warning, lang) for warning in one.warnings),
            error=None if one.error is None else told(one.error, lang),
        )
        for one in result.scores
    )
    return replace(result, scores=scores)


def _left_out(one: LeftOut, lang: Lang) -> LeftOut:
    return replace(one, reason=told(one.reason, lang))
