"""A training through the service against the same one with the bare library, each as it is used.

Ours: a running service (all of `assay serve`) is sent dataset and job, and the clock runs from the
first request until the job has `succeeded`. Theirs: a script, from the start of its process to its
end; one of TRL, which is what most people write, and one of transformers and peft, which is what
our SFT stands on, so that only the wrapping differs. Each side imports its libraries, loads SmolLM2
(converted beforehand), trains on all cores and saves as many checkpoints, in turns. Nothing is
scored meanwhile: that would be other work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from benchmarks.comparing import Row, furthest, seconds
from benchmarks.service import answers, free_port, process, until
from benchmarks.texts import english
from metrics.inference.pool import ModelPool
from service.client import Client
from service.settings import Settings, get_settings
from trainers.run.declaration import Lora

MODEL = "builtin/smollm2-135m-instruct"
LIBRARIES = {  # a script beside this file; how far a loss may lie from ours
    "TRL": ("sft_with_trl.py", 1e-4),  # its log-softmax is its own, in tiles
    "transformers": ("sft_with_transformers.py", 1e-6),  # the last bit: it adds up in another order
}
STEPS, SAVES, BATCH, ROUNDS = 16, 2, 2, 3
OPTIONS = {"batch_size": BATCH, "learning_rate": 2e-4, "max_length": 256, "seed": 0}
COST = 0.05  # of the bare library's wall time
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

Records = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Ran:
    """One training: seconds from start to end, those of its steps and checkpoints, each loss."""

    whole: float
    steps: float
    losses: list[float]

    @property
    def rest(self) -> float:
        """Before the first step and after the last checkpoint: the same however long it trains."""
        return self.whole - self.steps


def rows(scale: float) -> Iterator[Row]:
    steps = max(SAVES, int(STEPS * scale) // SAVES * SAVES)
    options = OPTIONS | {"max_steps": steps, "save_steps": steps // SAVES}
    pairs = english(BATCH * STEPS, seed=0)
    records = [
        {"prompt": f"Put in order: {output}", "completion": reference}
        for output, reference in zip(pairs.outputs, pairs.references, strict=True)
    ]
    kept = get_settings().data_dir / "models"  # where the demo's are: converting takes a minute
    (model,) = ModelPool([], kept).files(MODEL)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-bench-")))
        (folder / "models").symlink_to(kept)
        assay = stack.enter_context(_service(folder))
        sides: dict[str, Callable[[], Ran]] = {"ours": partial(ours, assay, records, options)}
        for name, (script, _) in LIBRARIES.items():
            given = _given(folder / name, model, records, options)
            sides[name] = partial(theirs, script, given)
        rounds = [_round(sides, number) for number in range(ROUNDS if scale >= 1 else 1)]
    for name in LIBRARIES:
        yield from compared(name, [(one["ours"], one[name]) for one in rounds], steps)


def ours(assay: Client, records: Records, options: Mapping[str, Any]) -> Ran:
    started = time.time()
    assay.create_dataset("bench", records, "sft")
    body = {
        "method": "sft",
        "model": MODEL,
        "dataset": "bench",
        "options": {**options, "lora": True},
    }
    path = f"/v1/training_jobs/{assay.request('POST', '/v1/training_jobs', body)['id']}"
    seen = {event.type: time.time() for event in assay.events_of(path)}  # of each, the last
    ended = time.time()
    job = assay.request("GET", path)
    if job["status"] != "succeeded":
        raise SystemExit(f"the job {job['status']}: {job['error']}")
    series = assay.request("GET", f"{path}/metrics")["series"]
    losses = [value for _, value in series["loss"]]
    return Ran(ended - started, seen["checkpoint"] - seen["plan"], losses)


def theirs(script: str, given: Path) -> Ran:
    started = time.time()
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), str(given)],
        check=False,
        env=os.environ | OFFLINE,
        capture_output=True,
        text=True,
    )
    ended = time.time()
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return Ran(ended - started, said["ended"] - said["begun"], said["losses"])


@contextmanager
def _service(folder: Path) -> Iterator[Client]:
    settings = Settings(data_dir=folder, port=free_port(), log_level="WARNING")
    url = f"http://127.0.0.1:{settings.port}"
    with process(settings, "service.cli", "serve"):
        until(lambda: answers(f"{url}/readyz"))
        with Client(url) as assay:
            yield assay


def _given(folder: Path, model: Path, records: Records, options: Mapping[str, Any]) -> Path:
    """The file that a script is given; beside it, the records."""
    folder.mkdir()
    lines, given = folder / "rows.jsonl", folder / "settings.json"
    lines.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    named = {"rows": str(lines), "model": str(model), "output": str(folder / "out")}
    given.write_text(json.dumps({**options, **named, "r": Lora().r, "alpha": Lora().alpha}))
    return given


def _round(sides: Mapping[str, Callable[[], Ran]], number: int) -> dict[str, Ran]:
    """Every side once, another one first from round to round."""
    names = [*sides]
    first = number % len(names)
    return {name: sides[name]() for name in names[first:] + names[:first]}


def compared(name: str, found: Sequence[tuple[Ran, Ran]], steps: int) -> Iterator[Row]:
    cost = min(a.whole for a, _ in found) / min(b.whole for _, b in found) - 1
    curves = [run.losses for pair in found for run in pair]
    apart = max(furthest(curves[0], curve) for curve in curves)
    same = "each loss equal" if apart == 0 else f"largest difference of a loss {apart:.1g}"
    yield Row(
        f"SFT with LoRA of SmolLM2-135M, {steps} steps, {SAVES} checkpoints, POST to end, "
        f"against a script of {name}",
        *_both([(a.whole, b.whole) for a, b in found]),
        f"{cost:+.1%}",
        f"≤ {COST:+.0%}",
        same,
        fast=cost <= COST,
        agrees=len(curves[0]) == steps and apart <= LIBRARIES[name][1],
    )
    parts = {
        "of that, steps and checkpoints": [(a.steps, b.steps) for a, b in found],
        "the rest, the same however long it trains": [(a.rest, b.rest) for a, b in found],
    }
    for what, pairs in parts.items():
        yield Row(what, *_both(pairs), "", "", "")


def _both(pairs: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """The least of either side: whatever else the machine does only adds to it."""
    return seconds(min(a for a, _ in pairs)), seconds(min(b for _, b in pairs))
