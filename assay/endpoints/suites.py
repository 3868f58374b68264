"""Suites: what tasks are measured by."""

from __future__ import annotations

from collections.abc import Sequence

from assay.exchange import Script, ask, ask_text, create, delete, get
from assay.models import MetricLike, Page
from assay.suite_models import DeletedSuite, Suite

ROOT = "/v1/suites"


def create_suite(
    name: str,
    metrics: Sequence[MetricLike],
    about: str | None = None,
    *,
    idempotency_key: str | None = None,
) -> Script[Suite]:
    """Declare a suite, for evaluations to ask for.

    Args:
        metrics: each a name, or `{"name": …}` with `params`, `by_language`, `languages`, `instead`,
            and the sentences `why` and `cannot_see` for its readers.
        idempotency_key: the same key and body give the same answer.
    """
    body = {"name": name, "metrics": list(metrics), **({"about": about} if about else {})}
    return ask(create(ROOT, body, idempotency_key), Suite)


def suites(lang: str | None = None) -> Script[list[Suite]]:
    """All suites, those that come with the service first.

    Args:
        lang: of their sentences, en or ru; default: en.
    """
    return (yield from ask(get(ROOT, query={"lang": lang}), Page[Suite])).data


def suite(name: str, lang: str | None = None) -> Script[Suite]:
    """One suite: why each metric is there, what it cannot see, and what stands in for it.

    Args:
        lang: of these sentences, en or ru; default: en.
    """
    return ask(get(ROOT, name, query={"lang": lang}), Suite)


def suite_script(suite: str, language: str | None = None, offline: bool = False) -> Script[str]:
    """A suite as a plain Python script of the reference packages, which runs without the service.

    Args:
        language: of the samples, as ru; default: en.
        offline: with what stands in for models that the service does not have.
    """
    query = {"language": language, "offline": offline or None}
    return ask_text(get(ROOT, suite, "script", query=query))


def delete_suite(name: str) -> Script[DeletedSuite]:
    """Delete a suite of one's own; evaluations by it stay."""
    return ask(delete(ROOT, name), DeletedSuite)
