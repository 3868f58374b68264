"""How a model is changed. Every module of this folder that is not a folder declares one trainer,
`TRAINER`: one top-to-bottom file per method. Other distributions add theirs by entry points of the
group `assay.trainers` (docs/add-a-trainer.md).

May import `metrics`; knows no HTTP and no SQL. Importing it loads no model library.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from metrics.core.names import hint
from metrics.core.registry import declarations, parsed
from trainers.job.declaration import AnyTrainer, Trainer
from trainers.job.errors import TrainerError, UnknownTrainer
from trainers.job.options import Options

GROUP = "assay.trainers"  # of entry points, each of which names a TRAINER


@cache
def catalogue() -> Mapping[str, AnyTrainer]:
    """Every trainer by name: the listing of this folder, then those of other distributions.

    Raises TrainerError for one that cannot be loaded, is no trainer, or takes a name that is taken.
    """
    return declarations(__name__, __path__, Trainer, GROUP, TrainerError)


def find(name: str) -> AnyTrainer:
    """The trainer called `name`. Raises UnknownTrainer with the nearest names."""
    trainers = catalogue()
    if name in trainers:
        return trainers[name]
    raise UnknownTrainer(f"no method is called {name!r}; {hint(name, trainers)}", "method")


def parse(trainer: AnyTrainer, options: Mapping[str, Any]) -> Options:
    """Options, validated. Raises InputError naming the option, with the nearest names."""
    validated: Options = parsed(trainer.options, options, trainer.name, "options")
    return validated
