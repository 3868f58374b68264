"""The suites' own sentences in another language: `ru/*.toml` has Russian, a table a metric;
what stands in for it has tables of its own in that, in the suite's order."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeVar

from metrics.suites import suites
from metrics.suites.choosing import Chosen, Picked
from metrics.suites.declaration import Option, Suite

Said = TypeVar("Said", bound=Option)
Lang = Literal["en", "ru"]
SENTENCES = ("why", "cannot_see")
LEFT_OUT: dict[Lang, tuple[str, str]] = {
    "en": ("{} is left out: {}", "{} is {} here: {}"),
    "ru": ("{} не измеряется: {}", "вместо {} здесь {}: {}"),
}


def left_out(metric: str, reason: str, instead: str | None, lang: Lang = "en") -> str:
    """A sentence on a metric that is not measured as its suite has it."""
    alone, replaced = LEFT_OUT[lang]
    return alone.format(metric, reason) if not instead else replaced.format(metric, instead, reason)


def worded(suite: Suite, lang: Lang) -> Suite:
    """The suite with its sentences in the language: English where one is not translated, a user's
    own suite as it is."""
    if lang == "en" or suites().get(suite.name) != suite:
        return suite
    said = _sentences(suite.name, lang)
    metrics = []
    for entry in suite.metrics:
        told = said.get(entry.name, {})
        instead = tuple(map(_told, entry.instead, told.get("instead", [{}] * len(entry.instead))))
        metrics.append(_told(entry, told).model_copy(update={"instead": instead}))
    about = said.get("about", suite.about)
    return suite.model_copy(update={"about": about, "metrics": tuple(metrics)})


def picked(chosen: Chosen, lang: Lang) -> list[tuple[Picked, Option]]:
    """What is measured of a suite, with the sentences of just that: of what stands in for a metric
    its own."""
    entries = {entry.name: entry for entry in worded(chosen.suite, lang).metrics}
    found = []
    for one in chosen.picked:
        place = [*one.entry.options(chosen.language)].index(one.option)
        found.append((one, [*entries[one.entry.name].options(chosen.language)][place]))
    return found


def _told(option: Said, told: Mapping[str, str]) -> Said:
    """With the sentences that there are."""
    return option.model_copy(update={name: told[name] for name in SENTENCES if name in told})


@cache
def _sentences(name: str, lang: Lang) -> dict[str, Any]:
    """A suite's `about`, and a table of sentences for each metric."""
    file = files(__package__) / lang / f"{name}.toml"
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
