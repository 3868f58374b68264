"""`make demo-people`: an iteration with people in it: generate, have it judged, train, judge again.

All of it over HTTP. The people are simulated (`demo.simulated`): how reliable each one is, is
known, so that what the service finds out of their votes alone can be held to it. What they like is
learned by a reward model and by the model itself, whose answers to other prompts the same people
then judge. Whatever comes of it is printed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.progress import Progress, TaskID

from assay import Client, Evaluation, MetricLike
from assay import Progress as Measured
from demo import curves, opinions, tables
from demo.asking import LANGUAGE_MODEL
from demo.bars import bars
from demo.jobs import checkpoints, scored, train
from demo.panel import Study, judged, without_clickers
from demo.service import DemoError, walk
from demo.shipped import read_records
from demo.simulated import Person

PEOPLE = (
    Person("Ada", 0.95, 9.0),
    Person("Boris", 0.95, 8.0),
    Person("Chen", 0.90, 11.0),
    Person("Dina", 0.90, 10.0),
    Person("Emma", 0.85, 8.5),
    Person("Farid", 0.80, 9.5),
    Person("Max", None, 1.5),
)
ASKED, FRESH = "people-asked", "people-fresh"  # prompts of the first and of the second round
PAIRS = "people-prefer"
HELD_OUT = 0.25  # share of the prompts that are held out of training
BASE, BRIEF, CUT, TUNED = "plain", "brief", "cut", "tuned"
GREEDY: Mapping[str, Any] = {"max_new_tokens": 48}  # where an answer breaks off
TOLD: Mapping[str, Any] = {**GREEDY, "system": "Answer in one short sentence."}
METRICS: tuple[MetricLike, ...] = ("length", "repetition")
BOARDS = ("human/win_rate", "length")
SHARED = {"batch_size": 4, "max_length": 128, "lora": True}
REWARD = SHARED | {"max_steps": 20, "save_steps": 20, "learning_rate": 2e-4}
DPO = SHARED | {"max_steps": 16, "save_steps": 16, "learning_rate": 2e-4, "beta": 0.1}
TESTED = ["reward", "length", "seq_rep"]  # what else is different in the second round
SHOWN = 3  # prompts whose answers are printed
WIDE = 98  # columns


def main() -> int:
    """The exit status."""
    title = "people judge, a model learns from them"
    return walk(title, _iteration, "A job goes on from its checkpoint when the service runs again.")


def _iteration(assay: Client, console: Console) -> None:
    _title(console, "1. Generate", "a model as it is; told to be brief; cut after a sentence")
    models = {BASE: (LANGUAGE_MODEL, GREEDY), BRIEF: (LANGUAGE_MODEL, TOLD)}
    asked = _generated(assay, console, ASKED, models, METRICS)
    asked[CUT] = _first_sentences(assay, asked[BASE])

    _title(console, "2. Annotate", "simulated people, who like short answers that come to an end")
    study = judged(assay, console, "first round", asked, PEOPLE)
    study = without_clickers(assay, console, study)
    _ranks(assay, console, study)

    _title(console, "3. One board", "people's votes beside a metric")
    _boards(assay, console, study.project.id)

    _title(console, "4. Train", "a reward model and a policy, both on the votes")
    reward, tuned = _learned(assay, console, study.project.id)

    _title(console, "5. Judge again", "other prompts, the tuned model beside the one it was")
    models = {BASE: (LANGUAGE_MODEL, GREEDY), TUNED: (tuned, GREEDY)}
    metrics = [*METRICS, {"name": "reward", "params": {"model": reward}}]
    fresh = _generated(assay, console, FRESH, models, metrics)
    again = judged(assay, console, "second round", fresh, list(study.tokens))
    _verdict(assay, console, again.project.id, fresh)


def _generated(
    assay: Client,
    console: Console,
    dataset: str,
    models: Mapping[str, tuple[str, Mapping[str, Any]]],
    metrics: Sequence[MetricLike],
) -> dict[str, Evaluation]:
    """An evaluation for each system: a model, and how it generates."""
    assay.create_dataset(dataset, read_records(dataset.replace("-", "/")), "prompts")
    found = {}
    with bars(console) as shown:
        for system, (model, how) in models.items():
            made = assay.evaluate(
                system=system, dataset=dataset, model=model, generation=how, metrics=metrics
            )
            title = f"generating: {system}"
            bar = shown.add_task(f"{title:29}", total=made.progress.total, said="")
            done = assay.wait(made.id, progress=partial(_measured, shown, bar))
            found[system] = _succeeded(done)
    return found


def _measured(shown: Progress, bar: TaskID, now: Measured) -> None:
    shown.update(bar, completed=now.done, total=now.total)


def _succeeded(done: Evaluation) -> Evaluation:
    if done.status != "succeeded":
        raise DemoError(f"{done.system} {done.status}: {done.error and done.error.message}")
    return done


def _first_sentences(assay: Client, base: Evaluation) -> Evaluation:
    """Of the base's outputs, as given outputs of another system."""
    outputs = {one.id: first_sentence(one.outputs[0]) for one in assay.all_samples(base.id)}
    made = assay.evaluate(system=CUT, dataset=ASKED, outputs=outputs, metrics=METRICS)
    return _succeeded(assay.wait(made.id))


