"""Metrics and trainers that there are."""

from __future__ import annotations

from assay.exchange import Script, ask, get
from assay.models import Metric, Page, Trainer


def metrics() -> Script[list[Metric]]:
    """All metrics, with their parameters as JSON Schemas."""
    return (yield from ask(get("/v1/metrics"), Page[Metric])).data


def metric(name: str) -> Script[Metric]:
    """One metric."""
    return ask(get("/v1/metrics", name), Metric)


def trainers() -> Script[list[Trainer]]:
    """All training methods, with their options as JSON Schemas."""
    return (yield from ask(get("/v1/trainers"), Page[Trainer])).data


def trainer(name: str) -> Script[Trainer]:
    """One training method."""
    return ask(get("/v1/trainers", name), Trainer)
