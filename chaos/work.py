"""What is asked of the service, and the numbers that come of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay import Client, Evaluation, MetricLike, TrainingJob
from chaos.service import MODEL

Values = dict[str, float | None]

# How far apart equal results may lie, relative to the larger: see tests/rounding.py.
EXACT, FORWARD, TRAINED = 0.0, 2.0**-16, 2.0**-13
WORDS = ["heavy", "rain", "has", "closed", "two", "roads", "in", "the", "north", "of", "town"]
STEPS, SAVE = 24, 4


class Failed(Exception):
    """What was accepted did not succeed."""


@dataclass(frozen=True)
class Work(ABC):
    """One kind of request.

    name   as the table shows it
    bound  of the relative difference between two of its results
    """

    name: str
    bound: float

    @abstractmethod
    def ask(self, assay: Client, key: str) -> str:
        """Ask for it; the id of what was accepted. The same key again is the same thing."""

    @abstractmethod
    def read(self, assay: Client, id: str, timeout: float) -> Values:
        """Its numbers once it has ended. Raises Failed, WaitTimedOut."""


@dataclass(frozen=True)
class Scoring(Work):
    """An evaluation of given outputs, or of a model's where there are none."""

    metrics: Sequence[MetricLike] = ()
    samples: Sequence[Mapping[str, Any]] = ()
    generation: Mapping[str, Any] | None = None

    def ask(self, assay: Client, key: str) -> str:
        """Queue the evaluation, of a system called as the key."""
        made = assay.evaluate(
            system=key,
            dataset=self.name,
            samples=self.samples,
            metrics=self.metrics,
            model=None if self.generation is None else MODEL,
            generation=self.generation,
            idempotency_key=key,
        )
        return made.id

    def read(self, assay: Client, id: str, timeout: float) -> Values:
        """Values, ends of intervals and counts of all scores."""
        done = assay.wait(id, timeout)
        told = [event["type"] for event in assay.request("GET", _events(done))["data"]]
        if done.status != "succeeded" or told != ["running", "succeeded"]:
            raise Failed(f"{id} {done.status}: {done.error}; its events: {told}")
        return numbers(done)


@dataclass(frozen=True)
class AtOnce(Work):
    """POST /v1/score: nothing is stored."""

    metrics: Sequence[MetricLike] = ()
    samples: Sequence[Mapping[str, Any]] = ()

    def ask(self, assay: Client, key: str) -> str:
        """Nothing is queued."""
        return key

    def read(self, assay: Client, id: str, timeout: float) -> Values:
        """Values of all scores and samples."""
        found: Values = {}
        for name, score in assay.score(self.metrics, self.samples).items():
            found[name] = score.value
            found |= {f"{name}[{at}]": value for at, value in enumerate(score.per_sample or [])}
        return found


