"""train.select: after each evaluation of a training job, what it means for the job.

The best checkpoint, by the lower end of its interval; which checkpoints may go; and the watch for
reward hacking: the reward that is trained on significantly up, a held-out metric significantly
down. Runs any number of times and comes to the same result; each finding is told once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, variance
from typing import Any

from sqlalchemy import Connection

from metrics.core.compare import Testing
from metrics.statistics.intervals import t_tail
from service.db import events
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.jobs.context import Context
from service.leaderboards.paired import paired_result, tested
from service.settings import Settings
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from service.training.recovery import remove

ALPHA = 0.05
PROXIES = ("reward", "margin")  # what is trained on, as series call it; the first there is
WINDOW = 20  # logged steps at either end of the reward's series that are compared
FEWEST = 4  # steps a window needs


def judge(context: Context, job: str) -> None:
    with context.engine.begin() as db:
        row = training.lock(db, job)
        if row is None or row.evaluation is None:
            return
        known = checkpoints.of_job(db, job)
        found = [one.evaluation_id for one in known if one.evaluation_status == "succeeded"]
        scores = results.read_scores(db, [*found, *filter(None, [row.start_evaluation])])
        _tell_failures(db, row, known)
        best = _best(known, scores, row.evaluation.get("select_by"))
        if best is not None and best != row.best:
            training.change(db, job, best=best)
            events.append(db, job, "best", {"checkpoint": best})
        outdated = _outdated(db, row, known, best)
        checkpoints.delete(db, [one.id for one in outdated])
        _watch(db, context.settings, row, known, scores)
    # those deleted before as well: their files may have outlived whoever was to remove them
    remove([Path(one.folder) for one in [*outdated, *known] if one.deleted or one in outdated])


def _tell_failures(db: Connection, row: Any, known: Sequence[Any]) -> None:
    """An event for every evaluation that ended without scores; the others count all the same."""
    told = {
        event.data.get("evaluation")
        for event in events.read(db, row.id, limit=100_000)
        if event.type == "evaluation_failed"
    }
    start = evaluations.get(db, row.start_evaluation) if row.start_evaluation is not None else None
    ended = [(None, 0, start.id, start.status, start.error)] if start is not None else []
    ended += [
        (one.id, one.step, one.evaluation_id, one.evaluation_status, one.evaluation_error)
        for one in known
    ]
    for checkpoint, step, evaluation, status, error in ended:
        if status in {"failed", "cancelled"} and evaluation not in told:
            data = {"checkpoint": checkpoint, "step": step, "evaluation": evaluation}
            events.append(db, row.id, "evaluation_failed", data | {"error": error})


def _best(known: Sequence[Any], scores: dict[str, list[Any]], name: str | None) -> str | None:
    """The checkpoint whose value is best even at the unlucky end of its interval."""
    if name is None:
        return None
    candidates = []
    for one in known:
        score = _score(scores.get(one.evaluation_id, []), name)
        if score is None or score.value is None:
            continue
        if score.higher_is_better:
            worst = score.low if score.low is not None else score.value
        else:
            worst = -(score.high if score.high is not None else score.value)
        candidates.append((worst, -one.step, one.id))
    return max(candidates)[2] if candidates else None


def _outdated(db: Connection, row: Any, known: Sequence[Any], best: str | None) -> list[Any]:
    """All but the last n, the best, and those that something unfinished names: the evaluation of
    its own, another one, another job."""
    keep_last = row.evaluation.get("keep_last")
    if keep_last is None:
        return []
    there = [one for one in known if not one.deleted]
    kept = {one.id for one in there[-keep_last:]} | {best, row.best}
    spare = [one for one in there if one.id not in kept]
    needed = checkpoints.wanted(db, [one.id for one in spare]) if spare else set()
    return [one for one in spare if one.id not in needed]


def _watch(
    db: Connection,
    settings: Settings,
    row: Any,
    known: Sequence[Any],
    scores: dict[str, list[Any]],
) -> None:
    """Tell of every checkpoint where the reward was significantly up and a held-out metric down."""
    names = row.evaluation.get("watch") or []
    series = training.read_series(db, row.id)
    told = {
        event.data.get("checkpoint")
        for event in events.read(db, row.id, limit=100_000)
        if event.type == "divergence"
    }
    for one in known:
        if one.id in told or one.evaluation_status != "succeeded":
            continue
        risen = reward_risen([(step, values) for step, values in series if step <= one.step])
        if risen is None:
            continue
        fallen = _fallen(db, settings, row, one, scores, names)
        if not fallen:
            continue
        data = {"checkpoint": one.id, "step": one.step, "reward": risen, "fallen": fallen}
        events.append(db, row.id, "divergence", data)
        asked = training.control(db, row.id)  # not to be overruled, nor asked for twice
        if row.evaluation.get("pause_on_divergence") and row.status == "running" and not asked:
            training.ask(db, row.id, "pause")


def reward_risen(series: Sequence[tuple[int, Any]]) -> dict[str, float] | None:
    """The reward's mean over the first and the last logged steps, where it has significantly
    risen: Welch's t-test, one-sided at 5%. None where it has not, or too little was logged. For
    DPO it is the margin of its implicit rewards that is trained on."""
    rewards: list[float] = []
    for name in PROXIES:
        rewards = rewards or [one[name] for _, one in series if one.get(name) is not None]
    size = min(WINDOW, len(rewards) // 2)
    if size < FEWEST:
        return None
    first, last = rewards[:size], rewards[-size:]
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


def _fallen(
    db: Connection,
    settings: Settings,
    row: Any,
    one: Any,
    scores: dict[str, list[Any]],
    names: Sequence[str],
) -> list[dict[str, Any]]:
    """Watched scores that are significantly worse than the starting model's, paired by sample;
    corrected (Bonferroni) over the scores watched."""
    found = []
    for name in names:
        now = _score(scores.get(one.evaluation_id, []), name)
        start = _score(scores.get(row.start_evaluation or "", []), name)
        if now is None or start is None:
            continue
        a, b = paired_result(db, settings, now), paired_result(db, settings, start)
        if a is None or b is None:
            continue
        difference = tested(a, b, Testing()).difference
        if difference is None:
            continue
        worse = difference.value < 0 if now.higher_is_better else difference.value > 0
        if worse and difference.p_value <= ALPHA / len(names):
            found.append(
                {
                    "name": name,
                    "start": start.value,
                    "now": now.value,
                    "p_value": difference.p_value,
                }
            )
    return found


def _score(scores: Sequence[Any], name: str) -> Any | None:
    for score in scores:
        if score.name == name and not score.slice:
            return score
    return None
