"""Leaderboards, as the service answers."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from assay.models import Answer, Json


class BoardEntry(Answer):
    """A leaderboard that there is: a dataset version, and the scores it can rank by."""

    dataset: str
    version: int
    dataset_id: str
    metrics: list[str]


class Protocol(Answer):
    """How outputs were made; `digest` is equal where all of it is, but for seeds."""

    digest: str
    text: str
    model: str | None = None
    draws: str
    template: Json | None = None
    generation: Json | None = None


class BoardRow(Answer):
    """A system on a leaderboard, a row for each way in which its outputs were made (`protocol`).

    `rank_interval`: the ranks that the paired tests leave open at 5%, Holm-adjusted over all pairs,
    and by Romano and Wolf's step-down; `p_vs_next`: the adjusted p-value against the row below,
    None where there is no verdict; `tie_band`: systems that cannot be told from the band's first;
    `p_first`: the share of replicates in which it is first; `incomplete`: samples on which it has
    no value and another system has one: it stands last, and is called better than nobody;
    `value_bounds`: its value, were those the worst and the best; `notes`: what the system's other
    evaluations have otherwise.
    """

    rank: int
    rank_interval: tuple[int, int]
    system: str
    evaluation: str
    value: float
    interval: tuple[float, float] | None
    n: int
    missing: int = 0
    incomplete: int = 0
    p_vs_next: float | None
    rank_interval_step_down: tuple[int, int] | None = None
    p_vs_next_step_down: float | None = None
    tie_band: int | None = None
    p_first: float | None = None
    n_common: int | None = None
    value_common: float | None = None
    value_bounds: tuple[float, float] | None = None
    model: str | None = None
    generation: Json | None = None
    protocol: Protocol | None = None
    notes: list[str] = Field(default_factory=list)
    finished_at: datetime | None = None


class LeftOut(Answer):
    """A system that cannot be ranked with the others, and why; without a value, no signature."""

    system: str
    evaluation: str
    signature: str | None
    reason: str


class Leaderboard(Answer):
    """Systems on one dataset version by one score of one signature, best first.

    `pending` evaluations have landed since it was computed, and are not in it yet.
    """

    dataset: str
    version: int
    dataset_id: str = ""
    metric: str
    slice: str | None = None
    higher_is_better: bool
    signature: str
    signatures: list[str] = Field(default_factory=list)
    tests: str | None = None
    cluster: str | None = None
    clusters: int | None = None
    n_common: int | None = None
    warnings: list[str] = Field(default_factory=list)
    at: datetime | None = None
    computed_at: datetime | None = None
    pending: int = 0
    size: int = 0
    last_id: str | None = None
    has_more: bool = False
    rows: list[BoardRow]
    left_out: list[LeftOut]
