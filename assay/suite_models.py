"""Suites, as the service shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from assay.models import Answer, Json


class SuiteMetric(Answer):
    """A metric of a suite: why it is there, what it cannot see, what stands in for it. Parameters
    of a language are over `params`; `languages`: that it holds for, none: all."""

    name: str
    params: Json = Field(default_factory=dict)
    languages: list[str] = Field(default_factory=list)
    why: str = ""
    cannot_see: str = ""
    by_language: dict[str, Json] = Field(default_factory=dict)
    instead: list[Json] = Field(default_factory=list)


class Suite(Answer):
    """What a task is measured by."""

    name: str
    about: str
    builtin: bool
    metrics: list[SuiteMetric]
    created_at: datetime | None = None


class DeletedSuite(Answer):
    """What is no more."""

    name: str
    deleted: bool
