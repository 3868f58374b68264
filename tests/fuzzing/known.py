"""What a fuzzed service holds, so that requests reach every operation: ids by path parameter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection

import trainers
from metrics import catalogue
from service.datasets import store as datasets
from service.db.engine import connect
from service.db.identifiers import new
from service.evaluations import outputs
from service.evaluations import store as evaluations
from service.leaderboards import defined_store
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from tests.service import stored
from tests.service.texts import samples

JOBS = 40  # more than are cancelled at random
REGISTERED = 12  # models, more than are deleted at random; as many rewards and suites
SERVED = "tiny-language"  # which the service itself serves
RIVAL = "fuzzed-rival"  # the same, behind a URL: it is never deleted
METRICS = ("bleu", "chrf")
PAIRS = [{"id": "1", "prompt": "Hi!", "chosen": "Hello!", "rejected": "What."}]


@dataclass(frozen=True, slots=True)
class Known:
    """Values by path parameter, examples of bodies by their schema's name, queries by parameter;
    `token`: an annotator's."""

    paths: dict[str, list[str]]
    bodies: dict[str, list[dict[str, Any]]]
    queries: dict[str, list[str]]
    token: str


def fill(base: str, url: str, folder: Path) -> Known:
    """Store evaluations, datasets, jobs and a checkpoint in the database at `url`; `base` is the
    API's address, `folder` where the checkpoint's files go."""
    engine = connect(url)
    records = [
        {name: value for name, value in one.items() if name != "output"} for one in samples(8)
    ]
    done = []
    for system, words in (("one", 3), ("two", 5)):
        with engine.begin() as db:
            done.append(stored.create(db, system, records, METRICS))
            stored.succeed(db, done[-1], records, METRICS, words)
            outputs.add(db, done[-1], ((at, [f"{system} {at}"]) for at in range(len(records))))
    with engine.begin() as db:
        dataset, _ = datasets.put(db, "votes", "eval", records)
        datasets.put(db, "pairs", "preference", PAIRS)
        failed = stored.create(db, "three", records, METRICS)
        evaluations.finish(db, failed, "failed", {})
        cancelled = stored.create(db, "four", records, METRICS)
        evaluations.finish(db, cancelled, "cancelled", {})
        part = {"dataset": "votes", "score": METRICS[0], "slice": None, "weight": 1.0}
        defined_store.create(db, "fuzzed", {"parts": [part], "aggregate": "mean"})
        jobs = [_paused(db, dataset.id) for _ in range(JOBS)]
        checkpoint = checkpoints.add(db, jobs[0], 2, 1, str(_weights(folder)), "0" * 64)
    engine.dispose()
    _registered(base, RIVAL)
    gate, check = _gate(base, done)
    registered = [_registered(base, f"fuzzed-{number}") for number in range(REGISTERED)]
    rewards = [_reward(base, number) for number in range(REGISTERED)]
    suites = [_suite(base, number) for number in range(REGISTERED)]
    projects = [_annotated(base, done) for _ in range(REGISTERED)]
    fought = _arena(base)
    token = _annotator(base, _annotated(base, done))["token"]
    bodies = _bodies(base, httpx.get(f"{base}/openapi.json", timeout=100).json(), done)
    held = {"item": _out(base, token)}
    bodies |= {"HeldIn": [held], "SkipIn": [held], "VoteIn": [held | {"choice": "a"}]}
    return Known(
        paths={
            "evaluation": [*done, failed, cancelled],
            "dataset": ["votes", "pairs", "votes@1", dataset.id],
            "board": ["fuzzed"],
            "suite": ["qa", *suites],
            "calibration": ["rated", "rated@1"],
            "project": projects,
            "voted": [_imported(base)],
            "arena": [_arena(base) for _ in range(REGISTERED)],
            "fought": [fought],  # the arena that has the battles
            "battle": [_battle(base, fought) for _ in range(2)],
            "annotator": [_annotator(base, one)["id"] for one in projects],
            "gate": [gate],
            "check": [check],
            "job": jobs,
            "model": registered,
            "reward": rewards,
            "checkpoint": [str(checkpoint)],
            "name": [*catalogue(), *trainers.catalogue(), "evaluate/none"],
        },
        bodies=bodies,
        token=token,
        queries={
            "metric": list(METRICS),
            "sort": list(METRICS),
            "slice": ["lang=ru", "lang=en"],
            "name": ["votes", "fuzzed"],
            "dataset": ["votes", dataset.id],
            "system": ["one", "two"],
            "half_width": ["0.1"],
            "after": [*done, dataset.id, jobs[0], "s3", "1"],
        },
    )


