"""A training through the service against the same one with the bare library, each as it is used.

Ours: a running service (all of `assay serve`) is sent dataset and job, and the clock runs from the
first request until the job has `succeeded`. Theirs: a script, from the start of its process to its
end, with no service beside it; one of TRL, which is what most people write, and one of transformers
and peft, which is what our SFT stands on, so that only the wrapping differs. Each side imports its
libraries, loads SmolLM2 (converted beforehand), trains on all cores and saves as many checkpoints,
in turns. Nothing is scored meanwhile: that would be other work.

Of each step the shortest over the rounds counts, and of the rest: seconds in which the machine did
something else are in no figure. Many short rounds therefore, as many for either side.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from assay import Client
from benchmarks.comparing import Row, furthest, seconds
from benchmarks.service import answers, free_port, process, until
from benchmarks.texts import english
from inference.pool import ModelPool
from service.settings import Settings, get_settings
from trainers.job.options import Lora
from trainers.job.reports import Reader
from trainers.job.spec import EVENTS

MODEL = "builtin/smollm2-135m-instruct"
LIBRARIES = {  # a module; its rounds; how far a loss may lie from ours
    "transformers": ("sft_with_transformers", 6, 1e-6),  # the last bit
    "TRL": ("sft_with_trl", 2, 1e-4),  # its log-softmax is its own, in tiles
}
STEPS, SAVES, BATCH = 8, 2, 2
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
    """One training: seconds from start to end, those of each step and the last save, each loss."""

    whole: float
    steps: list[float]
    losses: list[float]


@dataclass(frozen=True, slots=True)
class Least:
    """Several trainings, with the shortest of each step; `rest` is what comes before the first step
    and after the last checkpoint, the same however long it trains."""

    steps: float
    rest: float

    @property
    def whole(self) -> float:
        return self.steps + self.rest


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
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        folder = Path(place)
        (folder / "models").symlink_to(kept)
        sides: dict[str, Callable[[], Ran]] = {"ours": partial(ours, folder, records, options)}
        for name, (script, _, _) in LIBRARIES.items():
            given = _given(folder / name, model, records, options)
            sides[name] = partial(theirs, script, given)
        rounds = list(_rounds(sides, scale))
    for name in LIBRARIES:
        found = [(one["ours"], one[name]) for one in rounds if name in one]
        yield from compared(name, found, steps)


def ours(folder: Path, records: Records, options: Mapping[str, Any]) -> Ran:
    with _service(folder) as assay:
        return _posted(assay, folder, records, options)


def _posted(assay: Client, folder: Path, records: Records, options: Mapping[str, Any]) -> Ran:
    started = time.time()
    assay.create_dataset("bench", records, "sft")
    body = {
        "method": "sft",
        "model": MODEL,
        "dataset": "bench",
        "options": {**options, "lora": True},
    }
    made = assay.request("POST", "/v1/training_jobs", body)["id"]
    path = f"/v1/training_jobs/{made}"
    for _ in assay.events_of(path):
        pass
    ended = time.time()
    job = assay.request("GET", path)
    if job["status"] != "succeeded":
        raise SystemExit(f"the job {job['status']}: {job['error']}")
    series = assay.request("GET", f"{path}/metrics")["series"]
    return Ran(ended - started, _steps(folder, made), [value for _, value in series["loss"]])


def _steps(folder: Path, job: str) -> list[float]:
    """Seconds of each step and of the last save: what `Marks` says of the others."""
    (attempt,) = folder.glob(f"training/{job}/*/{EVENTS}")
    told = [r for r in Reader(attempt) if r.type in {"series", "checkpoint"} or r.name == "plan"]
    times = [r.time for r in told if r.type != "checkpoint"] + [told[-1].time]
    return [after - before for before, after in pairwise(times)]


def theirs(script: str, given: Path) -> Ran:
    started = time.time()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{script}", str(given)],
        check=False,
        env=os.environ | OFFLINE,
        capture_output=True,
        text=True,
    )
    ended = time.time()
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return Ran(ended - started, said["steps"], said["losses"])


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


def _rounds(sides: Mapping[str, Callable[[], Ran]], scale: float) -> Iterator[dict[str, Ran]]:
    """Every side that still has a round to go, another one first from round to round."""
    for number in range(max(rounds for _, rounds, _ in LIBRARIES.values()) if scale >= 1 else 1):
        names = [name for name in sides if name == "ours" or number < LIBRARIES[name][1]]
        first = number % len(names)
        yield {name: sides[name]() for name in names[first:] + names[:first]}


def compared(name: str, found: Sequence[tuple[Ran, Ran]], steps: int) -> Iterator[Row]:
    a, b = least([a for a, _ in found]), least([b for _, b in found])
    cost = a.whole / b.whole - 1
    curves = [run.losses for pair in found for run in pair]
    apart = max(furthest(curves[0], curve) for curve in curves)
    same = "each loss equal" if apart == 0 else f"largest difference of a loss {apart:.1g}"
    yield Row(
        f"SFT with LoRA of SmolLM2-135M, {steps} steps, {SAVES} checkpoints, POST to end, "
        f"against a script of {name}",
        seconds(a.whole),
        seconds(b.whole),
        f"{cost:+.1%}",
        f"≤ {COST:+.0%}",
        same,
        fast=cost <= COST,
        agrees=len(curves[0]) == steps and apart <= LIBRARIES[name][2],
    )
    within = "of that, steps and checkpoints"
    yield Row(within, seconds(a.steps), seconds(b.steps), f"{a.steps / b.steps - 1:+.1%}", "", "")
    outside = "the rest, the same however long it trains"
    yield Row(outside, seconds(a.rest), seconds(b.rest), "", "", "")


def least(runs: Sequence[Ran]) -> Least:
    """Whatever else the machine does only adds to a time."""
    steps = sum(min(same) for same in zip(*[run.steps for run in runs], strict=True))
    return Least(steps, min(run.whole - sum(run.steps) for run in runs))
