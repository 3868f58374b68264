"""What people say of single items, as it is shown."""

from __future__ import annotations

from pydantic import BaseModel


class JudgedItemOut(BaseModel):
    """What people together say of one item, by the `votes` on it that stand: of outputs of
    `systems`, which `a`, `b`, … are in their order.

    consensus     of pairwise the output that most chose, or `tie`; of label the likeliest label; of
                  best_worst the output that was most often best and least often worst; null where
                  there is no vote, or several are equal
    confidence    of pairwise and best_worst the share of votes that chose it; of label how likely
                  the label is, by the label model; null where there is none
    disagreement  the share of pairs of people who said otherwise: from 0 to 1; of likert the mean
                  over criteria; null of fewer than two votes
    shares        of the votes: by choice, by label, or of best_worst how often each was the best;
                  `worst`: how often the worst
    posterior     how likely each label is, allowing for people's errors: Dawid and Skene's model of
                  all votes; null where no output has two
    means         of likert by criterion; `deviations`: the standard deviation of the ratings
    texts         of edit: how many different ones people wrote
    """

    id: str
    dataset: str | None
    sample: str | None
    prompt: str | None
    systems: list[str]
    votes: int
    consensus: str | None = None
    confidence: float | None = None
    disagreement: float | None = None
    shares: dict[str, float] | None = None
    worst: dict[str, float] | None = None
    posterior: dict[str, float] | None = None
    means: dict[str, float] | None = None
    deviations: dict[str, float] | None = None
    texts: int | None = None
