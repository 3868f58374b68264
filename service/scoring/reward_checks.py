"""What can be wrong with rewards, of a training job or stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics import find
from metrics.core.errors import UnknownMetric
from metrics.core.metric import BoundMetric
from service.catalogue import calibrated
from service.errors import invalid, of_metric
from service.evaluations.checks import check_ceilings, check_opponent
from service.models import store as models
from service.settings import Settings
from trainers.job.options import Reward


def bound_rewards(
    db: Connection, settings: Settings, rewards: Sequence[Reward], where: str
) -> list[BoundMetric]:
    """Each reward's metric with its parameters. Raises 422 for what gives a sample no value.

    where  the field of the request that holds them
    """
    return [
        _bound(db, settings, reward, f"{where}[{index}]") for index, reward in enumerate(rewards)
    ]


def named_calibrations(
    db: Connection, settings: Settings, rewards: Sequence[Reward], where: str
) -> list[Reward]:
    """The rewards with what their calibrations are now: those fitted later do not change them.
    Raises 422 for one that there is not."""
    found = []
    for index, reward in enumerate(rewards):
        try:
            metric = find(reward.metric, settings.metric_roots)
        except UnknownMetric:  # whoever binds it says so
            found.append(reward)
            continue
        params = calibrated.filled(db, metric, reward.params, f"{where}[{index}].params")
        found.append(reward.model_copy(update={"params": params}))
    return found


def _bound(db: Connection, settings: Settings, reward: Reward, at: str) -> BoundMetric:
    try:
        metric = find(reward.metric, settings.metric_roots).bind(reward.params)
    except UnknownMetric as error:
        raise invalid(error.code, error.message, f"{at}.metric") from None
    except ReportedError as error:
        raise of_metric(error, at) from None
    check_ceilings(metric, settings, at)
    check_opponent(metric, at)
    if metric.set_level:
        message = f"{metric.name} is of a set: no sample has a value that could be a reward"
        raise invalid("no_reward", message, f"{at}.metric")
    if reward.name is not None and reward.name not in metric.score_names:
        names = ", ".join(metric.score_names)
        message = f"{metric.name} has no score {reward.name!r}; it has {names}"
        raise invalid("unknown_score", message, f"{at}.name")
    for name, param, kind in metric.required_models:
        models.require(db, settings, name, f"{at}.params.{param}", kind)
    return metric
