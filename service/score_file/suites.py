"""What of a suite is measured on a file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from inference.errors import InputError
from metrics.core.forms import written
from metrics.core.metric import BoundMetric, Sample
from metrics.core.names import hint
from metrics.suites import suites
from metrics.suites.choosing import Bind, Chosen, choose
from metrics.suites.declaration import Suite
from metrics.suites.languages import check

OPTION, LANGUAGE = "--suite", "--suite-language"


def named(name: str) -> Suite:
    """The suite of this name, or the one that a file of TOML declares. Raises InputError."""
    if name in suites():
        return suites()[name]
    path = Path(name)
    if path.suffix != ".toml":
        near = hint(name, suites())
        end = "" if near.endswith("?") else "."
        raise InputError(f"{OPTION}: no suite is called {name!r}; {near}{end} A file of your own "
                         "ends with .toml")  # fmt: skip
    try:
        return Suite.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{OPTION}: {name}: {why}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{OPTION}: {name}: {written(first['loc'])}: {first['msg']}") from None


def chosen(
    suite: Suite,
    samples: Sequence[Sample],
    bind: Bind,
    language: str | None,
    asked: Sequence[BoundMetric],
) -> Chosen:
    """What of the suite is measured, beside the metrics that are `asked` for. Raises InputError
    where that is nothing."""
    if language is not None:
        _check(language, suite)
    taken = {metric.name for metric in asked}
    found = choose(suite, samples, bind, language=language, taken=taken)
    if not found.picked and not asked:
        told = "; ".join(one.reason for one in found.left_out)
        raise InputError(f"{OPTION}: nothing of {suite.name} can be measured: {told}")
    return found


def _check(language: str, suite: Suite) -> None:
    try:
        check(language, suite)
    except InputError as error:
        raise InputError(f"{LANGUAGE}: {error.message}") from None