def _asked_of_a_gate(done: list[str]) -> dict[str, Any]:
    rules = [{"score": METRICS[0], "tier": "critical", "max_drop": 5.0}]
    return {"name": "fuzzed", "baseline": done[0], "dataset": "votes", "rules": rules}


def _gate(base: str, done: list[str]) -> tuple[str, str]:
    """A gate, and what it said once."""
    made = httpx.post(f"{base}/v1/gates", json=_asked_of_a_gate(done), timeout=100)
    assert made.is_success, made.text
    url = f"{base}/v1/gates/fuzzed/check"
    said = httpx.post(url, json={"evaluation": done[1]}, timeout=100)
    assert said.is_success, said.text
    return "fuzzed", str(said.json()["id"])


def _registered(base: str, name: str) -> str:
    """A model behind the service's own URL."""
    body = {"name": name, "url": f"{base}/openai/v1", "model": SERVED}
    made = httpx.post(f"{base}/v1/models", json=body, timeout=100)
    assert made.status_code in {201, 409}, made.text
    return name


def _reward(base: str, number: int) -> str:
    body = {"name": f"fuzzed-{number}", "rewards": [{"metric": "chrf"}]}
    made = httpx.post(f"{base}/v1/rewards", json=body, timeout=100)
    assert made.is_success, made.text
    return f"fuzzed-{number}"


def _suite(base: str, number: int) -> str:
    body = {"name": f"fuzzed-{number}", "about": "What is fuzzed.", "metrics": ["chrf"]}
    made = httpx.post(f"{base}/v1/suites", json=body, timeout=100)
    assert made.is_success, made.text
    return f"fuzzed-{number}"


def _judged(done: list[str]) -> dict[str, Any]:
    return {"name": "fuzzed", "evaluations": done, "form": "pairwise", "items": 4}


def _annotated(base: str, done: list[str]) -> str:
    made = httpx.post(f"{base}/v1/annotation_projects", json=_judged(done), timeout=100)
    assert made.is_success, made.text
    return str(made.json()["id"])


def _imported(base: str) -> str:
    """A project with a vote, of which a dataset can be made."""
    vote = {"prompt": "Hi?", "model_a": "x", "model_b": "y", "output_a": "Hi!", "output_b": "Ho!"}
    made = httpx.post(
        f"{base}/v1/annotation_projects/imports",
        params={"name": "voted"},
        content=json.dumps([vote | {"winner": "a"}]),
        headers={"content-type": "application/octet-stream"},
        timeout=100,
    )
    assert made.is_success, made.text
    return str(made.json()["id"])


def _annotator(base: str, project: str) -> dict[str, str]:
    url = f"{base}/v1/annotation_projects/{project}/annotators"
    made = httpx.post(url, json={"name": "somebody"}, timeout=100)
    assert made.is_success, made.text
    return dict(made.json())


def _fighting() -> dict[str, Any]:
    return {"name": "fuzzed", "models": [SERVED, RIVAL], "max_tokens": 2}


def _arena(base: str) -> str:
    made = httpx.post(f"{base}/v1/arenas", json=_fighting(), timeout=100)
    assert made.is_success, made.text
    return str(made.json()["id"])


def _battle(base: str, arena: str) -> str:
    url = f"{base}/v1/arenas/{arena}/battles"
    made = httpx.post(url, json={"prompt": "Hi?"}, timeout=200)
    assert made.is_success, made.text
    return str(made.json()["id"])


