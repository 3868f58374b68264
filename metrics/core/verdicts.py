"""Verdicts on parts of an output: what a metric found sentence by sentence, or rule by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from metrics.core.details import MESSAGES
from metrics.core.evidence import FLAG, NOTES, Evidence

if TYPE_CHECKING:
    from metrics.core.metric import BoundMetric


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of a part of an output, or of the reference that it is held against.

    text     the sentence, instruction, question or test
    verdict  a word of the metric's: "supported", "followed"
    source   what speaks for the verdict, where something does
    expected, found  of a question: the answer it was asked for, and the answer; None: there is none
    values   numbers behind it, by name
    """

    text: str
    verdict: str
    source: str | None = None
    expected: str | None = None
    found: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)


def verdicts_of(metric: BoundMetric, evidence: Evidence) -> list[list[Verdict]]:
    """Of each item, the verdicts that its evidence keeps in its notes; none where the item could
    not be measured, nor of a metric that gives none."""
    if metric.metric.verdicts is None or NOTES not in evidence:
        return [[] for _ in range(len(evidence))]
    found = metric.metric.verdicts(evidence, metric.params)
    if FLAG not in evidence:
        return found
    lacking = {code for code, flag in metric.flags.items() if flag.missing} | set(MESSAGES)
    codes = evidence[FLAG].tolist()
    return [[] if code in lacking else own for own, code in zip(found, codes, strict=True)]
