"""Scoring and training on one device: by turns, and within a budget. A CPU stands for the GPU."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import Client
from inference.errors import Cancelled
from service.devices import memory
from service.devices.policy import device_policy
from service.devices.turns import ScoringTurn, TrainingTurn
from service.settings import Settings
from tests.rounding import TRAINED
from tests.service.devices.watched import PASSES
from tests.service.live import Live
from tests.service.training.requests import (
    QUICK,
    finished,
    job_body,
    scored,
    start,
    upload_datasets,
)
from tests.waiting import until

STEPS, SAVE, TURN = 60, 30, 0.5
LONG = QUICK | {"max_steps": STEPS, "save_steps": SAVE, "batch_size": 16}
PERPLEXITY = {"name": "perplexity", "params": {"model": "tiny-language"}}
HELLO = [{"output": "Hello, number 3!", "references": ["Hello!"]}]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("turns")
    return folder


@pytest.fixture(scope="module")
def by_turns(
    new_database: Any, data: Path, models_root: Path, tiny_language_model: Path
) -> Iterator[Client]:
    """One worker for everything, whose device is used by turns."""
    service = Live(
        new_database(),
        data,
        model_roots=str(models_root),
        device_sharing="turns",
        device_turn_seconds=str(TURN),
    )
    service.api()
    handlers = "--handlers=tests.service.devices.watched:HANDLERS"
    service._start("service.jobs.worker", "--queues=now,score,train", handlers)
    with service.client() as client:
        upload_datasets(client)
        yield client
    service.close()


@pytest.mark.slow  # four starts of a training process
def test_by_turns_all_is_done_and_never_at_the_same_time(by_turns: Client, data: Path) -> None:
    assay = by_turns
    # a process that scores is up: starting one takes longer than all steps on a busy machine
    assay.score([PERPLEXITY], [{"output": "Good morning, number 1!", "references": ["Hello!"]}])
    job = start(assay, "sft", options=LONG)
    until(lambda: step(assay, job) > 0, 90)
    slow = assay.score([PERPLEXITY], HELLO)
    assert slow["perplexity"]["value"] is not None
    assert step(assay, job) < STEPS, "answered while the job was under way"
    done = finished(assay, job)
    assert done["status"] == "succeeded", done["error"]
    assert (done["step"], done["total_steps"]) == (STEPS, STEPS)
    curve = scored(assay, job)
    assert [one["step"] for one in curve] == [0, *range(SAVE, STEPS + 1, SAVE)]

    trained, passes = attempts(data, job), forwards(data)
    assert len(trained) > 1, "training has let go at least once"
    ended = datetime.fromisoformat(done["finished_at"])
    at_first = assay.request("GET", f"/v1/evaluations/{curve[1]['evaluation']}")
    assert datetime.fromisoformat(at_first["finished_at"]) < ended
    for first, last in trained:
        assert not [one for one in passes if one[0] < last and one[1] > first]
    told = list(assay.events_of(f"/v1/training_jobs/{job}"))
    let_go = [one.data["why"] for one in told if one.type == "released"]
    assert let_go == ["scoring waits for the device"] * (len(trained) - 1)
    checkpoint_files = [path.parent.name for path in (data / "training").rglob("complete.json")]
    assert len(checkpoint_files) == STEPS // SAVE, "what was only to go on from is gone"

    alone = start(assay, "sft", options=LONG, evaluation=None)
    assert finished(assay, alone)["attempt"] == 1
    steps, values = zip(*losses(assay, job), strict=True)
    steps_alone, values_alone = zip(*losses(assay, alone), strict=True)
    assert steps == steps_alone
    # other processes, so not to the bit; without Adam's moments losses are off by hundredths
    assert values == pytest.approx(values_alone, rel=TRAINED)


def test_scoring_and_training_exclude_each_other(tmp_path: Path) -> None:
    """Locks of one process, since those of two opened files exclude each other as well."""
    freed: list[str] = []
    scoring = [ScoringTurn(tmp_path / "gpu", lambda: freed.append("")) for _ in range(2)]
    training = TrainingTurn([tmp_path / "gpu"], seconds=0.3)
    for one in scoring:  # two processes, at the same time
        with one.working(lambda: False):
            one.enter()
    assert not training.over()
    assert taken(training, idle=True)  # idle processes let go by themselves
    assert len(freed) == 2
    waiting = threading.Thread(target=enter, args=[scoring[0]])
    waiting.start()
    time.sleep(0.5)
    assert waiting.is_alive()
    assert not training.over(), "its time has not begun"
    training.begin()
    assert not training.over()
    until(training.over, 2)
    training.let_go()
    waiting.join(2)
    assert not waiting.is_alive()
    assert taken(training, idle=True)
    training.close()
    assert taken(training, idle=True)
    with scoring[1].working(lambda: True), pytest.raises(Cancelled):
        scoring[1].enter()
    training.close()


def test_training_gets_its_turn_though_scoring_never_rests(tmp_path: Path) -> None:
    scoring = ScoringTurn(tmp_path / "gpu", lambda: None)
    training = TrainingTurn([tmp_path / "gpu"], seconds=0.5)
    over = threading.Event()

    def score_on_and_on() -> None:
        while not over.is_set():
            enter(scoring, seconds=0.05)

    always = threading.Thread(target=score_on_and_on)
    always.start()
    begun = time.monotonic()
    try:
        for _ in range(2):
            assert taken(training, idle=False)
            training.begin()
            until(training.over, 3)
            training.let_go()
    finally:
        training.close()
        over.set()
        always.join()
    assert 2 < time.monotonic() - begun < 8, "two turns of each"


def test_a_second_training_job_does_not_come_between(tmp_path: Path) -> None:
    first, second = (TrainingTurn([tmp_path / "gpu"], seconds=0.1) for _ in range(2))
    assert taken(first, idle=True)
    first.let_go()
    assert not taken(second, idle=True, seconds=0.5)
    first.close()
    assert taken(second, idle=True)
    second.close()


def test_without_turns_nobody_waits() -> None:
    scoring, training = ScoringTurn(None, lambda: None), TrainingTurn([], 60.0)
    assert taken(training, idle=False, seconds=0.1)
    enter(scoring)
    training.begin()
    assert not training.over()


def test_beside_the_budget_a_job_is_refused_with_the_numbers(
    new_database: Any, data_dir: Path, models_root: Path, tiny_language_model: Path
) -> None:
    size = memory.device_memory("cpu")
    assert size is not None
    budget = size // 2 - 10**8  # twice: two processes score, and 0.2 GB are left
    service = Live(
        new_database(),
        data_dir,
        model_roots=str(models_root),
        device_sharing="budget",
        model_memory_bytes=str(budget),
    )
    try:
        service.api()
        service.worker("now,score,train")
        with service.client() as assay:
            upload_datasets(assay)
            until(lambda: refused(service) is not None, 30)
            error = refused(service)
            assert error is not None
    finally:
        service.close()
    assert (error["code"], error["param"]) == ("does_not_fit", "resources")
    numbers = (f"{size / 1e9:.1f} GB", f"{2 * budget / 1e9:.1f} GB are kept for scoring", "0.2 GB")
    for part in (*numbers, "process 0.50", "ASSAY_DEVICE_SHARING", memory.device_name("cpu")):
        assert part in error["message"], error["message"]


def test_how_a_device_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    def how(device: str, size: float, **settings: Any) -> tuple[str, float]:
        monkeypatch.setattr(memory, "device_memory", lambda _: int(size * 1e9))
        policy = device_policy(Settings(**settings), device)
        return policy.mode, round(policy.kept / 1e9, 1)

    eight = {"model_memory_bytes": 8 * 10**9}
    assert how("cpu", 64, **eight) == ("together", 0.0)
    assert how("cpu", 64, **eight, device_sharing="budget") == ("budget", 16.0)
    assert how("cpu", 64, **eight, device_sharing="turns") == ("turns", 0.0)
    assert how("cuda:0", 80, **eight) == ("budget", 18.0)
    assert how("cuda:0", 24, **eight) == ("turns", 1.0)
    assert how("cuda:0", 24, **eight, device_sharing="budget") == ("budget", 18.0)
    assert how("cuda:0", 24, **eight, worker_queues="train") == ("together", 0.0)
    assert how("cuda:0", 24, **eight, worker_queues="now,score") == ("together", 0.0)
    assert how("cuda:0", 24, **eight, worker_queues="score,train") == ("budget", 9.0)


def enter(turn: ScoringTurn, seconds: float = 0.0) -> None:
    """A job that runs a model."""
    with turn.working(lambda: False):
        turn.enter()
        time.sleep(seconds)


def taken(turn: TrainingTurn, idle: bool, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    return turn.take(lambda: idle, lambda: time.monotonic() > deadline)


def refused(service: Live) -> dict[str, Any] | None:
    """The error, once the device is known; until then the job is cancelled again."""
    body = job_body("sft", evaluation=None)
    answer = httpx.post(f"{service.base}/v1/training_jobs", json=body)
    if answer.status_code == 202:
        httpx.post(f"{service.base}/v1/training_jobs/{answer.json()['id']}/cancel")
        return None
    error: dict[str, Any] = answer.json()["error"]
    return error


def step(assay: Client, job: str) -> int:
    found = assay.request("GET", f"/v1/training_jobs/{job}")
    assert found["status"] in {"queued", "running"}, found
    return int(found["step"])


def losses(assay: Client, job: str) -> list[Any]:
    found = assay.request("GET", f"/v1/training_jobs/{job}/metrics")["series"]["loss"]
    return list(found)


def attempts(data: Path, job: str) -> list[tuple[float, float]]:
    """When each attempt's process reported first and last."""
    found = []
    for path in sorted((data / "training" / job).glob("attempt-*/events.jsonl")):
        times = [json.loads(line)["time"] for line in path.read_text().splitlines()]
        found.append((times[0], times[-1]))
    return sorted(found)


def forwards(data: Path) -> list[tuple[float, float]]:
    """When models ran for scoring."""
    lines = (data / PASSES).read_text().splitlines()
    return [(float(begun), float(ended)) for begun, ended in map(str.split, lines)]
