"""Models behind URLs that a job's rewards ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

import trainers
from inference.remote.registered import Registered
from service.evaluations.plans import MetricRequest, models_of
from service.models import registered
from service.models.registered import RegisteredRow
from service.settings import Settings
from trainers.job.options import Options, RewardedOptions


def names(settings: Settings, options: Options) -> set[str]:
    """Of all models that the rewards run, here or behind URLs."""
    rewards = options.rewards if isinstance(options, RewardedOptions) else ()
    requests = [MetricRequest(one.metric, one.params) for one in rewards]
    return models_of(requests, settings.metric_roots)


def opened(
    db: Connection, settings: Settings, method: str, options: Mapping[str, Any]
) -> list[Registered]:
    """The registered ones, with their keys. Raises KeyMissing."""
    return [registered.opened(settings, row) for row in rows(db, settings, method, options)]


def rows(
    db: Connection, settings: Settings, method: str, options: Mapping[str, Any]
) -> list[RegisteredRow]:
    """The registered ones, as they are stored."""
    parsed = trainers.parse(trainers.find(method), options)
    found = (registered.find(db, name) for name in sorted(names(settings, parsed)))
    return [row for row in found if row is not None]
