"""What people's votes say, as frozen objects."""

from __future__ import annotations

from pydantic import Field

from assay.models import Answer

Interval = tuple[float, float] | None


class VoteEstimate(Answer):
    """A value with its interval; `reason`: why one of them is None."""

    value: float | None
    interval: Interval
    reason: str | None


class AnsweredShare(VoteEstimate):
    """The share of `n` answers that were as expected."""

    n: int


class PanelAgreement(Answer):
    """Of `units` on which two people or more voted."""

    krippendorff_alpha: VoteEstimate
    fleiss_kappa: VoteEstimate
    percent: VoteEstimate
    distance: str
    units: int


class AnnotatorAnalysis(Answer):
    """How one person votes, beside the others; `why`: in what an outlier stands out."""

    annotator: str
    name: str
    hash: str
    votes: int
    agreement: VoteEstimate
    alpha: VoteEstimate
    severity: VoteEstimate | None
    first_shown: VoteEstimate | None
    accuracy: float | None
    seconds: VoteEstimate
    gold: AnsweredShare
    control: AnsweredShare
    repeats: AnsweredShare
    outlier: bool | None
    why: list[str]


class JudgeAnalysis(Answer):
    """How a language model judges, as though it sat with the people; it counts in nothing of
    theirs."""

    annotator: str
    name: str
    hash: str
    model: str
    votes: int
    agreement: VoteEstimate
    alpha: VoteEstimate
    severity: VoteEstimate | None
    first_shown: VoteEstimate | None
    gold: AnsweredShare
    control: AnsweredShare


class RankedSystem(Answer):
    """A system's strength and rank; `reason`: why one of them is None."""

    system: str
    strength: float | None
    interval: Interval
    rank: int | None
    rank_interval: tuple[int, int] | None
    reason: str | None


class LabelShare(Answer):
    """How often a system's outputs are of a label: by the label model, and as voted (`raw`)."""

    label: str
    share: VoteEstimate
    raw: VoteEstimate


class SystemAnalysis(RankedSystem):
    """A system with what else is known of it."""

    votes: int
    win_rate: float | None
    win_rate_interval: Interval
    measures: dict[str, VoteEstimate]
    labels: list[LabelShare]


class VotePair(Answer):
    """Two systems; the difference is of strengths, the first's less the second's."""

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


class ControlEffect(Answer):
    """What a control adds to the log-odds that an output is preferred, for each unit of it."""

    control: str
    effect: float
    interval: Interval
    p_value: float | None


class ControlledStrengths(Answer):
    """Strengths were outputs alike in the controls; `reason`: why there are none."""

    controls: list[ControlEffect]
    systems: list[RankedSystem]
    reason: str | None


class MoreVotes(Answer):
    """How many more votes would settle which of two neighbours is better."""

    better: str
    worse: str
    difference: float
    p_value: float | None
    votes: int | None


class AsideVotes(Answer):
    """Votes that tell of people and not of systems, and all that are `excluded`: those of the
    `annotators` that were to be left out."""

    gold: int
    control: int
    repeat: int
    excluded: int = 0
    annotators: list[str] = Field(default_factory=list)


class VoteAnalysis(Answer):
    """What the votes of a project say of its systems, and of those who voted."""

    project: str
    form: str
    criterion: str | None
    criteria: list[str]
    level: float
    votes: int
    items: int
    left_out: AsideVotes
    scale: str
    agreement: PanelAgreement
    annotators: list[AnnotatorAnalysis]
    judges: list[JudgeAnalysis]
    systems: list[SystemAnalysis]
    pairs: list[VotePair]
    controlled: ControlledStrengths
    more_votes: list[MoreVotes]
    components: list[list[str]]
    warnings: list[str]
