"""The table of tasks: what it names exists, and what is deferred is in it."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.jobs import tasks
from service.jobs.tasks import CANCELLED, FAILED, HANDLERS, HOUSEKEEPING, REGISTER_DEVICE, SAVING
from tests.service.live import ROOT

SERVICE = ROOT / "service"
OPTIONS = {"queue", "priority", "lock", "queueing_lock"}  # of `queue.defer`, which are no ids
HOOKS = [name for name in HANDLERS if name.endswith((FAILED, CANCELLED))]


@dataclass(frozen=True)
class Deferred:
    """A call of `queue.defer` in the service."""

    place: str
    name: str
    ids: frozenset[str] | None  # None: `**ids`, not known here


def parameters(name: str) -> set[str]:
    """What the handler of a task takes beside its context."""
    context, *ids = inspect.signature(tasks.handler(name, HANDLERS)).parameters
    assert context == "context"
    return set(ids)


def deferred() -> Iterator[Deferred]:
    for path in sorted(SERVICE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "queue.defer":
                continue
            name = node.args[1]
            if isinstance(name, ast.Constant):
                names = [keyword.arg for keyword in node.keywords]
                ids = frozenset(arg for arg in names if arg is not None) - OPTIONS
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield Deferred(place, str(name.value), ids if None not in names else None)


@pytest.mark.parametrize("name", HANDLERS)
def test_every_task_loads(name: str) -> None:
    assert callable(tasks.handler(name, HANDLERS))


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_base_with_the_same_ids(name: str) -> None:
    base = name.removesuffix(FAILED).removesuffix(CANCELLED)
    assert base in HANDLERS
    reason = {"reason"} if name.endswith(FAILED) else set()
    assert parameters(name) == parameters(base) | reason


def test_what_is_deferred_exists_and_takes_the_ids() -> None:
    calls = list(deferred())
    assert {call.name for call in calls} >= {"evaluate.plan", "train.run", "score.batch"}
    for call in calls:
        assert call.name in HANDLERS, call
        assert call.ids is None or call.ids == parameters(call.name), call


def test_every_name_of_a_task_exists() -> None:
    """Wherever it stands: some are stored and deferred later."""
    families = "|".join(sorted({name.partition(".")[0] for name in HANDLERS}))
    task = re.compile(rf"(?:{families})\.[a-z_.]+")
    for path in sorted(SERVICE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not task.fullmatch(node.value) or node.value in HANDLERS, path


def test_what_saves_its_state_exists() -> None:
    assert set(HANDLERS) >= SAVING


def test_what_a_worker_calls_loads_no_model_library() -> None:
    """The worker's own process: `libtorch` would cost memory, and its heartbeats time."""
    paths = [*HOUSEKEEPING, REGISTER_DEVICE]
    code = (
        "import sys\nfrom service.jobs import tasks, worker\n"
        f"assert all(callable(tasks.load(path)) for path in {paths})\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_task_is_a_lookup_error() -> None:
    with pytest.raises(LookupError, match="no handler is called"):
        tasks.handler("no.such", HANDLERS)
    with pytest.raises(TypeError, match="cannot be called"):
        tasks.handler("number", {"number": "service.jobs.queue:HOURS_KEPT"})
    with pytest.raises(TypeError, match="no table of handlers"):
        tasks.table("service.jobs.queue:HOURS_KEPT")


def test_the_queues_tables_are_named_in_one_file() -> None:
    tables = re.compile(r"procrastinate_(jobs|workers|events|periodic)")
    naming = [path for path in SERVICE.rglob("*.py") if tables.search(path.read_text())]
    assert naming == [Path(SERVICE / "jobs" / "sql.py")]
