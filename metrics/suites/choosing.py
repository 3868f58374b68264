"""Which metrics of a suite can be measured on these samples, here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.errors import InputError, ReportedError
from inference.sentences import Sentence
from metrics.core.metric import BoundMetric, Sample
from metrics.core.names import without_value
from metrics.core.run import prepare
from metrics.suites.declaration import Option, Suite, SuiteMetric
from metrics.suites.languages import languages_of

# A metric by name with parameters. Raises ReportedError where it, or its model, is not to be had.
Bind = Callable[[str, Mapping[str, Any]], BoundMetric]


@dataclass(frozen=True, slots=True)
class Picked:
    """A metric that is measured: as the entry has it, or what stands in for it."""

    entry: SuiteMetric
    option: Option
    metric: BoundMetric


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A metric that is not measured as the suite has it. `instead`: what is in its place."""

    metric: str
    reason: str
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a suite is measured, in which language, and what is not."""

    suite: Suite
    language: str | None
    picked: tuple[Picked, ...]
    left_out: tuple[LeftOut, ...]


def choose(
    suite: Suite,
    samples: Sequence[Sample],
    bind: Bind,
    *,
    language: str | None = None,
    taken: Collection[str] = (),
) -> Chosen:
    """The metrics of the suite that can be measured on the samples.

    language  of the answers; None: as the samples tell
    taken     names of metrics that are measured anyway: they take the places of the suite's own
    """
    languages = [language] if language else languages_of(samples)
    language = languages[0] if len(languages) == 1 else None
    names, picked, left_out = {*taken}, [], []
    for entry in suite.metrics:
        reason, found = None, None
        for option in entry.options(language):
            try:
                found = Picked(entry, option, _fitting(option, samples, languages, bind))
                break
            except ReportedError as error:
                reason = reason or error.message
        if found is not None and found.metric.name in names:
            continue
        if found is not None:
            names.add(found.metric.name)
            picked.append(found)
        if reason is not None:
            said = _said(found) if found is not None else None
            left_out.append(LeftOut(entry.name, reason, said))
    return Chosen(suite, language, tuple(picked), tuple(left_out))


def _fitting(
    option: Option, samples: Sequence[Sample], languages: Sequence[str | None], bind: Bind
) -> BoundMetric:
    """The metric, if it can be measured. Raises ReportedError with the reason why it cannot."""
    fits = bool(languages) and {*languages} <= {*option.languages}
    if option.languages and not fits:
        there = Sentence("no language was found")
        if any(languages):
            untold = Sentence("one that was not told")
            each = Sentence.joined([repr(one) if one else untold for one in languages], ", ")
            there = Sentence("these samples are {each}", each=each)
        form = "it holds for the languages {languages}: {there}"
        raise InputError(Sentence(form, languages=", ".join(option.languages), there=there))
    metric = bind(option.name, option.params)
    prepare(metric, samples)
    for field in metric.fields:
        if all(sample.metadata.get(field) is None for sample in samples):
            fields = {name for sample in samples for name in sample.metadata}
            why = without_value(field, fields)
            raise InputError(Sentence("{metric} goes by it: {why}", metric=metric.name, why=why))
    return metric


def _said(found: Picked) -> str:
    """The metric with the parameters that make it what it is."""
    model = {"model": found.metric.models[0]} if found.metric.models else {}
    given = ", ".join(f"{name}: {value}" for name, value in (model | found.option.params).items())
    return f"{found.metric.name} ({given})" if given else found.metric.name
