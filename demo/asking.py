"""What the demo asks of the service: three datasets, their systems and metrics, and the waiting."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from rich.console import Console

from assay import FINAL, Client, Evaluation, MetricLike
from demo import programs
from demo.bars import bars
from demo.service import DemoError
from demo.shipped import read_outputs, read_records

LANGUAGE_MODEL = "builtin/smollm2-135m-instruct"
ENCODER = "builtin/minilm-l6"


@dataclass(frozen=True, slots=True)
class Board:
    """One dataset: who is compared on it, and by what."""

    dataset: str
    kind: str
    systems: tuple[str, ...]
    metrics: tuple[MetricLike, ...]
    slices: tuple[str, ...] = ()

    def records(self) -> list[dict[str, Any]]:
        return programs.records() if self.kind == "code" else read_records(self.dataset)

    def outputs(self, system: str) -> Mapping[str, str | Sequence[str]]:
        if self.kind == "code":
            return programs.outputs(system)
        return read_outputs(system, self.dataset)


SUMMARIES = Board(
    dataset="summaries",
    kind="eval",
    systems=("editor", "lead-1", "smollm2-135m", "loop"),
    metrics=(
        "bleu",
        "chrf",
        # the texts are English and Russian: rouge-score's own tokenizer drops all Cyrillic
        {"name": "rouge", "params": {"tokenizer": "unicode"}},
        {"name": "bertscore", "params": {"model": ENCODER}},
        # of 32 texts "auto" makes 3 clusters, in which any two systems look alike
        {"name": "mauve", "params": {"model": ENCODER, "num_clusters": 8}},
        {"name": "distinct_n", "params": {"tokenizer": "words"}},
        {"name": "perplexity", "params": {"model": LANGUAGE_MODEL}},
    ),
    slices=("lang",),
)
QUESTIONS = Board(
    dataset="questions",
    kind="eval",
    systems=("editor", "smollm2-135m"),
    metrics=("exact_match", "token_f1"),
    slices=("lang",),
)
CODE = Board(
    dataset="humaneval-10",
    kind="code",
    systems=("reference", "slips"),
    metrics=({"name": "pass_at_k", "params": {"k": [1, 2, 5]}},),
)
BOARDS = (SUMMARIES, QUESTIONS, CODE)

Found = dict[tuple[str, str], Evaluation]  # by dataset and system


def evaluate_all(assay: Client, console: Console) -> Found:
    """Every system of every board, queued at once and awaited; on a second run, looked up."""
    catalogue = orjson.dumps(assay.request("GET", "/v1/metrics"))
    queued: Found = {}
    for board in BOARDS:
        assay.create_dataset(board.dataset, board.records(), board.kind)
        for system in board.systems:
            queued[board.dataset, system] = evaluate(assay, board, system, catalogue)
    with bars(console) as progress:
        tasks = {
            key: progress.add_task(f"{key[0]:12}  {key[1]:12}", total=one.progress.total, said="")
            for key, one in queued.items()
        }
        done: Found = {}
        while len(done) < len(queued):
            for key, one in queued.items():
                if key in done:
                    continue
                now = assay.evaluation(one.id)
                progress.update(tasks[key], completed=now.progress.done, total=now.progress.total)
                if now.status in FINAL:
                    done[key] = now
            time.sleep(0.2)
    for (dataset, system), one in done.items():
        if one.status != "succeeded":
            raise DemoError(f"{system} on {dataset} {one.status}: {one.error}")
    return {key: done[key] for key in queued}


def evaluate(
    assay: Client, board: Board, system: str, catalogue: bytes | None = None
) -> Evaluation:
    """Queue one evaluation. With the catalogue of metrics, the same request is the same evaluation
    for as long as the metrics are the same and nothing failed; without it, a new one is made."""
    outputs = board.outputs(system)
    asked = orjson.dumps([board.dataset, system, outputs, board.metrics])
    made = assay.evaluate(
        system=system,
        dataset=board.dataset,
        outputs=outputs,
        metrics=board.metrics,
        slices=list(board.slices),
        idempotency_key=_digest(asked + catalogue) if catalogue is not None else None,
    )
    if catalogue is None:
        return made
    now = assay.evaluation(made.id)
    failed = now.status in {"failed", "cancelled"} or any(score.error for score in now.scores)
    return evaluate(assay, board, system) if failed else now


def model_calls(url: str) -> int:
    """Forward passes of all workers so far, from the service's Prometheus page."""
    page = httpx.get(f"{url}/metrics", timeout=10.0, trust_env=False).text
    counts = [line.split()[-1] for line in page.splitlines() if "assay_model_calls_total{" in line]
    return sum(int(float(count)) for count in counts)


def _digest(content: bytes) -> str:
    return "demo-" + hashlib.sha256(content).hexdigest()[:32]
