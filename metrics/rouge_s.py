"""ROUGE-S and ROUGE-SU: pairs of words, in their order and not far apart, shared with a reference.

Conventions
    Counted are pairs of words of a text with at most `max_skip` others between them (4, as ROUGE-S4
    and ROUGE-SU4), each as often as both texts have it; `rouge_su` counts single words with them.
    The score is the harmonic mean of the shares of the output's pairs and of the reference's; the
    text as a whole is one sequence. Words are those of every script, case-folded; of Chinese and
    Japanese each character is one. Several references: the best, of each score. Several outputs are
    averaged; the value is the mean over samples. 0..1, higher is better. An output without words
    scores 0; references without any are missing, and so are texts of more than 2 million pairs.
    Texts of one word have no pairs: `rouge_s` is 0.

Lin: ROUGE (2004), section 5.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("полиция бандита убила",), references=("полиция убила бандита",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> {found.name: round(found.value, 3) for found in result.scores}
    {'rouge_s': 0.667, 'rouge_su': 0.833}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from pydantic import Field

from inference.batching import plan_in_order
from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import mean
from metrics.text.words import unicode_words

MOST_PAIRS = 2_000_000  # of a text
NO_WORDS, TOO_LONG = 1, 2  # flags
BATCH_BYTES, BATCH_ITEMS = 2_000_000, 512

T = TypeVar("T")


class RougeSParams(Params):
    """How far apart words may stand."""

    max_skip: int = Field(4, ge=0, le=100, description="words between the two of a pair; 0: none")


@dataclass(frozen=True, slots=True)
class Units:
    """How often a text has each word and each pair of words, and how many pairs in all."""

    words: Counter[str]
    pairs: Counter[tuple[str, str]]
    total: int

    @classmethod
    def of(cls, text: str, max_skip: int) -> Units | None:
        """None where the pairs are too many."""
        words = unicode_words(text)
        if len(words) * (max_skip + 1) > MOST_PAIRS:
            return None
        pairs: Counter[tuple[str, str]] = Counter()
        for gap in range(1, max_skip + 2):
            pairs.update(zip(words, words[gap:], strict=False))
        return cls(Counter(words), pairs, pairs.total())

    def f1(self, other: Units) -> tuple[float, float]:
        """Of pairs, and of pairs and words: 2 · shared / all of both."""
        shared, total = _shared(self.pairs, other.pairs), self.total + other.total
        both, words = _shared(self.words, other.words), self.words.total() + other.words.total()
        return 2 * shared / max(total, 1), 2 * (shared + both) / max(total + words, 1)


def _shared(one: Counter[T], other: Counter[T]) -> int:
    return sum(min(one[key], other[key]) for key in one.keys() & other.keys())


def measure(items: Sequence[Item], params: RougeSParams, models: Models) -> Evidence:
    """Rows (F of pairs, F of pairs and words, 1); zeros where the references have no words."""
    read: dict[str, Units | None] = {}
    rows, flags = np.zeros((len(items), 3)), []
    for index, item in enumerate(items):
        for text in (item.output, *item.references):
            if text not in read:
                read[text] = Units.of(text, params.max_skip)
        output, references = read[item.output], [read[text] for text in item.references]
        known = [one for one in references if one is not None]
        if output is None or len(known) < len(references):
            flags.append(TOO_LONG)
        elif not any(one.words for one in known):
            flags.append(NO_WORDS)
        else:
            flags.append(0)
            rows[index] = *np.max([output.f1(one) for one in known], 0), 1
    return Evidence.of_rows(rows, flags)


METRIC = Metric(
    name="rouge_s",
    version=1,
    about="Pairs of words in their order, with gaps, shared with a reference; and single words.",
    formula="F1 of shared pairs of words with at most 4 between them (rouge_su: and of words)",
    avoid="Facts and fluency: shared words count. Chance pairs in long texts of many short words.",
    params=RougeSParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(
        Score("rouge_s", higher_is_better=True, high=1.0, about="mean F1 of pairs"),
        Score("rouge_su", higher_is_better=True, high=1.0, about="mean F1 of pairs and words"),
    ),
    interval="bootstrap_t",
    pooling="average",
    source=Source(paper="Lin 2004, https://aclanthology.org/W04-1013", reference="the definition"),
    measure=measure,
    reduce=mean,
    plan=lambda items, params, models: plan_in_order(
        [len(item.output) + sum(map(len, item.references)) for item in items],
        BATCH_BYTES,
        BATCH_ITEMS,
    ),
    flags={
        NO_WORDS: Flag("no reference has a word", missing=True),
        TOO_LONG: Flag("too long: more than 2 million pairs of words", missing=True),
    },
)
