"""Simulated people at a real service: who clicks is found and replaced, and the others' taste."""

from __future__ import annotations

import pytest
from rich.console import Console

from assay import Client
from demo import opinions, panel
from demo.simulated import Person
from tests.service.scored import scored

N = 20
READERS = tuple(Person(name, 1.0, 9.0) for name in ("Ada", "Boris", "Chen", "Dina"))
CLICKER = Person("Max", None, 1.0)


def test_a_clicker_is_found_and_the_others_judge_in_their_place(
    assay: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "OVERLAP", 2)
    monkeypatch.setattr(panel, "GOLD_RATE", 0.5)
    monkeypatch.setattr(panel, "READS", 1.0)  # the readers are right on every gold question
    texts = {"long": "It is a thing which is", "short": "It is a thing."}
    evaluations = {
        system: scored(
            assay,
            system=system,
            dataset="simulated",
            metrics=["length"],
            samples=[
                {"id": f"s{at}", "prompt": f"What is {at}?", "output": f"{at}: {text}"}
                for at in range(N)
            ],
        )
        for system, text in texts.items()
    }
    console = Console(width=100)
    with console.capture() as printed:
        study = panel.judged(assay, console, "test", evaluations, [*READERS, CLICKER])
    lines = [line.split() for line in printed.get().splitlines()]
    (shown,) = [line for line in lines if line[:3] == ["Max", "first", "shown"]]
    assert "100%" in shown
    (told,) = [line for line in lines if line[:3] == ["Ada", "100%", "100%"]]
    assert told[told.index("of") + 1].isdigit()
    by_name = {one.name: one for one in assay.annotation_analysis(study.project.id).annotators}
    assert by_name["Max"].outlier
    assert {by_name[one.name].gold.value for one in READERS} == {1.0}

    kept = panel.without_clickers(assay, console, study)
    assert {*kept.tokens} == {*READERS}
    assert assay.annotation_project(study.project.id).progress.votes == 2 * N
    found = assay.annotation_analysis(study.project.id)
    assert {one.name for one in found.annotators} == {one.name for one in READERS}
    assert [(one.system, one.win_rate) for one in found.systems] == [("short", 1), ("long", 0)]
    (criterion,) = assay.judges(study.project.id).criteria
    assert any("people like the opposite" in line for line in opinions.held(criterion))
