"""`make demo-train`: a reward model is learned from pairs, a model is tuned by them, and every
checkpoint is scored.

All of it over HTTP. The pairs prefer short, friendly answers to rude and rambling ones; half of
them are Russian. What is scored are answers to other prompts.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.markup import escape

from assay import Client, Leaderboard
from demo import curves, tables
from demo.asking import LANGUAGE_MODEL
from demo.jobs import checkpoints, scored, series, train
from demo.service import DemoError, walk
from demo.shipped import read_records

PAIRS, HELD_OUT = "manners", "manners-held-out"
SHARED = {"batch_size": 4, "max_length": 192, "lora": True}
REWARD = SHARED | {"max_steps": 14, "save_steps": 14, "learning_rate": 2e-4}
DPO = SHARED | {"max_steps": 15, "save_steps": 5, "learning_rate": 1e-4, "beta": 0.1}
SCORES = ("reward", "chrf", "token_f1", "length")
SHOWN = ("tea", "keys", "thanks")  # prompts whose answers are printed


def main() -> int:
    """The exit status."""
    title = "training on this machine\n"
    return walk(title, _demo, "The job goes on from its checkpoint when the service runs again.")


def _demo(assay: Client, console: Console) -> None:
    pairs, held_out = read_records("manners/pairs"), read_records("manners/held-out")
    assay.create_dataset(PAIRS, pairs, "preference")
    assay.create_dataset(HELD_OUT, held_out)
    console.print(
        f"{len(pairs)} pairs of answers, friendly and short against rude or rambling; "
        f"{len(held_out)} other prompts to score"
    )
    judge = train(assay, console, REWARD, method="reward", model=LANGUAGE_MODEL, dataset=PAIRS)
    model = checkpoints(assay, judge["id"])[-1]["id"]
    ranked = sum(series(assay, judge["id"])["accuracy"][-4:]) / 4
    console.print(f"  {model}: ranks {ranked:.0%} of its last batches' pairs right\n")

    held = {
        "dataset": HELD_OUT,
        "metrics": ["chrf", "token_f1", "length", {"name": "reward", "params": {"model": model}}],
        "generation": {"max_new_tokens": 40},
        "select_by": "reward",
        "watch": ["chrf", "token_f1"],
    }
    about = {"model": LANGUAGE_MODEL, "dataset": PAIRS, "evaluation": held}
    job = train(assay, console, DPO, method="dpo", **about)
    curve = scored(assay, console, job["id"])
    _curves(console, job["id"], curve)
    _board(assay, console, job["id"])
    _verdict(assay, console, job["id"])
    _answers(assay, console, checkpoints(assay, job["id"]), held_out)
    console.print(
        f"[dim]{assay.url}/v1/training_jobs/{job['id']}/checkpoints has all of it; "
        "a checkpoint's id is a model wherever a model can be named.[/]",
        soft_wrap=True,
    )


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
    chosen = next((one for one in checkpoints(assay, job) if one["id"] == best), None)
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


if __name__ == "__main__":
    sys.exit(main())
