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

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.batching import plan_in_order
from inference.protocol import Models
from metrics.core.evidence import Column, Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import Floats, Ints, mean
from metrics.text.ngrams import count, matches, words
from metrics.text.passages import spans
from metrics.text.words import unicode_words

MOST_PAIRS = 2_000_000  # of a text
TABLE = 1 << 24  # texts times words: bytes of a table of which text has which
TOGETHER = 1 << 19  # pairs of words that are looked at together, of several texts
NO_WORDS, TOO_LONG = 1, 2  # flags
BATCH_BYTES, BATCH_ITEMS = 2_000_000, 512


class RougeSParams(Params):
    """How far apart words may stand."""

    max_skip: int = Field(4, ge=0, le=100, description="words between the two of a pair; 0: none")


def measure(items: Sequence[Item], params: RougeSParams, models: Models) -> Evidence:
    """Rows (F of pairs, F of pairs and words, 1); zeros where the references have no words."""
    index: dict[str, int] = {}
    outputs = np.array([index.setdefault(one.output, len(index)) for one in items], np.int64)
    found = [index.setdefault(text, len(index)) for one in items for text in one.references]
    references, counts = np.array(found, np.int64), [len(one.references) for one in items]
    tokens, owner = list(map(unicode_words, index)), np.repeat(np.arange(len(items)), counts)
    texts = words(chain.from_iterable(tokens), np.array(list(map(len, tokens)), np.int64))
    long = texts.sizes * (params.max_skip + 1) > MOST_PAIRS
    too_long = long[outputs]
    too_long[owner[long[references]]] = True
    some = np.zeros(len(items), np.bool_)
    some[owner[texts.sizes[references] > 0]] = True
    flags = np.where(too_long, TOO_LONG, np.where(some, 0, NO_WORDS))
    kept = flags[owner] == 0
    rows = np.zeros((len(items), 3))
    rows[:, 2] = flags == 0
    values = _values(texts, outputs[owner[kept]], references[kept], params.max_skip + 1)
    np.maximum.at(rows[:, :2], owner[kept], values)
    return Evidence.of_rows(rows, flags.tolist())


def _values(texts: Column, outputs: Ints, references: Ints, gaps: int) -> Floats:
    """(n, 2): F of pairs, and of pairs and words: 2 · shared / all of both."""
    sizes = texts.sizes
    pairs = count(sizes, gaps + 1)[:, 1:].sum(1)
    total = np.stack([one[outputs] + one[references] for one in (pairs, sizes)], 1)
    shared = np.zeros((len(outputs), 2), np.int64)
    for low, high in spans((sizes[outputs] + sizes[references]) * gaps, TOGETHER):
        here = high - low
        part = texts.take(np.concatenate([outputs[low:high], references[low:high]]))
        at = np.arange(here)
        for column, units in enumerate([_pairs(part, gaps), part]):
            shared[low:high, column] = matches(units, at, here + at, at, 1)[:, 0]
    shared, total = shared.cumsum(1), total.cumsum(1)
    return np.asarray(2 * shared / np.maximum(total, 1), np.float64)


def _pairs(texts: Column, gaps: int) -> Column:
    """Each word with each of the `gaps` words behind it, as one number; of outputs and, behind
    them, their references. Pairs with a word that the other text lacks are left out."""
    codes = texts.values.astype(np.int64)
    text = np.repeat(np.arange(texts.count), texts.sizes)
    both = _in_both(codes, text, texts.count // 2)
    left = texts.offsets[1:][text] - np.arange(len(codes))  # to the text's end
    place, gap = np.nonzero((np.arange(1, gaps + 1) < left[:, None]) & both[:, None])
    after = place + gap + 1
    place, after = place[both[after]], after[both[after]]
    values = codes[place] * (int(codes.max(initial=0)) + 1) + codes[after]
    return Column(values, np.bincount(text[place], minlength=texts.count))


def _in_both(codes: Ints, text: Ints, count: int) -> NDArray[np.bool_]:
    """(n,) whether the other text has the word, too; all, where a table would be too large."""
    words = int(codes.max(initial=0)) + 1
    if count * words > TABLE:
        return np.ones(len(codes), np.bool_)
    seen = np.zeros((2, count * words), np.bool_)
    side, key = text // max(count, 1), text % max(count, 1) * words + codes
    seen[side, key] = True
    return np.asarray(seen[1 - side, key], np.bool_)


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
