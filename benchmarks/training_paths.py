"""Every way in which a model can be trained, tried for a few steps each.

All methods, with LoRA and all weights, in float32 and bfloat16, with layers computed again or not;
with two GPUs or more also two processes, each with whole weights (DDP) or a part of them (FSDP).
For each: seconds a step, the peak of memory beside its estimate, the losses, and whether they are
those of the plain path: float32, one process, nothing computed again. Where completions are drawn,
another rounding draws others, so only paths that compute the same are held to it.
"""

from __future__ import annotations

import gc
import math
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

import trainers
from benchmarks.allocations import Allocations
from benchmarks.texts import english
from inference.pool import ModelPool
from trainers.job.fsdp import Fsdp
from trainers.job.memory import PROCESS, estimate, shape_of
from trainers.job.process import launch, train
from trainers.job.reports import Reader, Report
from trainers.job.run import Run
from trainers.job.spec import DATA, EVENTS, Spec, write_records

METHODS = ("sft", "reward", "dpo", "grpo", "ppo")
STEPS, BATCH = 3, 4
CLOSE = {"float32": 1e-3, "bfloat16": 0.05}  # of a loss, relative to the plain path's
OPTIONS: dict[str, Any] = {"max_steps": STEPS, "save_steps": STEPS, "learning_rate": 1e-5}
OPTIONS |= {"schedule": "constant", "truncate": True, "max_length": 256}
REWARDED = {"rewards": [{"metric": "length"}], "max_completion_length": 32}
OF_METHOD: dict[str, dict[str, Any]] = {
    "grpo": REWARDED | {"num_generations": 2},
    "ppo": REWARDED | {"num_minibatches": 1, "ppo_epochs": 1},
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to train."""

    method: str
    lora: bool = False
    dtype: str = "float32"
    again: bool = False  # layers are computed again
    processes: int = 1
    fsdp: bool = False

    @property
    def plain(self) -> Way:
        """What its losses are held to."""
        return Way(self.method, self.lora)

    @property
    def comparable(self) -> bool:
        """Whether its losses must be the plain way's: no draws of its own, and no random head,
        which makes much of bfloat16's rounding."""
        drawn = self.method in OF_METHOD
        exact = self.dtype == "float32" and self.processes == 1
        return exact if drawn else self.dtype == "float32" or self.method != "reward"

    def options(self, steps: Mapping[str, Any]) -> dict[str, Any]:
        """As a job has them; a step learns from as many samples with two processes as with one."""
        shared = {"batch_size": BATCH // self.processes, "lora": self.lora, "dtype": self.dtype}
        again = {"gradient_checkpointing": self.again and not self.fsdp}
        return {**OPTIONS, **OF_METHOD.get(self.method, {}), **shared, **again, **steps}


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it; `gibibytes` are the peak of tensors (NaN of several processes), `estimated`
    the same as it was foreseen. `error` is what it failed with."""

    way: Way
    losses: tuple[float, ...] = ()
    seconds: float = math.nan  # a step, without the first
    gibibytes: float = math.nan
    estimated: float = math.nan
    error: str = ""


def ways(gpus: int, methods: Sequence[str] = METHODS) -> Iterator[Way]:
    """All that a machine with so many GPUs can try, each method's plain one first."""
    for method in methods:
        for lora in (False, True):
            for dtype in ("float32", "bfloat16"):
                for again in (False, True):
                    yield Way(method, lora, dtype, again)
            if gpus > 1:
                yield Way(method, lora, processes=2)
                if trainers.find(method).shards:
                    yield Way(method, lora, processes=2, fsdp=True)
                    yield Way(method, lora, "bfloat16", True, processes=2, fsdp=True)


def tried(
    asked: Sequence[Way],
    folder: Path,
    model: Path | str,
    device: str,
    visible: str = "",
    **options: Any,
) -> Iterator[Trained]:
    """Each way, in this process where it has one; `options` go before the defaults above.

    visible  CUDA_VISIBLE_DEVICES for those of several
    """
    roots = (model.parent,) if isinstance(model, Path) else ()
    name = model.name if isinstance(model, Path) else model
    pool = ModelPool(list(roots), folder / "models", device)
    files = pool.files(name)[-1]
    for number, way in enumerate(asked):
        spec = _spec(way, folder / f"job_{number}", name, roots, device, options)
        try:
            peak = _in_processes(spec, visible) if way.processes > 1 else _here(spec)
        except Exception as error:  # noqa: BLE001 (the other ways are tried all the same)
            yield Trained(way, error=f"{type(error).__name__}: {error}"[:200])
            continue
        yield replace(_read(way, spec), gibibytes=peak / 2**30, estimated=_said(way, spec, files))


def _spec(
    way: Way,
    job: Path,
    model: str,
    roots: tuple[Path, ...],
    device: str,
    options: Mapping[str, Any],
) -> Spec:
    attempt = job / "attempt-1"
    attempt.mkdir(parents=True)
    spec = Spec(
        job=job.name,
        attempt=1,
        method=way.method,
        options=way.options(options),
        model=model,
        dataset="texts@1",
        data=write_records(job / DATA, records(way.method)),
        folder=attempt,
        device=device,
        devices=tuple(f"cuda:{rank}" for rank in range(way.processes)) if way.processes > 1 else (),
        processes=way.processes,
        fsdp=Fsdp(activation_checkpointing=way.again) if way.fsdp else None,
        model_roots=roots,
        cache_dir=job.parent / "models",
    )
    spec.write()
    return spec


def records(method: str) -> list[dict[str, str]]:
    """English sentences, as the method wants them."""
    samples = english(4 * BATCH, seed=0).samples
    rows = [(f"Number {at}: say it again.", one.outputs[0]) for at, one in enumerate(samples)]
    if method == "sft":
        return [{"prompt": prompt, "completion": text} for prompt, text in rows]
    if method in OF_METHOD:
        return [{"id": str(at), "prompt": prompt} for at, (prompt, _) in enumerate(rows)]
    return [{"prompt": prompt, "chosen": text, "rejected": text[::-1]} for prompt, text in rows]


def _here(spec: Spec) -> int:
    """Trains in this process; returns the peak of tensors, in bytes."""
    import torch

    gc.collect()
    if spec.device == "cpu":
        with Allocations() as allocated:
            train(Run(spec))
        return int(allocated.peak)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    train(Run(spec))
    return int(torch.cuda.max_memory_allocated())


def _in_processes(spec: Spec, visible: str) -> float:
    """Trains in processes of its own, on the first of the `visible` GPUs; their memory is not
    known."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": visible}
    command = launch(spec)
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=900)
    if done.returncode:
        failed = [one.data["message"] for one in _reports(spec) if one.type == "failed"]
        raise RuntimeError(failed[0] if failed else done.stderr[-500:].decode(errors="replace"))
    return math.nan


def _read(way: Way, spec: Spec) -> Trained:
    series = [one for one in _reports(spec) if one.type == "series"]
    times = [one.time for one in series]
    seconds = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else math.nan
    return Trained(way, tuple(float(one.data["loss"]) for one in series), seconds)


def _reports(spec: Spec) -> list[Report]:
    return list(Reader(spec.folder / EVENTS))


def _said(way: Way, spec: Spec, files: Path) -> float:
    trainer = trainers.find(way.method)
    options = trainers.parse(trainer, spec.options)
    texts = [list(one.values()) for one in records(way.method)]
    longest = max(sum(len(text.encode()) for text in one) for one in texts)
    shape = shape_of(files)
    found = estimate(trainer, options, shape, longest, 0, spec.processes, spec.fsdp, spec.device)
    return (found.bytes - PROCESS - found.parts.get("fragments", 0)) / 2**30


def disagreements(found: Sequence[Trained]) -> list[Trained]:
    """Ways that failed, or learned something else than the plain way."""
    return [one for one in found if one.error or verdict(one, found).startswith("differs")]


def verdict(one: Trained, found: Sequence[Trained]) -> str:
    """Beside the plain way: how far the losses are off, or why that says nothing."""
    (plain, *_) = [other for other in found if other.way == one.way.plain] or [one]
    if one.error or plain.error:
        return one.error or "the plain way failed"
    if one is plain:
        return "plain"
    scale = max(abs(loss) for loss in plain.losses) or 1.0
    pairs = zip(one.losses, plain.losses, strict=True)
    apart = max(abs(loss - other) for loss, other in pairs) / scale
    if not one.way.comparable:
        return f"not held to it ({apart:.1g})"
    close = apart <= CLOSE[one.way.dtype]
    return f"{'equal' if close else 'differs'} ({apart:.1g})"


def table(found: Sequence[Trained]) -> Table:
    """A row a way."""
    shown = Table(box=box.MARKDOWN)
    for heading in ("method", "weights", "dtype", "layers", "processes", "s/step"):
        shown.add_column(heading)
    for heading in ("peak GiB", "estimated", "first loss", "last loss", "losses"):
        shown.add_column(heading, justify="right")
    for one in found:
        way = one.way
        kind = "FSDP" if way.fsdp else "DDP"
        shown.add_row(
            way.method,
            "LoRA" if way.lora else "all",
            way.dtype,
            "again" if way.again else "kept",
            f"{way.processes} {kind}" if way.processes > 1 else "1",
            f"{one.seconds:.2f}",
            f"{one.gibibytes:.2f}",
            f"{one.estimated:.2f}",
            *(
                f"{loss:.4f}"
                for loss in (one.losses or (math.nan,))[:: max(len(one.losses) - 1, 1)][:2]
            ),
            verdict(one, found),
        )
    return shown
