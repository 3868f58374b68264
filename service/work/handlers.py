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
    "evaluate.plan": "service.work.evaluate:plan",
    "evaluate.plan.failed": "service.work.evaluate:plan_failed",
    "evaluate.shard": "service.work.evaluate:measure_shard",
    "evaluate.shard.failed": "service.work.evaluate:shard_failed",
    "evaluate.close": "service.work.close:close",
    "evaluate.close.failed": "service.work.evaluate:close_failed",
    "train.run": "service.work.train:run",
    "train.run.failed": "service.work.train:run_failed",
    "train.judge": "service.work.judge:judge",
    "checkpoint.merge": "service.work.merge:merge",
    "checkpoint.merge.failed": "service.work.merge:merge_failed",
    "score.batch": "service.work.score:score_batch",
    "score.batch.failed": "service.work.score:score_failed",
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
