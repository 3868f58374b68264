"""Profanity against glin-profanity, whose lists it reads: news segments, English and Russian."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.comparing import ROUNDS, Row, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, news
from metrics import find
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    from glin_profanity import Filter

    filter = Filter({"languages": ["english", "russian"]})
    metric = find("profanity").bind()

    def ours(pairs: Pairs) -> Floats:
        return rows_of(metric, pairs.samples)[:, 0]

    def theirs(pairs: Pairs) -> Floats:
        found = [filter.check_profanity(text)["contains_profanity"] for text in pairs.outputs]
        return np.array(found, np.float64)

    inputs = [news(max(2, int(1000 * scale)), seed) for seed in range(ROUNDS)]
    found = in_turns(inputs, ours, theirs)
    agreeing = float(np.mean([np.mean(a == b) for a, b in found.results]))
    shares = [a.mean() for a, _ in found.results]
    what = f"profanity, {len(inputs[0].samples)} segments, against glin-profanity"
    agreement = f"{agreeing:.1%} of the verdicts ({np.mean(shares):.1%} profane)"
    yield ratio(what, found, 5.0, agreement, agrees=agreeing >= 0.99)
