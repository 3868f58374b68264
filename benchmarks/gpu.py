"""Everything that runs on a GPU, tried on one: `python -m benchmarks.gpu`.

BERTScore, perplexity and reward: tokens a second and the peak of memory in fp32 and bf16, and how
far the rows of bf16 lie from those of fp32, and those of fp32 from the CPU's. Then every way to
train (`training_paths`). Where there is no CUDA device it says so and exits with 0; with 1 where a
way failed or learned something else.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import training_paths
from benchmarks.comparing import rows_of
from benchmarks.texts import english
from benchmarks.training_paths import METHODS
from inference.pool import ModelPool
from inference.protocol import DType
from metrics import find
from metrics.core.metric import BoundMetric, Sample
from metrics.core.rows import Floats
from service.devices import memory

ENCODER, LANGUAGE = "builtin/minilm-l6", "builtin/smollm2-135m-instruct"
DTYPES: tuple[DType, ...] = ("float32", "bfloat16")
MEASURED = ("bertscore", "perplexity", "reward")
COMPARED = 64  # samples that the CPU measures too


@dataclass(frozen=True, slots=True)
class Pass:
    """One metric in one precision."""

    metric: str
    dtype: DType
    seconds: float
    tokens: int
    gibibytes: float  # peak of the device's memory; NaN without a CUDA device
    rows: Floats
    from_cpu: float = float("nan")  # the farthest of its first rows from the CPU's, in fp32


def main() -> int:
    import torch

    asked = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    asked.add_argument("--count", type=int, default=4000, help="samples")
    asked.add_argument("--only", choices=["metrics", "training"], help="leave out the other half")
    asked.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    given = asked.parse_args()
    gpus = memory.gpus()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(len(gpus))))
    os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]  # a Trainer uses all that it sees
    if not torch.cuda.is_available():
        print("no CUDA device here: nothing was measured")
        return 0
    print(f"{len(gpus)} × {torch.cuda.get_device_name()}, torch {torch.__version__}")
    console, wrong = Console(width=None if sys.stdout.isatty() else 200), False
    with tempfile.TemporaryDirectory() as folder:
        if given.only != "training":
            samples = english(given.count, seed=0).samples
            console.print(table(list(measured("cuda", Path(folder), samples))))
        if given.only != "metrics":
            ways = list(training_paths.ways(len(gpus), given.methods))
            found = []
            for one in training_paths.tried(ways, Path(folder), LANGUAGE, "cuda:0", visible):
                found.append(one)
                print(f"{len(found)}/{len(ways)} {one}", flush=True)
            console.print(training_paths.table(found))
            wrong = bool(training_paths.disagreements(found))
    return int(wrong)


def measured(
    device: str, folder: Path, samples: Sequence[Sample], metrics: Sequence[str] = MEASURED
) -> Iterator[Pass]:
    """Each metric in fp32 and bf16, its model warm."""
    pool = ModelPool([folder], folder / "models", device)
    exact = ModelPool([folder], folder / "models", "cpu")
    for name in metrics:
        model = {"bertscore": ENCODER, "perplexity": LANGUAGE}.get(name)
        model = model or str(reward_model(pool, folder / "reward"))
        tokens = count_tokens(pool, name, model, samples)
        for dtype in DTYPES:
            done = run(pool, name, model, dtype, samples, tokens)
            rows = rows_of(_bound(name, model, "float32"), samples[:COMPARED], exact)
            apart = float(np.abs(relative(done.rows[:COMPARED], rows)).max(initial=0.0))
            yield replace(done, from_cpu=apart)


def run(
    pool: ModelPool, name: str, model: str, dtype: DType, samples: Sequence[Sample], tokens: int
) -> Pass:
    metric = _bound(name, model, dtype)
    rows_of(metric, samples[:64], pool)  # loads and warms up
    _synchronize(pool.device, lambda cuda: cuda.reset_peak_memory_stats())
    begun = time.perf_counter()
    rows = rows_of(metric, samples, pool)  # rows are numpy's: the device has finished
    spent = time.perf_counter() - begun
    peak = _synchronize(pool.device, lambda cuda: cuda.max_memory_allocated() / 2**30)
    return Pass(name, dtype, spent, tokens, peak, rows)


def _bound(name: str, model: str, dtype: DType) -> BoundMetric:
    return find(name).bind({"model": model, "dtype": dtype})


def count_tokens(pool: ModelPool, name: str, model: str, samples: Sequence[Sample]) -> int:
    """Real tokens, without padding: of outputs and references for BERTScore, else of outputs."""
    outputs = [sample.outputs[0] for sample in samples]
    if name == "bertscore":
        texts = [*outputs, *(sample.references[0] for sample in samples)]
        ids = pool.encoder(model, add_prefix_space=True).encode(texts)
    elif name == "perplexity":
        ids = pool.language(model).encode(outputs)
    else:
        ids = pool.classifier(model).encode([(None, output) for output in outputs])
    return sum(map(len, ids))


def reward_model(pool: ModelPool, folder: Path) -> Path:
    """The builtin language model with a random head: a judge of no taste and the usual cost."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if not folder.is_dir():
        source = pool.files(LANGUAGE)[0]
        torch.manual_seed(0)
        classes: Any = AutoModelForSequenceClassification
        classes.from_pretrained(source, num_labels=1).save_pretrained(folder)
        AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def _synchronize(device: str, ask: Callable[[Any], Any]) -> float:
    import torch

    if not device.startswith("cuda"):
        return float("nan")
    torch.cuda.synchronize()
    return float(ask(torch.cuda) or 0.0)


def table(passes: Sequence[Pass]) -> Table:
    shown = Table(box=box.MARKDOWN)
    headings = ("metric", "dtype", "tokens", "seconds", "tokens/s", "peak GiB")
    for heading in (*headings, "from fp32", "from CPU"):
        shown.add_column(heading, justify="left" if heading in ("metric", "dtype") else "right")
    exact = {one.metric: one.rows for one in passes if one.dtype == "float32"}
    for one in passes:
        apart = float(np.abs(relative(one.rows, exact[one.metric])).max(initial=0.0))
        shown.add_row(
            one.metric,
            one.dtype,
            f"{one.tokens:,}",
            f"{one.seconds:.2f}",
            f"{one.tokens / one.seconds:,.0f}",
            f"{one.gibibytes:.2f}",
            f"{apart:.1g}",
            f"{one.from_cpu:.1g}",
        )
    return shown


def relative(rows: Floats, exact: Floats) -> Floats:
    """By how much of the column's largest value each number is off."""
    return np.asarray((rows - exact) / np.maximum(np.abs(exact).max(axis=0), 1e-9), np.float64)


if __name__ == "__main__":
    sys.exit(main())
