"""What runs where: every task by name, and the function that does it, as "module:function".

A handler is called in a compute process as `handler(context, **ids)`. It is idempotent: any attempt
may be cut off at any line and made again. Beside a task may stand two hooks, tasks themselves:

    name.failed      (context, **ids, reason)   no attempt is left; `reason` is in words for people
    name.cancelled   (context, **ids)           it was stopped before it could settle its own rows
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

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
    "train.judge": "service.training.selection:judge",
    "checkpoint.merge": "service.training.merge_lora:merge",
    "checkpoint.merge.failed": "service.training.merge_lora:merge_failed",
    "score.batch": "service.scoring.jobs:score_batch",
    "score.batch.failed": "service.scoring.jobs:score_failed",
}

# what has a state worth saving: a worker that is told to end asks these to, and waits
SAVING = frozenset({"train.run"})


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
    found = load(handlers[name])
    if not callable(found):
        raise TypeError(f"{handlers[name]} cannot be called")
    return found
