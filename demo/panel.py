"""A project in which simulated people vote, and how they are sorted out, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.progress import Progress, TaskID

from assay import AnnotationProject, AnnotatorAnalysis, Client, Evaluation
from demo import opinions
from demo.bars import bars
from demo.shipped import read_records
from demo.simulated import Person, vote_all

OVERLAP, GOLD_RATE, REPEATS = 3, 0.2, 0.05
MOST = 300  # votes of a person
SEED = 1
READS = 0.8  # share of gold questions: who gets fewer right, and stands out, does not read


@dataclass(frozen=True, slots=True)
class Study:
    """A project, and who votes in it by which token."""

    project: AnnotationProject
    tokens: Mapping[Person, str]


def judged(
    assay: Client,
    console: Console,
    name: str,
    evaluations: Mapping[str, Evaluation],
    people: Sequence[Person],
) -> Study:
    """A project of these evaluations in which everybody has voted, and how well they did."""
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
    return study


def without_clickers(assay: Client, console: Console, study: Study) -> Study:
    """Deletes who stands out and misses gold questions; the others judge in their place."""
    found = assay.annotation_analysis(study.project.id).annotators
    clickers = {one.name: one.annotator for one in found if _clicks(one)}
    if not clickers:
        console.print("  Nobody stands out who misses gold questions: all votes count")
        return study
    for id in clickers.values():
        assay.delete_annotator(study.project.id, id, data=True)
    console.print(
        f"  Deleted, for missing gold questions, too: {', '.join(clickers)}. "
        "The others judge what is open again"
    )
    rest = {one: token for one, token in study.tokens.items() if one.name not in clickers}
    study = Study(study.project, rest)
    _vote(assay, console, study)
    return study


def _clicks(one: AnnotatorAnalysis) -> bool:
    return bool(one.outlier) and one.gold.value is not None and one.gold.value < READS


def _vote(assay: Client, console: Console, study: Study) -> None:
    """Everybody, as long as there is anything to judge for them."""
    random = np.random.default_rng(SEED)
    with bars(console) as shown:
        bar = shown.add_task(f"{'votes on outputs':29}", said=f"{len(study.tokens)} people")
        for at, _ in enumerate(vote_all(assay, study.tokens, random)):
            if at % 10 == 0:
                _advance(assay, study, shown, bar)
        _advance(assay, study, shown, bar)


def _advance(assay: Client, study: Study, shown: Progress, bar: TaskID) -> None:
    now = assay.annotation_project(study.project.id).progress
    shown.update(bar, completed=now.votes, total=now.wanted)
