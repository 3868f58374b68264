"""Analyses of errors, as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from metrics.statistics.corrections import Correction

Kind = Literal["metadata", "length", "language", "references", "novelty", "texts"]


class ExampleOut(BaseModel):
    """A sample, its texts cut short; `value` is its own under the score."""

    id: str
    value: float | None
    prompt: str | None
    output: str | None
    reference: str | None


class SliceOut(BaseModel):
    """A part of the samples against all others: those with one `label` of a `field`. Of kind
    `novelty` it is the share of the output's pairs of words that are not in the prompt, or in the
    reference; of `texts`, texts that are alike, and `words` tell them from the others.

    `difference` is `value` less `rest`, with its interval and test; `p_corrected` is over all
    slices and clusters of the analysis. `gain`: by how much the score of the whole set would be
    better, were the part as the rest is. `examples` are its worst samples.
    """

    kind: Kind
    field: str
    label: str
    words: list[str]
    value: float
    rest: float
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    p_corrected: float | None
    significant: bool | None  # at 5%, corrected
    worse: bool
    n: int
    clusters: int | None
    gain: float
    examples: list[ExampleOut]


class RankCorrelationOut(BaseModel):
    """Spearman's, with its interval."""

    value: float
    interval: tuple[float, float] | None


class DisagreementOut(BaseModel):
    """Two scores of the same samples; examples are ranked far higher by the one than by the other,
    both read so that more is better. Their `value` is by the analysed score."""

    a: str
    b: str
    n: int
    spearman: RankCorrelationOut
    a_above_b: list[ExampleOut]
    b_above_a: list[ExampleOut]


class AnalysisOut(BaseModel):
    """Where an evaluation loses a score; significant and worst first.

    `clusters` are of texts, alike by their words, or by the `encoder`. `cluster`: the field by
    which samples belong together in all tests.
    """

    object: str = "analysis"
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
    correction: Correction
    cluster: str | None
    encoder: str | None = None
    slices: list[SliceOut]
    clusters: list[SliceOut]
    disagreements: list[DisagreementOut]
    worst: list[ExampleOut]
    notes: list[str] = Field(default_factory=list)
    computed_at: datetime
