"""The watch for reward hacking: what is trained on is significantly up, a held-out score down.

Where a method has no objective to go up (SFT), a held-out score that is down is told by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

import trainers
from metrics.core.compare import Testing
from service.db import events
from service.evaluations.scores import Score
from service.leaderboards.paired import paired_results, tested
from service.settings import Settings
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from service.training.checkpoints_store import Checkpoint
from service.training.held_out import grouping
from service.training.significance import fallen, level, risen
from service.training.store import TrainingJob
from trainers.job.options import RewardedOptions

Scores = Mapping[str, Sequence[Score]]  # by evaluation


def watch(
    db: Connection,
    settings: Settings,
    row: TrainingJob,
    known: Sequence[Checkpoint],
    scores: Scores,
) -> None:
    """Tell of every checkpoint where the objective was significantly up and a watched score down.

    A checkpoint's look is its place among the job's: the same whenever its evaluation ends. The
    caller holds the job's lock.
    """
    asked = row.evaluation or {}
    names = asked.get("watch") or []
    looks = [
        (look, one)
        for look, one in enumerate(known, 1)
        if one.evaluation_status == "succeeded" and not one.reward_hacking
    ]
    if not names or not looks:
        return
    series = training.read_series(db, row.id)
    objective = trainers.find(row.method).objective_series
    for look, one in looks:
        up = risen([each for each in series if each[0] <= one.step], objective, _groups(row))
        if objective and (up is None or up["p_value"] > level(look)):
            continue
        down = _fallen(db, settings, row, one, scores, names, level(look))
        if not down:
            continue
        checkpoints.change(db, one.id, reward_hacking=True)
        data = {"checkpoint": one.id, "step": one.step, "reward": up, "fallen": down}
        events.append(db, row.id, "reward_hacking", data | {"level": level(look)})
        control = training.control(db, row.id)  # not to be overruled, nor asked for twice
        if asked.get("pause_on_reward_hacking") and row.status == "running" and not control:
            training.ask(db, row.id, "pause")


def whole(scores: Scores, evaluation: str | None, name: str | None) -> Score | None:
    """The score of that name over an evaluation's whole set."""
    named = (score for score in scores.get(evaluation or "", []) if score.name == name)
    return next((score for score in named if not score.slice), None)


def _groups(row: TrainingJob) -> int:
    """Prompts of a rollout, over all processes; 0 where the method writes nothing."""
    options = trainers.parse(trainers.find(row.method), row.options)
    if not isinstance(options, RewardedOptions):
        return 0
    return options.rollout_size // options.num_generations * row.processes


def _fallen(
    db: Connection,
    settings: Settings,
    row: TrainingJob,
    checkpoint: Checkpoint,
    scores: Scores,
    names: Sequence[str],
    level: float,
) -> list[dict[str, Any]]:
    """Watched scores that are significantly worse than the starting model's, paired by sample;
    corrected (Bonferroni) over the scores watched."""
    found = []
    together = grouping(db, row)
    for name in names:
        now = whole(scores, checkpoint.evaluation_id, name)
        start = whole(scores, row.start_evaluation, name)
        if now is None or start is None:
            continue
        a, b = paired_results(db, settings, [now, start])
        if a is None or b is None:
            continue
        difference = tested(a, b, Testing(), together).difference
        if difference is None:
            continue
        p_value = fallen(difference, now.higher_is_better)
        if p_value <= level / len(names):
            found.append({"name": name, "start": start.value, "now": now.value, "p_value": p_value})
    return found