def first_sentence(text: str) -> str:
    """Up to its full stop; all of a text that has none.

    >>> first_sentence("It is 3.5 m long. It is")
    'It is 3.5 m long.'
    """
    return re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]


def _ranks(assay: Client, console: Console, study: Study) -> None:
    found = assay.annotation_analysis(study.project.id)
    console.print(opinions.systems(found.systems))
    _notes(console, opinions.agreement(found), *found.warnings)


def _boards(assay: Client, console: Console, project: str) -> None:
    assay.publish_scores(project)
    boards = [assay.leaderboard(ASKED, name) for name in BOARDS]
    parts = [Group(tables.heading(one), tables.leaderboard(one)) for one in boards]
    shown = Columns(parts, padding=(1, 3)) if console.width >= WIDE else Group(*parts)
    console.print(Padding(shown, (1, 0, 1, 2)))
    for criterion in assay.judges(project).criteria:
        _notes(console, *opinions.held(criterion))


def _learned(assay: Client, console: Console, project: str) -> tuple[str, str]:
    """A reward model and a model, both of the votes; their ids."""
    export = assay.export_annotation_project(project, "preference", PAIRS, held_out=HELD_OUT)
    if export.held_out is None:
        raise DemoError(f"no prompt was held out: {export.held_out_reason}")
    console.print(
        f"  {export.dataset.size} pairs of outputs to learn from, {export.held_out.size} of other "
        f"prompts to test by; left out: {opinions.counts(export.left_out)}"
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
    console.print(f"  {reward['id']} is the reward model, {tuned} the tuned one")
    return reward["id"], tuned


def _verdict(
    assay: Client, console: Console, project: str, evaluations: Mapping[str, Evaluation]
) -> None:
    """What people say of the tuned model, beside what metrics say, and what it writes."""
    assay.publish_scores(project)
    after = {name: assay.evaluation(one.id) for name, one in evaluations.items()}
    console.print(tables.scores(after, ("human/win_rate", "reward", "length", "seq_rep")))
    tests = assay.compare(after[TUNED].id, after[BASE].id, TESTED)
    console.print(tables.comparison(TUNED, BASE, tests))
    found = assay.annotation_analysis(project)
    (pair,), ours = found.pairs, next(one for one in found.systems if one.system == TUNED)
    console.print(f"  [bold]{escape(opinions.verdict(pair, ours))}[/]")
    _notes(console, *found.warnings)
    console.print("\n[bold]Answers before and after[/]")
    texts = {
        name: {one.id: one for one in assay.samples(evaluation.id, limit=SHOWN)}
        for name, evaluation in evaluations.items()
    }
    for id, sample in texts[BASE].items():
        console.print(f"  [bold]{escape(sample.prompt or '')}[/]")
        for name, samples in texts.items():
            text = tables.short(samples[id].outputs[0], console.width - 14)
            console.print(f"    {name:6} {escape(text)}")
    console.print()


def _title(console: Console, title: str, about: str) -> None:
    console.print(f"\n[bold]{title}[/]  {about}")


def _notes(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(Padding(escape(line), (0, 2)), style="dim")


if __name__ == "__main__":
    sys.exit(main())
