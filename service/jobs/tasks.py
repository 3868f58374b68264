"""What runs where: every task by name, and the function that does it, as "module:function".

A handler is called in a compute process as `handler(context, **ids)`. It is idempotent: any attempt
may be cut off at any line and made again. Beside a task may stand two hooks, tasks themselves:

    name.failed      (context, **ids, reason)   no attempt is left; `reason` is in words for people
    name.cancelled   (context, **ids)           it was stopped before it could settle its own rows
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection

from service.settings import Settings

if TYPE_CHECKING:
    from service.jobs.context import Resources

FAILED = ".failed"
CANCELLED = ".cancelled"

HANDLERS: Mapping[str, str] = {
    "evaluate.plan": "service.evaluations.jobs:plan",
    "evaluate.plan.failed": "service.evaluations.jobs:plan_failed",
    "evaluate.shard": "service.evaluations.jobs:measure_shard",
    "evaluate.shard.failed": "service.evaluations.jobs:shard_failed",
    "evaluate.close": "service.evaluations.closing:close",
    "evaluate.close.failed": "service.evaluations.jobs:close_failed",
    "train.run": "service.training.jobs:run",
    "train.run.failed": "service.training.jobs:run_failed",
    "train.judge": "service.training.selection:judge",  # as deferred by earlier versions
    "train.select": "service.training.selection:judge",
    "checkpoint.merge": "service.training.merge_lora:merge",
    "checkpoint.merge.failed": "service.training.merge_lora:merge_failed",
    "score.batch": "service.scoring.jobs:score_batch",
    "score.batch.failed": "service.scoring.jobs:score_failed",
}

# what has a state worth saving: a worker that is told to end asks these to, and waits
SAVING = frozenset({"train.run"})


# the class of what a compute process keeps warm: made with its settings and the device's name
RESOURCES = "service.models.resources:Resources"

# called by a worker as it starts to take jobs from the queue "train", as `(db, settings, device)`
OFFER = "service.devices.policy:offer"


def load(path: str) -> object:
    """The attribute that "module:attribute" names."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def table(path: str) -> Mapping[str, str]:
    """The table of handlers at "module:attribute"."""
    found = load(path)
    if not isinstance(found, Mapping):
        raise TypeError(f"{path} is no table of handlers")
    return found


def handler(name: str, handlers: Mapping[str, str]) -> Callable[..., None]:
    """The function for a task, imported when first asked for. Raises LookupError."""
    if name not in handlers:
        raise LookupError(f"no handler is called {name!r}")
    return cast("Callable[..., None]", _callable(handlers[name]))


def resources(path: str) -> Callable[[Settings, str], Resources]:
    """The class at "module:attribute", made as `(settings, device)`."""
    return cast("Callable[[Settings, str], Resources]", _callable(path))


def offer(db: Connection, settings: Settings, device: str) -> None:
    """Tell the other processes what this worker's device holds."""
    _callable(OFFER)(db, settings, device)


def _callable(path: str) -> Callable[..., object]:
    attribute = load(path)
    if not callable(attribute):
        raise TypeError(f"{path} cannot be called")
    return attribute
