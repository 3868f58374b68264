"""The service itself: real processes on the embedded database, in a folder of their own."""

from __future__ import annotations

import compileall
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from pydantic import SecretStr

from assay import FINAL, Client
from benchmarks.comparing import Row, bound, rows_of, value_of
from benchmarks.texts import news
from metrics import find
from metrics.core.metric import Sample
from metrics.core.run import prepare
from service.db.migrations import migrate
from service.processes import dies_with_parent, stop
from service.serve.postgres import EmbeddedPostgres
from service.settings import Settings

SAMPLES = 10_000
METRICS = ("bleu", "chrf", "rouge", "exact_match", "token_f1", "distinct_n")
READY, RESIDENT, ACCEPTED, DONE = 2.0, 200.0, 2.0, 15.0  # seconds, MB, seconds, seconds
PATIENCE, GRACE = 120.0, 20.0
ROOT = Path(__file__).resolve().parents[1]
OURS = ("assay", "inference", "metrics", "service", "trainers")
WORKER = ("service.cli", "worker", "--device", "cpu", "--queues", "score")


def rows(scale: float) -> Iterator[Row]:
    samples = news(max(20, int(SAMPLES * scale)), seed=0).samples
    for package in OURS:  # as an installation has them: else what changed is compiled at each start
        compileall.compile_dir(ROOT / package, quiet=1)
    with prepared() as settings, ExitStack() as stack:
        url = address(settings)
        begun = time.perf_counter()
        api = stack.enter_context(process(settings, "service.serve.api"))
        until(lambda: answers(f"{url}/readyz"))
        yield bound("API process ready", time.perf_counter() - begun, READY, "s")
        yield bound("its resident memory, once ready", _resident(api.pid), RESIDENT, "MB")

        stack.enter_context(process(settings, *WORKER))
        with Client(url, timeout=PATIENCE) as assay:
            accepted, done, scores = _evaluate(assay, samples)
        yield bound(f"inline POST of {len(samples)} samples accepted", accepted, ACCEPTED, "s")
        yield _finished(samples, done, scores)
        yield Row("its resident memory, afterwards", f"{_resident(api.pid):.0f} MB", "", "", "", "")


@contextmanager
def prepared() -> Iterator[Settings]:
    """Settings of a service on a migrated database, in a folder of its own; none runs yet."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-bench-")))
        server = stack.enter_context(EmbeddedPostgres(folder))
        migrate(server.url)
        yield Settings(
            data_dir=folder,
            database_url=SecretStr(server.url),
            port=free_port(),
            log_level="WARNING",
        )


@contextmanager
def running() -> Iterator[Settings]:
    """The same, with its API and a worker that scores."""
    with (
        prepared() as settings,
        process(settings, "service.serve.api"),
        process(settings, *WORKER),
    ):
        until(lambda: answers(f"{address(settings)}/readyz"))
        yield settings


def address(settings: Settings) -> str:
    """Where the API of these settings listens."""
    return f"http://127.0.0.1:{settings.port}"


def _evaluate(
    assay: Client, samples: Sequence[Sample]
) -> tuple[float, float, dict[str, float | None]]:
    """Seconds to the answer, seconds to the end (the worker starts meanwhile), and the scores."""
    sent = [
        {"id": one.id, "output": one.outputs[0], "references": list(one.references)}
        for one in samples
    ]
    begun = time.perf_counter()
    made = assay.evaluate(system="bench", dataset="bench", samples=sent, metrics=METRICS)
    accepted = time.perf_counter() - begun
    while True:
        found = assay.evaluation(made.id)
        if found.status in FINAL:
            break
        time.sleep(0.1)
    done = time.perf_counter() - begun
    if found.status != "succeeded":
        raise SystemExit(f"the evaluation {found.status}: {found.error}")
    return accepted, done, {score.name: score.value for score in found.scores}


def _finished(samples: Sequence[Sample], done: float, scores: dict[str, float | None]) -> Row:
    """The row of the whole evaluation; its scores must be those computed here."""
    differences = []
    for name in METRICS:
        metric = prepare(find(name).bind(), samples)
        values = value_of(metric, rows_of(metric, samples))
        for score, value in zip(metric.score_names, values.tolist(), strict=True):
            differences.append(abs((scores[score] or 0.0) - value))
    difference = max(differences)
    row = bound(
        f"{len(METRICS)} lexical metrics of {len(samples)} samples done after the POST",
        done,
        DONE,
        "s",
        f"{len(differences)} scores against the same in one process, "
        f"largest difference {difference:.1g}",
    )
    return replace(row, agrees=difference < 1e-9)


@contextmanager
def process(settings: Settings, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """As `assay serve` starts it, from the same environment."""
    child = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # `serve` says where it listens; this stream is the table's
        env=os.environ | settings.environment(),
        preexec_fn=dies_with_parent(),  # noqa: PLW1509 (see there)
    )
    try:
        yield child
    finally:
        stop(child, signal.SIGTERM, GRACE)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit(f"the service was not ready within {PATIENCE:.0f} s")
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _resident(process: int) -> float:
    """MB of memory the process holds."""
    (kibibytes,) = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(kibibytes) * 1024 / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
