"""What runs where: every task by name, and the function that does it, as "module:attribute".

Features are named here as strings and imported by nobody in this room. A handler is called in a
compute process as `handler(context, **ids)`. It is idempotent: any attempt may be cut off at any
line and made again. Beside a task may stand two hooks, tasks themselves:

    name.failed      (context, **ids, reason)   no attempt is left; `reason` is in words for people
    name.cancelled   (context, **ids)           it was stopped before it could finish its own rows
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
    "evaluate.ask": "service.evaluations.jobs:ask_shard",
    "evaluate.ask.failed": "service.evaluations.jobs:shard_failed",
    "evaluate.close": "service.evaluations.closing:close",
    "evaluate.close.failed": "service.evaluations.jobs:close_failed",
    "gate.settle": "service.gates.jobs:settle",
    "gate.look": "service.gates.jobs:look",
    "board.update": "service.leaderboards.jobs:update",
    "train.run": "service.training.jobs:run",
    "train.run.failed": "service.training.jobs:run_failed",
    "train.preview": "service.training.dry_run:answer",
    "train.preview.failed": "service.training.dry_run:failed",
    "train.judge": "service.training.selection:select",  # as deferred by earlier versions
    "train.select": "service.training.selection:select",
    "checkpoint.merge": "service.training.merge_lora:merge",
    "checkpoint.merge.failed": "service.training.merge_lora:merge_failed",
    "score.batch": "service.scoring.jobs:score_batch",
    "score.batch.failed": "service.scoring.jobs:score_failed",
    "openai.batch": "service.openai.jobs:answer_batch",
    "openai.batch.failed": "service.openai.jobs:answer_failed",
    "arena.answer": "service.arenas.jobs:answer",
    "arena.answer.failed": "service.arenas.jobs:answer_failed",
    "analysis.compute": "service.analyses.jobs:compute",
    "analysis.compute.failed": "service.analyses.jobs:compute_failed",
    "vote_analysis.compute": "service.vote_analyses.jobs:compute",
    "vote_analysis.compute.failed": "service.vote_analyses.jobs:compute_failed",
    "meta.compute": "service.meta_evaluations.jobs:compute",
    "meta.compute.failed": "service.meta_evaluations.jobs:compute_failed",
    "people.publish": "service.annotation.jobs:publish",
    "people.publish.failed": "service.annotation.jobs:publish_failed",
    "people.judge": "service.annotators.jobs:judge",
    "people.judge.failed": "service.annotators.jobs:judge_failed",
    "archive.audit": "service.archives.jobs:audit",
    "archive.audit.failed": "service.archives.jobs:audit_failed",
}

# Tasks with a state worth saving: a worker that is told to end asks these to save it, and waits
SAVING = frozenset({"train.run"})

# Tasks that are tried again when they have stalled: one goes on from its last checkpoint, two go
# alone, see `service.scoring.jobs`. For all others it is over: they would stall again
TRIED_AGAIN = frozenset({"train.run", "score.batch", "openai.batch"})

# Queues whose tasks wait for servers and run no model: so many in one process side by side, started
# when the first comes. All other processes work at one task at a time
AT_ONCE: Mapping[str, int] = {"ask": 16}

# What a compute process keeps warm: a class, called as `(settings, device, at_once)`
RESOURCES = "service.models.resources:Resources"

# Called as `(db, settings, device)` by a worker that trains, before it takes its first task
REGISTER_DEVICE = "service.devices.policy:register"

# Called as `(db, settings)` by workers now and then, see `service.jobs.housekeeping`; no function
# here may import a model library
HOUSEKEEPING = (
    "service.jobs.queue:forget_old",
    "service.evaluations.cache:forget_old",
    "service.models.replies:forget_old",
    "service.db.worker_requests:forget_old",
    "service.openai.store:forget_old",
    "service.arenas.store:forget_old",
    "service.http.idempotency:forget_old",
)


def load(path: str) -> object:
    """The attribute that "module:attribute" names."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def table(path: str) -> Mapping[str, str]:
    """The table of handlers at "module:attribute"."""
    handlers = load(path)
    if not isinstance(handlers, Mapping):
        raise TypeError(f"{path} is no table of handlers")
    return handlers


def handler(name: str, handlers: Mapping[str, str]) -> Callable[..., None]:
    """The function for a task, imported when first asked for. Raises LookupError."""
    if name not in handlers:
        raise LookupError(f"no handler is called {name!r}")
    return cast("Callable[..., None]", _function(handlers[name]))


def resources(settings: Settings, device: str, at_once: int = 1) -> Resources:
    """What a compute process on `device` keeps warm, for so many tasks at once."""
    return cast("Resources", _function(RESOURCES)(settings, device, at_once))


def register_device(db: Connection, settings: Settings, device: str) -> None:
    """Tell other processes what this worker's device holds."""
    _function(REGISTER_DEVICE)(db, settings, device)


def housekeeper(path: str) -> Callable[[Connection, Settings], None]:
    """One of the functions that HOUSEKEEPING names."""
    return cast("Callable[[Connection, Settings], None]", _function(path))


def _function(path: str) -> Callable[..., object]:
    function = load(path)
    if not callable(function):
        raise TypeError(f"{path} cannot be called")
    return function
