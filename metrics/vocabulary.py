"""Vocabulary: how varied the words of an output are, as type-token ratio and its moving average.

Conventions
    ttr    different words / words of one output. It falls as texts grow.
    mattr  the mean of the ratios of all windows of `window` words (Covington and McFall), which
           does not; of an output with fewer words it is the ratio of the whole.
    Averaged over a sample's outputs, then over samples. 0 to 1, higher is more varied. An output
    without words counts as missing. Words of any script, lower-cased, unless told: Han, kana and
    emoji count one by one. Forms of a word are different words, so languages do not compare.

Covington, McFall: Cutting the Gordian knot, the moving-average type-token ratio (2010).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", outputs=("Да, да! Нет.",))
    >>> (result,) = score([sample], [METRIC.bind({"window": 2})])
    >>> [round(found.value, 3) for found in result.scores]
    [0.667, 0.75]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import Floats, Ints, mean
from metrics.text.passages import batches
from metrics.text.tokens import Cut, columns

NO_WORDS = 1  # the flag of an output without words


class VocabularyParams(Params):
    """What a word is, and how many are looked at together."""

    window: int = Field(50, ge=1, le=1_000_000, description="words of a window of mattr")
    tokenizer: Cut = Field(
        "words",
        description="`words`: letters and digits of any script, Han, kana and emoji one by one; "
        "`whitespace`; `characters`",
    )
    lowercase: bool = True


def measure(items: Sequence[Item], params: VocabularyParams, models: Models) -> Evidence:
    """Rows (n_items, 3): type-token ratio, its moving average, 1."""
    rows = [_rows([item.output for item in batch], params) for batch in batches(items)]
    found = np.concatenate(rows) if rows else np.ones((0, 3))
    empty = np.isnan(found[:, 0])
    return Evidence.of_rows(np.nan_to_num(found), np.where(empty, NO_WORDS, 0).tolist())


def _rows(texts: Sequence[str], params: VocabularyParams) -> Floats:
    """NaN for texts without words."""
    words = columns(texts, params.tokenizer, params.lowercase)
    lengths, count = words.sizes, len(texts)
    text = np.repeat(np.arange(count), lengths)
    place = np.arange(len(text)) - words.offsets[:-1][text]
    before = _before(words.values.astype(np.int64), text, place)
    width = np.minimum(params.window, lengths)
    last = lengths - width  # where the last window begins
    # a word is a type of the windows that hold it and begin after it was used before
    first = np.maximum(place - width[text], before) + 1
    windows = np.maximum(np.minimum(place, last[text]) - first + 1, 0)
    types, moving = np.bincount(text, before < 0, count), np.bincount(text, windows, count)
    with np.errstate(invalid="ignore"):
        return np.column_stack([types / lengths, moving / (width * (last + 1)), np.ones(count)])


def _before(words: Ints, text: Ints, place: Ints) -> Ints:
    """(n_words,) where in its text each word was used last; -1: nowhere."""
    keys = text * (int(words.max(initial=0)) + 1) + words
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    before = np.full(len(words), -1, np.int64)
    before[order[1:][again]] = place[order[:-1][again]]
    return before


METRIC = Metric(
    name="vocabulary",
    version=1,
    about="Variety of an output's words: type-token ratio, and its average over windows.",
    formula="different words / words; mattr: the mean of that over windows of 50 words",
    avoid="Comparing languages, or lengths by ttr; nonsense is varied too.",
    params=VocabularyParams,
    reads=("output",),
    needs=(),
    scores=(
        Score("ttr", higher_is_better=True, high=1, about="type-token ratio"),
        Score("mattr", higher_is_better=True, high=1, about="its moving average"),
    ),
    interval="wilson",
    pooling="average",
    source=Source(
        paper="Covington and McFall 2010, https://doi.org/10.1080/09296171003643098",
        reference="the definition",
    ),
    measure=measure,
    reduce=mean,
    libraries=lambda params: ("regex",) if params.tokenizer == "words" else (),
    flags={NO_WORDS: Flag("no words: no variety to measure", missing=True)},
)
