"""Analyses of people's votes, as they are shown."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from service.annotation.schemas import Form

Interval = tuple[float, float] | None
Scale = Literal["log_odds", "rating", "logits", "kept", "none"]


class VoteEstimateOut(BaseModel):
    """A value with its interval; `reason`: why one of them is null."""

    value: float | None
    interval: Interval
    reason: str | None = None


class AnsweredShareOut(VoteEstimateOut):
    """The share of `n` answers that were as expected."""

    n: int


class PanelAgreementOut(BaseModel):
    """Of `units` on which two people or more voted. Percent is a share, from 0 to 1; alpha and
    kappa are 0 where people agree as chance would have it, and 1 where they all do."""

    krippendorff_alpha: VoteEstimateOut
    fleiss_kappa: VoteEstimateOut
    percent: VoteEstimateOut
    distance: Literal["nominal", "ordinal"]
    units: int


class AnnotatorAnalysisOut(BaseModel):
    """How one person votes, on items that count.

    agreement    share of the others' answers to the same items that are the person's own
    alpha        the same beyond chance
    severity     by how much below the others, in the scale's unit: of ratings and edits
    first_shown  how often the output shown first is chosen, ties apart: of pairwise
    accuracy     how often the true label is said, by the label model: of label
    seconds      the median of an item
    outlier      null where fewer than five people can be compared; `why`: in what
    """

    annotator: str
    name: str
    hash: str
    votes: int
    agreement: VoteEstimateOut
    alpha: VoteEstimateOut
    severity: VoteEstimateOut | None
    first_shown: VoteEstimateOut | None
    accuracy: float | None
    seconds: VoteEstimateOut
    gold: AnsweredShareOut
    control: AnsweredShareOut
    repeats: AnsweredShareOut
    outlier: bool | None
    why: list[str]


class JudgeAnalysisOut(BaseModel):
    """How a language model judges the project's items, as though it sat with the people; it counts
    in nothing of theirs. The fields are those of an annotator; `agreement` and `alpha` are with
    people. GET …/judges has them by criterion and slice."""

    annotator: str
    name: str
    hash: str
    model: str
    votes: int
    agreement: VoteEstimateOut
    alpha: VoteEstimateOut
    severity: VoteEstimateOut | None
    first_shown: VoteEstimateOut | None
    gold: AnsweredShareOut
    control: AnsweredShareOut


class RankedSystemOut(BaseModel):
    """What a system's votes say. Ranks are from 1, the best; the rank interval is what differences
    between systems leave open, all systems at once. `reason`: why something is null."""

    system: str
    strength: float | None
    interval: Interval
    rank: int | None
    rank_interval: tuple[int, int] | None
    reason: str | None


class LabelShareOut(BaseModel):
    """How often a system's outputs are of a label: by the label model, which allows for people's
    errors, and as it was voted (`raw`)."""

    label: str
    share: VoteEstimateOut
    raw: VoteEstimateOut


class SystemAnalysisOut(RankedSystemOut):
    """A system with what else is known of it. `measures` are of the form: of pairwise `tied`, the
    share of its votes; of best_worst `best_less_worst`, of the times it was shown; of edit
    `changed`, the share of its outputs."""

    votes: int
    win_rate: float | None
    win_rate_interval: Interval
    measures: dict[str, VoteEstimateOut]
    labels: list[LabelShareOut]


class VotePairOut(BaseModel):
    """Two systems; `difference` is of strengths, the first's less the second's, and `p_value` that
    of none, corrected for all pairs. `items`: how many samples both were judged on; `votes`: on
    both together."""

    first: str
    second: str
    votes: int | None
    items: int
    wins: int | None
    ties: int | None
    losses: int | None
    difference: float | None
    interval: Interval
    p_value: float | None


class ControlEffectOut(BaseModel):
    """What a control adds to the log-odds that an output is preferred, for each unit of it."""

    control: str
    effect: float
    interval: Interval
    p_value: float | None


class ControlledStrengthsOut(BaseModel):
    """Strengths were all outputs alike in the controls (pairwise), or all people as severe as the
    panel (ratings and edits). `reason`: why there are none."""

    controls: list[ControlEffectOut]
    systems: list[RankedSystemOut]
    reason: str | None


class MoreVotesOut(BaseModel):
    """How many more votes on these two neighbours would settle which is better, were the difference
    as it looks now: 0 where it is settled, null where nobody can say. `p_value` is not corrected;
    null of ratings, which are settled where the pair's interval is without 0."""

    better: str
    worse: str
    difference: float
    p_value: float | None
    votes: int | None


class AsideVotesOut(BaseModel):
    """Votes that tell of people and not of systems, and all that are `excluded`: those of the
    `annotators` that were to be left out."""

    gold: int
    control: int
    repeat: int
    excluded: int = 0
    annotators: list[str] = []


class VoteAnalysisOut(BaseModel):
    """What the votes of a project say of its systems, and of those who voted.

    `votes` count; those `left_out` are looked at for each annotator alone. `scale` is that of
    strengths: log-odds of being preferred, ratings, logits of being best, the share of a text that
    edits kept. `components`: groups of systems that can be compared; where there are several,
    nobody has a rank.
    """

    object: str = "vote_analysis"
    project: str
    form: Form
    criterion: str | None
    criteria: list[str]
    level: float
    votes: int
    items: int
    left_out: AsideVotesOut
    scale: Scale
    agreement: PanelAgreementOut
    annotators: list[AnnotatorAnalysisOut]
    judges: list[JudgeAnalysisOut]
    systems: list[SystemAnalysisOut]
    pairs: list[VotePairOut]
    controlled: ControlledStrengthsOut
    more_votes: list[MoreVotesOut]
    components: list[list[str]]
    warnings: list[str]
