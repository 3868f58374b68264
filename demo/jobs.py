"""Training jobs of demos: started over HTTP, followed to their end, read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from assay import FINAL, Client
from demo.bars import bars
from demo.service import DemoError

PATIENCE = 900.0  # seconds for the last scores


def train(
    assay: Client, console: Console, options: Mapping[str, Any], **job: Any
) -> dict[str, Any]:
    """Starts a job with `options`, which have `max_steps`, and follows its events to the end."""
    made = assay.request("POST", "/v1/training_jobs", job | {"options": options})
    path = f"/v1/training_jobs/{made['id']}"
    title = f"training{' and scoring' if job.get('evaluation') else ''}: {job['method']}"
    with bars(console) as progress:
        bar = progress.add_task(f"{title:29}", total=options["max_steps"], said="loading")
        for event in assay.events_of(path):
            if event.type == "progress" and event.data["step"]:
                progress.update(bar, completed=event.data["step"], said=_said(assay, made["id"]))
            elif event.type == "paused":
                break
    done: dict[str, Any] = assay.request("GET", path)
    if done["status"] != "succeeded":
        problem = (done["error"] or {}).get("message")
        raise DemoError(f"{job['method']} {done['status']}: {problem}")
    return done


def scored(assay: Client, console: Console, job: str) -> list[Any]:
    """The curve, once everything on it has been scored."""
    deadline = time.monotonic() + PATIENCE
    with console.status("the last checkpoints are being scored"):
        while True:
            found = checkpoints(assay, job)
            if all(one["evaluation_status"] in FINAL for one in found):
                break
            if time.monotonic() > deadline:
                raise DemoError("the checkpoints are not scored yet; is a worker running?")
            time.sleep(0.5)
    failed = [one["evaluation"] for one in found if one["evaluation_status"] != "succeeded"]
    if failed:
        raise DemoError(f"these evaluations did not succeed: {', '.join(failed)}")
    return found


def checkpoints(assay: Client, job: str) -> list[Any]:
    """The start and all checkpoints, by step."""
    found: list[Any] = assay.request("GET", f"/v1/training_jobs/{job}/checkpoints")["data"]
    return found


def series(assay: Client, job: str) -> dict[str, list[float]]:
    """What was logged, by name."""
    found = assay.request("GET", f"/v1/training_jobs/{job}/metrics")["series"]
    return {name: [value for _, value in points] for name, points in found.items()}


def _said(assay: Client, job: str) -> str:
    """The last values, in a few words."""
    found = series(assay, job)
    known = [name for name in ("loss", "accuracy", "margin") if found.get(name)]
    return " · ".join(f"{name} {found[name][-1]:.2f}" for name in known)
