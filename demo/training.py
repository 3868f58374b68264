"""`make demo-train`: a reward model is learned from pairs, a model is tuned by them, and every
checkpoint is scored.

All of it over HTTP. The pairs prefer short, friendly answers to rude and rambling ones; half of
them are Russian. What is scored are answers to other prompts.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from assay import FINAL, AssayError, Client, Leaderboard
from demo import curves, tables
from demo.service import DemoError, running
from demo.shipped import read_records
from service.settings import get_settings

MODEL = "builtin/smollm2-135m-instruct"
PAIRS, HELD_OUT = "manners", "manners-held-out"
SHARED = {"batch_size": 4, "max_length": 192, "lora": True}
REWARD = SHARED | {"max_steps": 14, "save_steps": 14, "learning_rate": 2e-4}
DPO = SHARED | {"max_steps": 15, "save_steps": 5, "learning_rate": 1e-4, "beta": 0.1}
SCORES = ("reward", "chrf", "token_f1", "length")
SHOWN = ("tea", "keys", "thanks")  # prompts whose answers are printed
PATIENCE = 900.0  # seconds for the last scores


def main() -> int:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    settings = get_settings()
    started = time.monotonic()
    try:
        with running(settings, console) as service, Client(service.url) as assay:
            console.print(f"\n[bold]Assay[/] at {service.url}: training on this machine\n")
            _demo(assay, console)
    except KeyboardInterrupt:
        console.print("\nStopped. The job goes on from its checkpoint when the service runs again.")
        return 130
    except (DemoError, AssayError, httpx.HTTPError) as error:
        console.print(f"[red]The demo stopped:[/] {error}")
        return 1
    console.print(f"All of this took {(time.monotonic() - started) / 60:.1f} minutes.\n")
    return 0


def _demo(assay: Client, console: Console) -> None:
    pairs, held_out = read_records("manners/pairs"), read_records("manners/held-out")
    assay.create_dataset(PAIRS, pairs, "preference")
    assay.create_dataset(HELD_OUT, held_out)
    console.print(
        f"{len(pairs)} pairs of answers, friendly and short against rude or rambling; "
        f"{len(held_out)} other prompts to score"
    )
    judge = _train(assay, console, "reward", REWARD, None)
    model = _checkpoints(assay, judge["id"])[-1]["id"]
    series = _series(assay, judge["id"])
    ranked = sum(series["accuracy"][-4:]) / 4
    console.print(f"  {model}: ranks {ranked:.0%} of its last batches' pairs right\n")

    held = {
        "dataset": HELD_OUT,
        "metrics": ["chrf", "token_f1", "length", {"name": "reward", "params": {"model": model}}],
        "generation": {"max_new_tokens": 40},
        "select_by": "reward",
        "watch": ["chrf", "token_f1"],
    }
    job = _train(assay, console, "dpo", DPO, held)
    curve = _scored(assay, console, job["id"])
    _curves(console, job["id"], curve)
    _board(assay, console, job["id"])
    _verdict(assay, console, job["id"])
    _answers(assay, console, _checkpoints(assay, job["id"]), held_out)
    console.print(
        f"[dim]{assay.url}/v1/training_jobs/{job['id']}/checkpoints has all of it; "
        "a checkpoint's id is a model wherever a model can be named.[/]",
        soft_wrap=True,
    )


def _train(
    assay: Client, console: Console, method: str, options: Any, evaluation: Any
) -> dict[str, Any]:
    """Starts the job and follows its events to the end."""
    body = {"method": method, "model": MODEL, "dataset": PAIRS, "options": options}
    made = assay.request("POST", "/v1/training_jobs", body | {"evaluation": evaluation})
    path = f"/v1/training_jobs/{made['id']}"
    scored = " and scoring" if evaluation else ""
    bars = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(40), MofNCompleteColumn())
    with Progress(*bars, TextColumn("[dim]{task.fields[said]}"), console=console) as progress:
        title = f"training{scored}: {method}"
        bar = progress.add_task(f"{title:26}", total=options["max_steps"], said="loading")
        for event in assay.events_of(path):
            if event.type == "progress" and event.data["step"]:
                progress.update(bar, completed=event.data["step"], said=_said(assay, made["id"]))
            elif event.type == "paused":
                break
    done: dict[str, Any] = assay.request("GET", path)
    if done["status"] != "succeeded":
        raise DemoError(f"{method} {done['status']}: {(done['error'] or {}).get('message')}")
    return done


def _said(assay: Client, job: str) -> str:
    """The last values, in a few words."""
    series = _series(assay, job)
    known = [name for name in ("loss", "accuracy", "margin") if series.get(name)]
    return " · ".join(f"{name} {series[name][-1]:.2f}" for name in known)


def _scored(assay: Client, console: Console, job: str) -> list[Any]:
    """The curve, once everything on it has been scored."""
    deadline = time.monotonic() + PATIENCE
    with console.status("the last checkpoints are being scored"):
        while True:
            found = _checkpoints(assay, job)
            if all(one["evaluation_status"] in FINAL for one in found):
                break
            if time.monotonic() > deadline:
                raise DemoError("the checkpoints are not scored yet; is a worker running?")
            time.sleep(0.5)
    failed = [one["evaluation"] for one in found if one["evaluation_status"] != "succeeded"]
    if failed:
        raise DemoError(f"these evaluations did not succeed: {', '.join(failed)}")
    return found


def _curves(console: Console, job: str, curve: list[Any]) -> None:
    console.print(
        f"\n[bold]Scores along the way[/]  {HELD_OUT}, 95% intervals, p against the start"
    )
    for name in SCORES:
        console.print(curves.plot(name, curve, console.width))
    console.print()


def _board(assay: Client, console: Console, job: str) -> None:
    board = renamed(assay.leaderboard(HELD_OUT, "chrf"), job, "dpo")
    console.print(f"[bold]Leaderboard[/]  {tables.heading(board)}, {HELD_OUT}")
    console.print(tables.leaderboard(board))
    console.print()


def renamed(board: Leaderboard, job: str, name: str) -> Leaderboard:
    """The board with a short name in the place of the job's id."""
    rows = [row.model_copy(update={"system": row.system.replace(job, name)}) for row in board.rows]
    return board.model_copy(update={"rows": rows})


