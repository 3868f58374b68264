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
    prompts: Json | None = None


class SameOutputs(Answer):
    """Another row of the board, and the share of samples on which both have the same outputs."""

    system: str
    evaluation: str
    share: float


class BoardRow(Answer):
    """A system on a leaderboard, a row for each way in which its outputs were made (`protocol`).

    `rank_interval`: the ranks that the paired tests leave open at 5%, Holm-adjusted over all pairs,
    and by Romano and Wolf's step-down; `p_vs_next`: the adjusted p-value against the row below,
    None where there is no verdict; `tie_band`: systems that cannot be told from the band's first;
    `p_first`: the share of replicates in which it is first; `incomplete`: samples on which it has
    no value and another system has one: it stands last, and is called better than nobody;
    `unvoted`: those on which nobody voted on its output, which counts against nobody;
    `value_bounds`: its value, were those the worst and the best; `same_outputs`: the row with which
    it shares most outputs; `in_references`: the share of outputs that are references; `notes`: what
    the system's other evaluations have otherwise.
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
    unvoted: int = 0
    p_vs_next: float | None
    rank_interval_step_down: tuple[int, int] | None = None
    p_vs_next_step_down: float | None = None
    tie_band: int | None = None
    p_first: float | None = None
    n_common: int | None = None
    value_common: float | None = None
    value_bounds: tuple[float, float] | None = None
    design_effect: float | None = None
    rated: int | None = None
    same_outputs: SameOutputs | None = None
    in_references: float | None = None
    model: str | None = None
    generation: Json | None = None
    protocol_digest: str | None = None
    protocol: Protocol | None = None
    notes: list[str] = Field(default_factory=list)
    finished_at: datetime | None = None


class ControlRow(Answer):
    """What a board's score gives to a control; `notes` say why there is no value."""

    control: str
    about: str
    evaluation: str
    value: float | None
    interval: tuple[float, float] | None
    n: int
    missing: int
    notes: list[str] = Field(default_factory=list)


class Control(Answer):
    """A control's evaluation, on its way or there."""

    control: str
    evaluation: str
    status: str


class Controls(Answer):
    """Controls of a dataset version; `left_out`: those that are not possible, and why."""

    dataset: str
    version: int
    dataset_id: str
    metrics: list[str]
    data: list[Control]
    left_out: list[str]


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
    judged: bool = True
    signature: str
    signatures: list[str] = Field(default_factory=list)
    protocol: str = "none"
    protocols: list[str] = Field(default_factory=list)
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
    controls: list[ControlRow] | None = None


class BoardPart(Answer):
    """A part of a board as it is now: the dataset's version, the signature most systems have."""

    dataset: str
    version: int
    dataset_id: str
    score: str
    slice: str | None
    weight: float
    higher_is_better: bool
    judged: bool = True
    signature: str
    cluster: str | None
    systems: int


class PartValue(Answer):
    """What a system has in a part, by its newest evaluation there."""

    dataset: str
    score: str
    slice: str | None
    evaluation: str
    value: float
    interval: tuple[float, float] | None
    rank: int
    n: int
    incomplete: int


class DefinedRow(Answer):
    """A system with a value in every part."""

    rank: int
    rank_interval: tuple[int, int]
    system: str
    value: float
    interval: tuple[float, float] | None
    p_vs_next: float | None
    tie_band: int
    p_first: float | None
    incomplete: int = 0
    parts: list[PartValue]
    notes: list[str] = Field(default_factory=list)


class WithoutPart(Answer):
    """A system that is not on the board, and why."""

    system: str
    reason: str


class DefinedBoard(Answer):
    """Systems by several scores together, best first."""

    name: str
    aggregate: str
    higher_is_better: bool
    judged: bool = True
    parts: list[BoardPart]
    tests: str | None
    warnings: list[str] = Field(default_factory=list)
    at: datetime | None = None
    computed_at: datetime
    size: int
    rows: list[DefinedRow]
    left_out: list[WithoutPart]


class BoardDefinition(Answer):
    """A board as it was defined."""

    name: str
    parts: list[Json]
    aggregate: str
    allow_unlike_scales: bool
    created_at: datetime


class DeletedBoard(Answer):
    """What is no more."""

    name: str
    deleted: bool


class FrontScore(Answer):
    """A score of a front, with its direction there."""

    score: str
    higher_is_better: bool
    signature: str


class FrontRow(Answer):
    """A system; `on_front`: none is as good by every score and better by one. `share`: of the
    replicates in which it is on the front."""

    system: str
    protocol: str
    on_front: bool
    share: float | None
    beaten_by: list[str]
    values: dict[str, float]
    intervals: dict[str, tuple[float, float] | None]
    evaluations: dict[str, str]


class Front(Answer):
    """Systems on one dataset version by several scores, those on the front first."""

    dataset: str
    version: int
    dataset_id: str
    slice: str | None
    scores: list[FrontScore]
    warnings: list[str] = Field(default_factory=list)
    rows: list[FrontRow]
    left_out: list[WithoutPart]
