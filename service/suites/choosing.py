"""What of a suite this service measures on some samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from inference.errors import InputError
from metrics import find
from metrics.core.ceilings import exceeded
from metrics.core.metric import BoundMetric, Sample
from metrics.suites.choosing import Bind, Chosen, choose
from metrics.suites.declaration import Suite
from metrics.suites.languages import check
from service.catalogue import calibrated
from service.errors import ApiError, invalid
from service.models import store as models
from service.settings import Settings
from service.suites import store
from service.suites.schemas import SuiteRequest


def chosen(
    db: Connection,
    settings: Settings,
    asked: SuiteRequest,
    samples: Sequence[Sample],
    taken: Collection[str],
) -> Chosen:
    """The suite's metrics, but for those that are `taken`. Raises 422 where there is no such
    suite, and for a language that there is not."""
    suite = store.require(db, asked.name, "suite").suite
    if asked.language is not None:
        need_language(asked.language, suite, "suite.language")
    return choose(suite, samples, bind(db, settings), language=asked.language, taken=taken)


def need_language(language: str, suite: Suite, param: str) -> None:
    """Raises 422 that names the field where there is no such language."""
    try:
        check(language, suite)
    except InputError as error:
        raise invalid("unknown_language", error.message, param) from None


def bind(db: Connection, settings: Settings) -> Bind:
    """What binds metrics that this service can measure, their models and limits regarded."""

    def bound(name: str, params: Mapping[str, Any]) -> BoundMetric:
        metric = _found(db, settings, name, params)
        above = exceeded(metric, settings.ceilings)
        if above is not None:
            raise InputError(above[1], f"params.{above[0]}")
        for model, param, kind in metric.required_models:
            try:
                models.require(db, settings, model, f"params.{param}", kind)
            except ApiError as error:
                raise InputError(error.message, error.param) from None
        return metric

    return bound


def bind_any(db: Connection, settings: Settings) -> Bind:
    """What binds metrics, wherever their models may be."""
    return partial(_found, db, settings)


def _found(db: Connection, settings: Settings, name: str, params: Mapping[str, Any]) -> BoundMetric:
    metric = find(name, settings.metric_roots)
    try:
        return metric.bind(calibrated.filled(db, metric, params, "params"))
    except ApiError as error:
        raise InputError(error.message, error.param) from None
