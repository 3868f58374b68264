"""How a model is changed. Every module of this folder that is not a folder declares one trainer,
`TRAINER`: one top-to-bottom file per method.

May import `metrics`; knows no HTTP and no SQL. Importing it loads no model library.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from metrics.evidence.errors import InputError
from trainers.run.declaration import AnyTrainer, Options


@cache
def catalogue() -> Mapping[str, AnyTrainer]:
    """Every trainer by name: the listing of this folder."""
    modules = [found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg]
    found = [import_module(f"trainers.{name}").TRAINER for name in sorted(modules)]
    return {trainer.name: trainer for trainer in found}


def find(name: str) -> AnyTrainer:
    """The trainer called `name`. Raises InputError with the nearest names."""
    known = catalogue()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known)}"
    raise InputError(f"no method is called {name!r}; {hint}", "method")


def parse(trainer: AnyTrainer, options: Mapping[str, Any]) -> Options:
    """Options, validated. Raises InputError naming the option, with the nearest names."""
    try:
        parsed: Options = trainer.options.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        message = f"{path}: {first['msg']}"
        if first["type"] == "extra_forbidden":
            known = list(trainer.options.model_fields)
            near = difflib.get_close_matches(path, known, n=3, cutoff=0.4) or known
            message = f"{trainer.name} has no option {path!r}; there are {', '.join(near)}"
        raise InputError(message, f"options.{path}" if path else "options") from None
    return parsed