@dataclass(frozen=True)
class Training(Work):
    """A training job whose checkpoints are scored."""

    method: str = "sft"
    records: Sequence[Mapping[str, Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, assay: Client, key: str) -> str:
        """Queue the job; its datasets are the same versions each time."""
        kind = {"sft": "sft", "dpo": "preference"}.get(self.method, "prompts")
        assay.create_dataset(self.name, self.records, kind=kind)
        assay.create_dataset("held-out", PROMPTS, kind="eval")
        made = assay.train(
            method=self.method,
            model=MODEL,
            dataset=self.name,
            options={
                "max_steps": STEPS,
                "save_steps": SAVE,
                "batch_size": 4,
                "max_length": 128,
                **self.options,
            },
            evaluation={
                "dataset": "held-out",
                "metrics": ["chrf"],
                "generation": {"max_new_tokens": 8},
            },
            idempotency_key=key,
        )
        return made.id

    def read(self, assay: Client, id: str, timeout: float) -> Values:
        """The loss of every step, the scores of every checkpoint."""
        done = assay.wait_training_job(id, timeout)
        if done.status != "succeeded":
            raise Failed(f"{id} {done.status}: {done.error}")
        found = self._losses(assay, done)
        for checkpoint in assay.checkpoints(id):
            if checkpoint.evaluation is None:
                raise Failed(f"{id}: the checkpoint of step {checkpoint.step} is not evaluated")
            scored = assay.wait(checkpoint.evaluation, timeout)
            if scored.status != "succeeded":
                raise Failed(f"{scored.id} of {scored.system} {scored.status}: {scored.error}")
            values = {f"{checkpoint.step}: {k}": v for k, v in numbers(scored).items()}
            if values.keys() & found.keys():
                raise Failed(f"{id}: the checkpoint of step {checkpoint.step} is there twice")
            found |= values
        return found

    def _losses(self, assay: Client, job: TrainingJob) -> Values:
        steps = assay.training_metrics(job.id).series["loss"]
        if [step for step, _ in steps] != [*range(1, STEPS + 1)]:
            raise Failed(f"{job.id}: losses of the steps {[step for step, _ in steps]}")
        told = [event["data"] for event in assay.request("GET", _events(job))["data"]]
        saved = [data["step"] for data in told if "step" in data and "checkpoint" in data]
        if saved and saved != [*range(SAVE, STEPS + 1, SAVE)]:
            raise Failed(f"{job.id}: events of checkpoints of the steps {saved}")
        return {f"{step}: loss": loss for step, loss in steps}


def numbers(done: Evaluation) -> Values:
    """Every number of an evaluation's scores. Raises Failed where a score has none."""
    found: Values = {}
    for score in done.scores:
        if score.error is not None:
            raise Failed(f"{done.id}: {score.name}: {score.error}")
        low, high = score.interval or (None, None)
        counts = {"n": score.n, "missing": score.missing}
        parts = {"value": score.value, "low": low, "high": high, **counts}
        found |= {f"{score.name} {part}": value for part, value in parts.items()}
    return found


def _events(made: Evaluation | TrainingJob) -> str:
    room = "evaluations" if isinstance(made, Evaluation) else "training_jobs"
    return f"/v1/{room}/{made.id}/events"


def _text(start: int, length: int) -> str:
    return " ".join(WORDS[(start * 5 + at * (1 + start % 3)) % len(WORDS)] for at in range(length))


PROMPTS = [
    {"id": str(n), "prompt": f"Go on: {_text(n, 4)}", "references": [_text(n, 9)]} for n in range(6)
]
TEXTS = [
    {"id": str(n), "output": _text(n, 8 + n % 5), "references": [_text(n + n % 2, 10)]}
    for n in range(160)
]
PROGRAMS = [
    {
        "id": str(n),
        "prompt": f"Write f, which adds {n}.",
        "outputs": [f"def f(x):\n    return x + {n}\n", f"def f(x):\n    return x - {n % 2}\n"],
        "tests": f"assert f(1) == {n + 1}\n",
    }
    for n in range(6)
]
TALKS = [
    {"id": str(n), "prompt": f"Go on: {_text(n, 4)}", "completion": _text(n + 1, 7)}
    for n in range(24)
]
PAIRS = [
    {"id": str(n), "prompt": f"Go on: {_text(n, 4)}", "chosen": _text(n + 1, 7), "rejected": "no"}
    for n in range(24)
]
PERPLEXITY = {"name": "perplexity", "params": {"model": MODEL}}

EVALUATIONS: tuple[Work, ...] = (
    Scoring("lexical", EXACT, metrics=["bleu", "chrf", "rouge", "distinct_n"], samples=TEXTS),
    Scoring("perplexity", FORWARD, metrics=[PERPLEXITY, "length"], samples=TEXTS[:96]),
    Scoring("programs", EXACT, metrics=[{"name": "pass_at_k", "params": {"k": [1]}}],
            samples=PROGRAMS),
    Scoring("generation", FORWARD, metrics=["chrf"], samples=PROMPTS,
            generation={"max_new_tokens": 12}),
)  # fmt: skip
AT_ONCE: tuple[Work, ...] = (
    AtOnce("at once", FORWARD, metrics=["chrf", PERPLEXITY], samples=TEXTS[:16]),
)
TRAININGS: tuple[Work, ...] = (
    Training("sft", TRAINED, method="sft", records=TALKS),
    Training("dpo", TRAINED, method="dpo", records=PAIRS),
)
EVERY = (*EVALUATIONS, *AT_ONCE, *TRAININGS)
