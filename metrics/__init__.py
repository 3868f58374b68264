"""What a score is. Every module of this folder that is not a folder declares one metric, `METRIC`.

Knows no HTTP and no SQL; importing it loads no model library.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from metrics.evidence.declaration import AnyMetric, Params
from metrics.evidence.errors import InputError, UnknownMetric

COMMUNITY = "evaluate/"  # prefix of `evaluate`'s metrics, from a local folder


@cache
def catalogue() -> Mapping[str, AnyMetric]:
    """Every metric by name: the listing of this folder."""
    modules = [found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg]
    metrics = [import_module(f"metrics.{name}").METRIC for name in sorted(modules)]
    return {metric.name: metric for metric in metrics}


def find(name: str, roots: Sequence[Path] = ()) -> AnyMetric:
    """The metric called `name`. Raises UnknownMetric with the nearest names.

    `evaluate/<path>` names a metric of the `evaluate` library in a folder under one of `roots`.
    """
    if name.startswith(COMMUNITY):
        from metrics.community.declaration import declare

        return declare(name, roots)
    known = catalogue()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known)}"
    raise UnknownMetric(f"no metric is called {name!r}; {hint}", "name")


def parse(metric: AnyMetric, params: Mapping[str, Any]) -> Params:
    """Parameters, validated. Raises InputError naming the parameter, with the nearest names."""
    try:
        parsed: Params = metric.params.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        message = f"{path}: {first['msg']}"
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(path, metric.params.model_fields, n=3, cutoff=0.4)
            known = near or list(metric.params.model_fields)
            message = f"{metric.name} has no parameter {path!r}; " + (
                f"did you mean {' or '.join(map(repr, near))}?"
                if near
                else f"known: {', '.join(known) or 'none'}"
            )
        raise InputError(message, f"params.{path}" if path else "params") from None
    return parsed