def _out(base: str, token: str) -> str:
    """The item that whoever has the token is to judge."""
    by = {"authorization": f"Bearer {token}"}
    asked = httpx.post(f"{base}/v1/annotate/next", headers=by, timeout=100)
    assert asked.is_success, asked.text
    return str(asked.json()["item"]["id"])


def _paused(db: Connection, dataset: str) -> str:
    job = training.create(
        db,
        method="sft",
        model=SERVED,
        models=[],
        dataset_id=dataset,
        options={"max_steps": 8},
        evaluation=None,
        resources={},
    )
    training.finish(db, job, "paused", {"step": 2})
    return job


def _weights(folder: Path) -> Path:
    """A checkpoint's folder, as far as a download reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "model.safetensors").write_bytes(bytes(100))
    return folder


def _of_openai() -> dict[str, list[dict[str, Any]]]:
    asked = {"model": SERVED, "max_tokens": 2, "temperature": 0}
    turns = {"messages": [{"role": "user", "content": "Hi?"}]}
    return {
        "ChatIn": [asked | turns],
        "CompletionIn": [asked | {"prompt": "Hi"}, asked | {"prompt": "Hi", "stream": True}],
        "EmbeddingsIn": [{"model": "builtin/minilm-l6", "input": "Hi"}],
        "TokenizeIn": [{"model": SERVED, "prompt": "Hi"}],
        "DetokenizeIn": [{"model": SERVED, "tokens": [5]}],
    }


def _bodies(
    base: str, document: dict[str, Any], done: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """The document's own examples, and some that are accepted here."""
    schemas = document["components"]["schemas"]
    found = {name: list(schema.get("examples", [])) for name, schema in schemas.items()}
    generated = {
        **{"dataset": "votes", "model": "tiny-language", "metrics": ["chrf"]},
        **{"generation": {"max_new_tokens": 2}},
    }
    outputs = {
        **{"dataset": "votes", "system": "five", "metrics": ["chrf", {"name": "length"}]},
        **{"outputs": {one["id"]: one["output"] for one in samples(8)}},
    }
    found["EvaluationIn"] += [generated, outputs, outputs | {"slices": ["lang"]}]
    found["ComparisonIn"] = [
        {"evaluations": done},
        {
            "evaluations": done,
            "metrics": ["chrf"],
            "test": "approximate_randomization",
            "trials": 100,
        },
    ]
    found["GateIn"] = [_asked_of_a_gate(done)]
    found["AnnotationProjectIn"] = [_judged(done)]
    found["AnnotationExportIn"] = [{"kind": "preference", "name": "of-votes"}]
    found["StudyIn"] = [
        {"form": "pairwise", "half_width": 0.1, "systems": 3},
        {"form": "likert", "half_width": 0.2, "scale": [1, 5], "language": "ru"},
    ]
    found["ArenaIn"] = [_fighting()]
    found["BattleIn"] = [{"prompt": "Hi?"}]
    found["AnnotatorIn"] = [{"name": "somebody"}]
    found["CheckIn"] = [{"evaluation": done[1]}]
    found["PowerIn"] = [{"evaluations": done, "metric": "chrf", "effect": 1.0}]
    served = {"url": f"{base}/openai/v1", "model": SERVED}
    found["RegisteredModelIn"] = [{"name": new("again"), **served} for _ in range(REGISTERED)]
    found["RegisteredModelPatch"] = [{"timeout_s": 30}]
    found |= _of_openai()
    found["RewardIn"] = [{"query": ["Hi? Hello!"], "prompts": ["Hi?"], "labels": ["Hello!"]}]
    found["StoredRewardIn"] = [{"name": new("again"), "rewards": [{"metric": "chrf"}]}]
    found["BestIn"] = [{"name": "best-of-two", "score": "chrf"}]
    found["TrainingIn"] += [
        {
            "method": method,
            "model": SERVED,  # whoever cancels a job waits for its step
            "dataset": "pairs" if method in {"dpo", "reward", "kto"} else "votes",
            "options": {"rewards": [{"metric": "chrf"}]} if method in {"ppo", "grpo"} else {},
        }
        for method in trainers.catalogue()
    ]
    return {name: examples for name, examples in found.items() if examples}
