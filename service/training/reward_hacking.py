"""The watch for reward hacking: what is trained on is significantly up, a held-out score down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, variance
from typing import Any

from sqlalchemy import Connection

import trainers
from metrics.core.compare import Testing
from metrics.statistics.intervals import t_tail
from service.db import events
from service.evaluations.scores import Score
from service.leaderboards.paired import paired_results, tested
from service.settings import Settings
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from service.training.checkpoints_store import Checkpoint
from service.training.store import TrainingJob

ALPHA = 0.05
WINDOW = 20  # logged steps at either end of the objective's series that are compared
FEWEST = 4  # steps a window needs

Scores = Mapping[str, Sequence[Score]]  # by evaluation
Series = Sequence[tuple[int, Mapping[str, Any]]]  # (step, values by name)


def watch(
    db: Connection,
    settings: Settings,
    row: TrainingJob,
    known: Sequence[Checkpoint],
    scores: Scores,
) -> None:
    """Tell of every checkpoint where the objective was significantly up and a watched score down.

    The caller holds the job's lock.
    """
    asked = row.evaluation or {}
    names = asked.get("watch") or []
    new = [one for one in known if one.evaluation_status == "succeeded" and not one.reward_hacking]
    if not names or not new:
        return
    series = training.read_series(db, row.id)
    objective = trainers.find(row.method).objective_series
    for one in new:
        risen = objective_risen([each for each in series if each[0] <= one.step], objective)
        fallen = _fallen(db, settings, row, one, scores, names) if risen is not None else []
        if not fallen:
            continue
        checkpoints.change(db, one.id, reward_hacking=True)
        data = {"checkpoint": one.id, "step": one.step, "reward": risen, "fallen": fallen}
        events.append(db, row.id, "reward_hacking", data)
        control = training.control(db, row.id)  # not to be overruled, nor asked for twice
        if asked.get("pause_on_reward_hacking") and row.status == "running" and not control:
            training.ask(db, row.id, "pause")


def objective_risen(series: Series, names: Sequence[str]) -> dict[str, float] | None:
    """The objective's mean over the first and the last logged steps, where it has significantly
    risen: Welch's t-test, one-sided at 5%. None where it has not, or too little was logged.

    names  of the series of what is maximised (for DPO, the margin of its implicit rewards)
    """
    values: list[float] = []
    for name in names:
        values = values or [logged[name] for _, logged in series if logged.get(name) is not None]
    size = min(WINDOW, len(values) // 2)
    if size < FEWEST:
        return None
    first, last = values[:size], values[-size:]
    rise = mean(last) - mean(first)
    parts = [variance(first) / size, variance(last) / size]
    error = sum(parts) ** 0.5
    if rise <= 0:
        return None
    if error == 0:
        p_value = 0.0
    else:
        freedom = sum(parts) ** 2 / sum(part**2 / (size - 1) for part in parts)
        p_value = t_tail(rise / error, freedom) / 2
    if p_value > ALPHA:
        return None
    return {"start": mean(first), "now": mean(last), "p_value": p_value}


def whole(scores: Scores, evaluation: str | None, name: str | None) -> Score | None:
    """The score of that name over an evaluation's whole set."""
    named = (score for score in scores.get(evaluation or "", []) if score.name == name)
    return next((score for score in named if not score.slice), None)


def _fallen(
    db: Connection,
    settings: Settings,
    row: TrainingJob,
    checkpoint: Checkpoint,
    scores: Scores,
    names: Sequence[str],
) -> list[dict[str, Any]]:
    """Watched scores that are significantly worse than the starting model's, paired by sample;
    corrected (Bonferroni) over the scores watched."""
    fallen = []
    for name in names:
        now = whole(scores, checkpoint.evaluation_id, name)
        start = whole(scores, row.start_evaluation, name)
        if now is None or start is None:
            continue
        a, b = paired_results(db, settings, [now, start])
        difference = tested(a, b, Testing()).difference if a is not None and b is not None else None
        if difference is None:
            continue
        worse = difference.value < 0 if now.higher_is_better else difference.value > 0
        if worse and difference.p_value <= ALPHA / len(names):
            values = {"start": start.value, "now": now.value, "p_value": difference.p_value}
            fallen.append({"name": name, **values})
    return fallen
