"""Intervals of scores for which none would cover: `Score.no_interval` says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference.sentences import Sentence
from metrics.core.declared import Score
from metrics.statistics.intervals import Intervals
from metrics.statistics.remarks import Remark


def withheld(scores: Sequence[Score], found: Intervals) -> Intervals:
    """`found` without the intervals of such scores; the reason is their note."""
    none = np.array([bool(score.no_interval) for score in scores], np.bool_)
    told = list(zip(scores, found.methods, found.notes, strict=True))
    return replace(
        found,
        low=np.where(none, np.nan, found.low),
        high=np.where(none, np.nan, found.high),
        methods=tuple("none" if score.no_interval else method for score, method, _ in told),
        notes=tuple((_why(score),) if score.no_interval else notes for score, _, notes in told),
    )


def _why(score: Score) -> Remark:
    return Remark("no interval: {why}", why=Sentence.plain(score.no_interval))
