"""Language against py3langid called by hand: news segments, English and Russian."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, news
from metrics import find
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    metric = find("language").bind({"language": "ru", "min_confidence": 0})
    inputs = [news(max(2, int(2000 * scale)), seed) for seed in range(ROUNDS)]
    rows_of(metric, inputs[0].samples[:2])  # loads its tables

    def ours(pairs: Pairs) -> Floats:
        return rows_of(metric, pairs.samples)[:, 0]

    def theirs(pairs: Pairs) -> Floats:
        return np.array([identifier.classify(text)[0] == "ru" for text in pairs.outputs], float)

    found = in_turns(inputs, ours, theirs)
    differing = max(furthest(a, b) for a, b in found.results)
    what = f"language, {len(inputs[0].samples)} segments, against py3langid, whose model it reads"
    yield ratio(what, found, 1.5, "the same verdicts", agrees=differing == 0)
