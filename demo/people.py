"""`make demo-people`: an iteration with people in it: generate, have it judged, train, judge again.

All of it over HTTP. The people are simulated (`demo.simulated`): how reliable each one is, is
known, so that what the service finds out of their votes alone can be held to it. What they like is
learned by a reward model and by the model itself, whose answers to other prompts the same people
then judge. Whatever comes of it is printed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rich.columns import Columns
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.progress import Progress, TaskID

from assay import AnnotationProject, Client, Evaluation, MetricLike
from assay import Progress as Measured
from demo import curves, opinions, tables
from demo.asking import LANGUAGE_MODEL
from demo.bars import bars
from demo.jobs import checkpoints, scored, train
from demo.service import DemoError, Service, stage
from demo.shipped import read_records
from demo.simulated import Person, vote_all
from service.settings import Settings

PEOPLE = (
    Person("Ada", 0.95, 9.0),
    Person("Boris", 0.90, 8.0),
    Person("Chen", 0.85, 11.0),
    Person("Dina", 0.80, 10.0),
    Person("Max", None, 1.5),
)
ASKED, FRESH = "people-asked", "people-fresh"  # prompts of the first and of the second round
PAIRS = "people-prefer"
LENGTH = 48  # tokens, after which an answer breaks off
SYSTEMS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "brief": {"system": "Answer in one short sentence."},
    "warm": {"temperature": 1.0, "seed": 1},
}
BASE, TUNED = "plain", "tuned"
METRICS: tuple[MetricLike, ...] = ("length", "distinct_n")
BOARDS = ("human/win_rate", "length")
SHARED = {"batch_size": 4, "max_length": 128, "lora": True}
REWARD = SHARED | {"max_steps": 30, "save_steps": 30, "learning_rate": 2e-4}
DPO = SHARED | {"max_steps": 24, "save_steps": 24, "learning_rate": 1e-4, "beta": 0.1}
OVERLAP, GOLD_RATE, REPEATS, MOST = 3, 0.15, 0.05, 250
HELD_OUT = 0.25  # share of the prompts
SEED = 1
READS = 0.8  # share of gold questions: who gets fewer right, and stands out, does not read
SHOWN = 3  # prompts whose answers are printed
WIDE = 98  # columns


@dataclass(frozen=True, slots=True)
class Study:
    """A project, and who votes in it by which token."""

    project: AnnotationProject
    tokens: dict[Person, str]


def main() -> int:
    """The exit status."""
    return stage(_staged, "A job goes on from its checkpoint when the service runs again.")


def _staged(service: Service, _: Settings, console: Console) -> None:
    console.print(f"\n[bold]Assay[/] at {service.url}: people judge, a model learns from them")
    started = time.monotonic()
    with Client(service.url) as assay:
        _iteration(assay, console)
    console.print(f"All of this took {(time.monotonic() - started) / 60:.1f} minutes.\n")


def _iteration(assay: Client, console: Console) -> None:
    _title(console, "1. Generate", f"one model, {len(SYSTEMS)} ways to ask it")
    systems = {name: (LANGUAGE_MODEL, how) for name, how in SYSTEMS.items()}
    asked = _generate(assay, console, ASKED, systems, METRICS)

    _title(console, "2. Annotate", "simulated people, who like short answers that come to an end")
    study = _judged(assay, console, "the first round", asked, PEOPLE)
    study = _without_clickers(assay, console, study)

    _title(console, "3. People and metrics on one board", "")
    _boards(assay, console, study.project.id)

    _title(console, "4. Train", "on the votes; some prompts are held out")
    reward, tuned = _learned(assay, console, study.project.id)

    _title(console, "5. Judge again", "other prompts, the tuned model beside the one it was")
    systems = {BASE: (LANGUAGE_MODEL, SYSTEMS[BASE]), TUNED: (tuned, SYSTEMS[BASE])}
    metrics = [*METRICS, {"name": "reward", "params": {"model": reward}}]
    fresh = _generate(assay, console, FRESH, systems, metrics)
    again = _judged(assay, console, "the second round", fresh, list(study.tokens))
    _verdict(assay, console, again.project.id, fresh)


def _generate(
    assay: Client,
    console: Console,
    dataset: str,
    systems: Mapping[str, tuple[str, Mapping[str, Any]]],
    metrics: Sequence[MetricLike],
) -> dict[str, Evaluation]:
    """An evaluation for each system: a model, and how it generates."""
    records = read_records(dataset.replace("-", "/"))
    assay.create_dataset(dataset, records, "prompts")
    found = {}
    with bars(console) as shown:
        for system, (model, how) in systems.items():
            made = assay.evaluate(
                system=system,
                dataset=dataset,
                model=model,
                generation={"max_new_tokens": LENGTH, **how},
                metrics=metrics,
            )
            bar = shown.add_task(f"{system:29}", total=made.progress.total, said="")
            done = assay.wait(made.id, progress=partial(_measured, shown, bar))
            if done.error is not None or done.status != "succeeded":
                raise DemoError(f"{system} {done.status}: {done.error and done.error.message}")
            found[system] = done
    return found


def _measured(shown: Progress, bar: TaskID, now: Measured) -> None:
    shown.update(bar, completed=now.done, total=now.total)


def _judged(
    assay: Client,
    console: Console,
    name: str,
    evaluations: Mapping[str, Evaluation],
    people: Sequence[Person],
) -> Study:
    """A project of these evaluations in which everybody has voted, and what their votes say."""
    project = assay.create_annotation_project(
        f"people demo: {name}",
        [one.id for one in evaluations.values()],
        "pairwise",
        criteria=[{"name": "brevity", "description": "Short, and comes to its end"}],
        overlap=OVERLAP,
        gold=read_records("people/gold"),
        gold_rate=GOLD_RATE,
        repeats=REPEATS,
        per_annotator=MOST,
    )
    tokens = {one: assay.add_annotator(project.id, one.name).token for one in people}
    study = Study(project, tokens)
    _vote(assay, console, study)
    found = assay.annotation_analysis(project.id)
    console.print(opinions.people(found.annotators, {one.name: one for one in people}))
    for one in found.annotators:
        if one.outlier:
            console.print(Padding(f"{one.name} stands out: {'; '.join(one.why)}", (0, 2)))
    console.print(opinions.systems(found.systems))
    _notes(console, opinions.agreement(found), *found.warnings)
    return study


def _vote(assay: Client, console: Console, study: Study) -> None:
    """Everybody, as long as there is anything to judge for them."""
    names = ", ".join(one.name for one in study.tokens)
    random = np.random.default_rng(SEED)
    with bars(console) as shown:
        bar = shown.add_task(f"{'votes on outputs':29}", said=names)
        for at, _ in enumerate(vote_all(assay, study.tokens, random)):
            if at % 10 == 0:
                _advance(assay, study, shown, bar)
        _advance(assay, study, shown, bar)


def _advance(assay: Client, study: Study, shown: Progress, bar: TaskID) -> None:
    now = assay.annotation_project(study.project.id).progress
    shown.update(bar, completed=now.votes, total=now.wanted)


def _without_clickers(assay: Client, console: Console, study: Study) -> Study:
    """Deletes who stands out and misses gold questions; the others judge in their place."""
    found = assay.annotation_analysis(study.project.id)
    clickers = {
        one.name: one.annotator
        for one in found.annotators
        if one.outlier and one.gold.value is not None and one.gold.value < READS
    }
    if not clickers:
        console.print("Nobody both stands out and misses gold questions: all votes count.\n")
        return study
    for id in clickers.values():
        assay.delete_annotator(study.project.id, id, data=True)
    console.print(
        f"{', '.join(clickers)} stands out and misses more than {1 - READS:.0%} of the gold "
        "questions: deleted with all votes; the others judge what is open again."
    )
    rest = {one: token for one, token in study.tokens.items() if one.name not in clickers}
    study = Study(study.project, rest)
    _vote(assay, console, study)
    found = assay.annotation_analysis(study.project.id)
    console.print(opinions.systems(found.systems))
    _notes(console, opinions.agreement(found))
    return study


def _boards(assay: Client, console: Console, project: str) -> None:
    published = assay.publish_scores(project)
    boards = [assay.leaderboard(ASKED, name) for name in BOARDS]
    parts = [Group(tables.heading(one), tables.leaderboard(one)) for one in boards]
    shown = Columns(parts, padding=(1, 3)) if console.width >= WIDE else Group(*parts)
    console.print(Padding(shown, (1, 0, 1, 2)))
    console.print(opinions.held(assay.judges(project)))
    _notes(console, f"{published.votes} votes were published as scores of the evaluations")


def _learned(assay: Client, console: Console, project: str) -> tuple[str, str]:
    """A reward model and a model, both of the votes; their ids."""
    export = assay.export_annotation_project(project, "preference", PAIRS, held_out=HELD_OUT)
    if export.held_out is None:
        raise DemoError("no prompt was held out: too few pairs have a majority")
    console.print(
        f"  {export.dataset.size} pairs of outputs to learn from, {export.held_out.size} of other "
        f"prompts to test by {dict(export.left_out) or ''}"
    )
    about = {"model": LANGUAGE_MODEL, "dataset": f"{PAIRS}@{export.dataset.version}"}
    held = {
        "dataset": f"{export.held_out.name}@{export.held_out.version}",
        "metrics": ["pair_accuracy"],
        "select_by": "pair_accuracy",
    }
    job = train(assay, console, REWARD, method="reward", evaluation=held, **about)
    reward = scored(assay, console, job["id"])[-1]
    accuracy = curves.find(reward, "pair_accuracy")
    if accuracy is None or accuracy["value"] is None:
        raise DemoError(f"{reward['id']} has no pair_accuracy")
    console.print(f"  {opinions.accurate(accuracy['value'], accuracy['interval'])}")
    job = train(assay, console, DPO, method="dpo", **about)
    tuned = checkpoints(assay, job["id"])[-1]["id"]
    console.print(f"  {reward['id']} is the reward model, {tuned} the tuned one\n")
    return reward["id"], tuned


def _verdict(
    assay: Client, console: Console, project: str, evaluations: Mapping[str, Evaluation]
) -> None:
    """What people say of the tuned model, beside what metrics say, and what it writes."""
    found = assay.annotation_analysis(project)
    assay.publish_scores(project)
    after = {name: assay.evaluation(one.id) for name, one in evaluations.items()}
    console.print(tables.scores(after, ("human/win_rate", "reward", "length", "distinct_2")))
    console.print(f"[bold]{opinions.verdict(found, TUNED, BASE)}.[/]\n")
    console.print("[bold]Answers before and after[/]")
    samples = {
        name: {one.id: one for one in assay.samples(evaluation.id, limit=SHOWN)}
        for name, evaluation in evaluations.items()
    }
    for id, sample in samples[BASE].items():
        console.print(f"  [bold]{escape(sample.prompt or '')}[/]")
        for name in (BASE, TUNED):
            text = tables.short(samples[name][id].outputs[0], console.width - 14)
            console.print(f"    {name:6} {escape(text)}")
    console.print()


def _title(console: Console, title: str, about: str) -> None:
    console.print(f"\n[bold]{title}[/]  {about}")


def _notes(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(Padding(escape(line), (0, 2)), style="dim")
    console.print()


if __name__ == "__main__":
    sys.exit(main())
