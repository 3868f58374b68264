"""Comparisons, as the service answers."""

from __future__ import annotations

from pydantic import Field

from assay.models import Answer


class ComparisonResult(Answer):
    """One score of two evaluations: `difference` is a - b; `p_corrected` is over all results.

    `only_a`, `only_b`: samples on which only that one has a value. Who is ahead and lacks some has
    no verdict: `significant` is None, and `note` says so; `unvoted_a`, `unvoted_b`: those of them
    on which nobody voted on that one's output, which withholds none. `bounds`: of a - b, were what
    one lacks the worst and the best. `rated`: of the n, samples with people's ratings, the lesser
    of both systems' numbers, of a score that goes by them. `wins`: samples on which a is better.
    `minimum_detectable_difference`: what n samples find with a power of 80%; `samples_to_separate`:
    how many find this difference.
    """

    metric: str
    name: str
    evaluation_a: str = ""
    evaluation_b: str = ""
    system_a: str = ""
    system_b: str = ""
    a: float | None
    b: float | None
    difference: float | None
    interval: tuple[float, float] | None
    level: float | None = None
    standard_error: float | None = None
    p_value: float | None
    p_method: str | None = None
    p_corrected: float | None
    significant: bool | None
    n: int
    rated: int | None = None
    only_a: int = 0
    only_b: int = 0
    unvoted_a: int = 0
    unvoted_b: int = 0
    clusters: int | None = None
    design_effect: float | None = None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None
    bounds: tuple[float, float] | None = None
    minimum_detectable_difference: float | None = None
    samples_to_separate: int | None = None
    test: str
    higher_is_better: bool
    judged: bool = True
    signature: str
    note: str | None = None
    warnings: list[str] = Field(default_factory=list)
    error: str | None = None


class Comparison(Answer):
    """Evaluations compared, a result for each pair and each score that both have.

    `differs`: what else they do not share, as the dataset's version or settings of generation.
    """

    differs: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    evaluations: list[str] = Field(default_factory=list)
    systems: list[str] = Field(default_factory=list)
    baseline: str | None = None
    cluster: str | None = None
    slice: str | None = None
    results: list[ComparisonResult]