def _verdict(assay: Client, console: Console, job: str) -> None:
    """The best checkpoint, whether it is better than the start, and what the watch has seen."""
    deadline = time.monotonic() + 30  # the judge runs after the last evaluation
    events: list[Any] = []
    while time.monotonic() < deadline and not any(one["type"] == "best" for one in events):
        events = assay.request("GET", f"/v1/training_jobs/{job}/events", limit=1000)["data"]
        time.sleep(0.5)
    best = assay.request("GET", f"/v1/training_jobs/{job}")["best"]
    chosen = next((one for one in _checkpoints(assay, job) if one["id"] == best), None)
    if chosen is None:
        raise DemoError("no checkpoint was chosen as the best")
    console.print(
        f"[bold]Best by reward[/]: step {chosen['step']}, {best}  "
        "[dim](p not corrected for having chosen among checkpoints)[/]"
    )
    for name in SCORES:
        point = curves.find(chosen, name)
        if point is None or point["difference"] is None or point["p_value"] is None:
            continue
        low, high = point["difference_interval"]
        sure = "beyond chance" if point["p_value"] < 0.05 else "could be chance"
        console.print(
            f"  {name:9} {tables.number(name, point['difference'], signed=True):>6} against the "
            f"start {escape(f'[{low:+.2f}, {high:+.2f}]')}, "
            f"p {tables.p_value(point['p_value'])}: {sure}"
        )
    found = [one["data"] for one in events if one["type"] == "reward_hacking"]
    console.print(
        "[bold]Reward-hacking watch[/]: " + (_hacked(found[0]) if found else QUIET) + "\n"
    )


QUIET = "silent: neither chrf nor token_f1 fell significantly while the objective rose"


def _hacked(data: dict[str, Any]) -> str:
    fallen = ", ".join(
        f"{one['name']} {one['start']:.2f} → {one['now']:.2f}" for one in data["fallen"]
    )
    return f"[red]at step {data['step']} the objective is up and these are down: {fallen}[/]"


def _answers(assay: Client, console: Console, curve: list[Any], records: list[Any]) -> None:
    """The same prompts, answered by the starting model and by the best checkpoint."""
    best = next((one for one in curve if one["best"]), curve[-1])
    before, after = (
        {sample.id: sample.outputs[0] for sample in assay.samples(one["evaluation"], limit=100)}
        for one in (curve[0], best)
    )
    console.print("[bold]Answers before and after[/]")
    for record in records:
        if record["id"] in SHOWN:
            console.print(f"  [bold]{escape(record['prompt'])}[/]")
            for when, text in (("before", before), ("after", after)):
                flat = " ".join(text[record["id"]].split())
                console.print(f"    {when:6} {escape(tables.short(flat, console.width - 14))}")
    console.print()


def _checkpoints(assay: Client, job: str) -> list[Any]:
    found: list[Any] = assay.request("GET", f"/v1/training_jobs/{job}/checkpoints")["data"]
    return found


def _series(assay: Client, job: str) -> dict[str, list[float]]:
    found = assay.request("GET", f"/v1/training_jobs/{job}/metrics")["series"]
    return {name: [value for _, value in points] for name, points in found.items()}


if __name__ == "__main__":
    sys.exit(main())
