"""TER against sacrebleu, WER and CER against jiwer: news segments, English and Russian."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, news
from metrics import find
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    yield _row("ter", "sacrebleu", _ter, max(2, int(200 * scale)), 5.0)
    yield _row("wer", "jiwer", partial(_rates, "process_words"), max(2, int(4000 * scale)), 1.0)
    yield _row(
        "cer", "jiwer", partial(_rates, "process_characters"), max(2, int(4000 * scale)), 1.0
    )


def _row(name: str, package: str, theirs: Any, count: int, required: float) -> Row:
    inputs = [news(count, seed) for seed in range(ROUNDS)]

    def ours(pairs: Pairs) -> Floats:
        return rows_of(find(name).bind(), pairs.samples)

    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    agreement = f"every statistic, largest difference {difference:.1g}"
    what = f"{name.upper()} statistics, {count} segments, against {package}"
    return ratio(what, found, required, agreement, agrees=difference == 0)


def _ter(pairs: Pairs) -> Any:
    from sacrebleu.metrics.ter import TER

    return TER()._extract_corpus_statistics(pairs.outputs, [pairs.references])


def _rates(process: str, pairs: Pairs) -> Any:
    import jiwer

    counts = []
    for output, reference in zip(pairs.outputs, pairs.references, strict=True):
        found = getattr(jiwer, process)(reference, output)
        edits = found.substitutions + found.deletions + found.insertions
        counts.append((edits, found.hits + found.substitutions + found.deletions))
    return np.array(counts)
