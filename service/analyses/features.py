"""By what samples are sliced without being told: their metadata, lengths, languages, references,
and how much of the output is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metrics.core.beside import number
from metrics.core.clustered import LONGEST_VALUE
from metrics.core.metric import Sample
from metrics.core.rows import Floats
from metrics.text.languages import identifier_of, identify
from metrics.text.tokens import cutter

LEAST = 10  # samples of a slice, and of the rest
MOST_VALUES = 20  # of a field, the commonest
MOST_FIELDS = 50  # of the metadata
NUMBERS = 10  # distinct ones, above which a field is cut into three bands
LONGEST = 20_000  # characters of a text that are looked at
NGRAM = 2  # words

Labels = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Feature:
    """What each sample is labelled by; None: it has no such label."""

    kind: str
    name: str
    labels: Labels


def features(samples: Sequence[Sample]) -> Iterator[Feature]:
    """All that the samples have, those with a single label as well."""
    yield from _metadata(samples)
    cut = cutter("words", lowercase=True)
    texts: Mapping[str, Callable[[Sample], str | None]] = {
        "output": lambda one: next(iter(one.outputs), None),
        "prompt": lambda one: one.prompt,
        "reference": lambda one: next(iter(one.references), None),
    }
    words: dict[str, list[Sequence[str] | None]] = {}
    for name, text in texts.items():
        found = [text(one) for one in samples]
        if all(one is None for one in found):
            continue
        words[name] = [None if one is None else cut(one[:LONGEST]) for one in found]
        lengths = [np.nan if one is None else len(one) for one in words[name]]
        yield Feature("length", f"{name} words", bands(np.array(lengths, np.float64)))
        if name != "reference":
            yield Feature("language", f"{name} language", _languages(found))
    counts = [str(len(one.references)) for one in samples]
    yield Feature("references", "references", counts)
    yield from _novelties(words)


def bands(numbers: Floats) -> Labels:
    """Three bands of about as many samples; fewer where many numbers are the same."""
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return [None] * len(numbers)
    low, high = np.quantile(known, [1 / 3, 2 / 3], method="inverted_cdf").tolist()
    names = [f"≤ {low:.4g}", f"{low:.4g} < x ≤ {high:.4g}", f"> {high:.4g}"]
    return [
        None if not np.isfinite(one) else names[int(one > low) + int(one > high)]
        for one in numbers.tolist()
    ]


def _metadata(samples: Sequence[Sample]) -> Iterator[Feature]:
    fields = Counter(key for one in samples for key in one.metadata)
    for name, _ in fields.most_common(MOST_FIELDS):
        values = [one.metadata.get(name) for one in samples]
        numbers = np.array([number(one) for one in values], np.float64)
        given = sum(one is not None for one in values)
        many = len(np.unique(numbers[np.isfinite(numbers)])) > NUMBERS
        if many and np.isfinite(numbers).sum() == given:
            yield Feature("metadata", name, bands(numbers))
        else:
            yield Feature("metadata", name, [_text(one) for one in values])


def _text(value: Any) -> str | None:
    """As slices of evaluations are named; a list or an object names none."""
    if value is None or isinstance(value, list | dict):
        return None
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return written if len(written) <= LONGEST_VALUE else None


def _languages(texts: Sequence[str | None]) -> Labels:
    telling = identifier_of()
    known = {text: identify(text[:LONGEST], telling) for text in {*texts} if text is not None}
    return [known[text] or None if text is not None else None for text in texts]


def _novelties(words: Mapping[str, Sequence[Sequence[str] | None]]) -> Iterator[Feature]:
    """The share of the output's pairs of words that are not in what it was made from."""
    for name in ("prompt", "reference"):
        if name in words and "output" in words:
            pairs = zip(words["output"], words[name], strict=True)
            new = np.array([_novelty(own, there) for own, there in pairs], np.float64)
            yield Feature("novelty", f"new to the {name}", bands(new))


def _novelty(own: Sequence[str] | None, there: Sequence[str] | None) -> float:
    mine = _ngrams(own or ())
    if not mine or there is None:
        return float("nan")
    return len(mine - _ngrams(there)) / len(mine)


def _ngrams(words: Sequence[str]) -> set[tuple[str, ...]]:
    return set(zip(*(words[at:] for at in range(NGRAM)), strict=False))
