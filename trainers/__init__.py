"""How a model is changed. Every module of this folder that is not a folder declares one trainer,
`TRAINER`: one top-to-bottom file per method.

May import `metrics`; knows no HTTP and no SQL. Importing it loads no model library.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from inference.errors import InputError
from metrics.core.registry import declarations, hint, parsed
from trainers.job.declaration import AnyTrainer
from trainers.job.options import Options


@cache
def catalogue() -> Mapping[str, AnyTrainer]:
    """Every trainer by name: the listing of this folder."""
    found = declarations(__name__, __path__, "TRAINER")
    return {trainer.name: trainer for trainer in found}


def find(name: str) -> AnyTrainer:
    """The trainer called `name`. Raises InputError with the nearest names."""
    known = catalogue()
    if name in known:
        return known[name]
    raise InputError(f"no method is called {name!r}; {hint(name, known)}", "method")


def parse(trainer: AnyTrainer, options: Mapping[str, Any]) -> Options:
    """Options, validated. Raises InputError naming the option, with the nearest names."""
    found: Options = parsed(trainer.options, options, trainer.name, "options")
    return found
