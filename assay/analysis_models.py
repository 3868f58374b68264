"""Answers on where a score is lost, as frozen objects."""

from __future__ import annotations

from datetime import datetime

from assay.models import Answer


class Example(Answer):
    """A sample, its texts cut short; `value` is its own under the analysed score."""

    id: str
    value: float | None
    prompt: str | None
    output: str | None
    reference: str | None


class Slice(Answer):
    """A part of the samples against all others: those with one `label` of a `field`, or with texts
    alike, told from the others by `words`. `difference` is `value` less `rest`.

    `gain`: by how much the whole score would be better, were the part as the rest is.
    """

    kind: str
    field: str
    label: str
    words: list[str]
    value: float
    rest: float
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    p_corrected: float | None
    significant: bool | None
    worse: bool
    n: int
    clusters: int | None
    gain: float
    examples: list[Example]


class RankCorrelation(Answer):
    """Spearman's, with its interval."""

    value: float
    interval: tuple[float, float] | None


class Disagreement(Answer):
    """Two scores of the same samples, and samples that the one ranks far above the other."""

    a: str
    b: str
    n: int
    spearman: RankCorrelation
    a_above_b: list[Example]
    b_above_a: list[Example]


class Analysis(Answer):
    """Where an evaluation loses a score; significant and worst first."""

    evaluation: str
    system: str
    dataset: str
    metric: str
    signature: str
    higher_is_better: bool
    value: float
    n: int
    missing: int
    level: float
    correction: str
    cluster: str | None
    encoder: str | None = None
    slices: list[Slice]
    clusters: list[Slice]
    disagreements: list[Disagreement]
    worst: list[Example]
    notes: list[str]
    computed_at: datetime
