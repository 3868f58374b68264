"""How many people and items: what is told before a project, and by a project's own votes."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from assay import Client
from metrics.statistics.annotations import Ints
from metrics.statistics.designs import assignments
from metrics.statistics.ratings import Ratings, means
from service.db.engine import connect
from service.studies.schemas import StudyIn, StudyOut
from service.studies.sizes import before
from tests.service.annotation.people import Study, evaluations_of
from tests.service.live import Live


def test_the_interval_is_as_wide_as_planned() -> None:
    """Ratings with the spread that is assumed, by as many people on as many items as is said."""
    study = before(StudyIn(form="likert", half_width=0.3, scale=(1, 5), systems=3))
    assert study.half_width <= 0.3
    assert study.votes == study.items * 3 == 3 * study.items_each * 3
    assert study.votes_each <= 90  # of 100, a tenth is gold
    chance = np.random.default_rng(5)
    who = assignments(study.items, study.annotators, study.overlap)
    widths = [_half_widths(study, who, chance) for _ in range(40)]
    # each is of some 10 people: the mean of 120 is known to a few hundredths
    assert np.mean(widths) == pytest.approx(study.half_width, rel=0.1)


def _half_widths(study: StudyOut, who: Ints, chance: np.random.Generator) -> list[float]:
    """Of three systems, on samples of which each has an output."""
    spread = study.spread
    rest = 1 - spread.of_items - spread.of_annotators
    item = np.repeat(np.arange(study.items), study.overlap)
    parts = (
        chance.normal(0, spread.of_items**0.5, study.items)[item],
        chance.normal(0, spread.of_annotators**0.5, study.annotators)[who.ravel()],
        chance.normal(0, rest**0.5, len(item)),
    )
    value = spread.deviation * np.sum(parts, axis=0)
    found = means(Ratings(item % 3, item // 3, who.ravel(), value, 3, study.annotators))
    return list((found.high - found.low) / 2)


def test_more_systems_take_more_items_and_share_them() -> None:
    def items(form: str, systems: int) -> tuple[int, int]:
        found = before(
            StudyIn.model_validate({"form": form, "half_width": 0.1, "systems": systems})
        )
        return found.items, found.items_each

    two, each = items("pairwise", 2)
    assert two == each  # a pair is of both
    five, each_of_five = items("pairwise", 5)
    assert five == -(-each_of_five * 5 // 2)
    tuples, each_of_tuples = items("best_worst", 8)
    assert tuples == each_of_tuples * 2  # four of eight are shown
    one, each_alone = items("label", 3)
    assert one == each_alone * 3


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"form": "likert"}, "no_scale", "scale"),
        ({"systems": 1}, "too_few_systems", "systems"),
        ({"form": "best_worst"}, "too_few_systems", "systems"),
        ({"half_width": 0.5}, "too_wide", "half_width"),
        ({"half_width": 1e-5}, "too_narrow", "half_width"),
        ({"half_width": 1e-300}, "too_narrow", "half_width"),
        ({"half_width": 0}, "greater_than", "half_width"),
    ],
)
def test_what_no_study_can_be_is_told(
    live: Live, asked: dict[str, Any], code: str, param: str
) -> None:
    body = {"form": "pairwise", "half_width": 0.1} | asked
    answer = httpx.post(f"{live.base}/v1/annotation_projects/study", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (422, code, param)


def test_a_plan_is_read_with_the_client(live: Live) -> None:
    with Client(live.base) as assay:
        study = assay.plan_study("pairwise", 0.05, systems=4, language="ru", repeats=0.05)
        english = assay.plan_study("likert", 0.2, scale=(1, 5), systems=1, gold_rate=0)
    assert study.spread.source == "assumed"
    assert f"голосов: {study.votes}" in study.text
    assert "Проверяемых пар систем: 6; p-значения исправляются методом Холма" in study.text
    assert f"Напишите контрольных вопросов: {study.gold}" in study.text
    assert f"Stop at {english.votes} votes" in english.text
    assert "There are no gold questions" in english.text
    assert english.text.count("## ") == 5
    assert "{" not in study.text + english.text


def test_the_projects_own_votes_are_the_pilot(live: Live, database_url: str) -> None:
    """Ratings that are a severity and an item's worth, with nothing left to chance."""
    engine = connect(database_url)
    made = evaluations_of(engine, 9, systems=2)
    engine.dispose()
    criteria = [{"name": "help", "scale": [1, 9]}, {"name": "calm", "scale": [1, 5]}]
    study = Study(live.base, made, form="likert", criteria=criteria, gold_rate=0)
    first = study.get("/study", half_width=0.5)
    assert (first["spread"]["source"], first["spread"]["votes"]) == ("assumed", 0)
    assert "a pilot has 50 of 3 at least" in first["spread"]["why"]
    for severity in range(3):
        person = study.person(str(severity))
        while (item := person.next()["item"]) is not None:
            system, _, sample = item["output"].split()
            worth = int(sample) % 4 + 2 * int(system)  # systems differ: no spread of votes
            ratings = {"help": 1 + severity + worth, "calm": 3}
            assert person.post("votes", item=item["id"], ratings=ratings).status_code == 200
    found = study.get("/study", half_width=0.5)
    spread = found["spread"]
    items = np.var([at % 4 for at in range(9)], ddof=1)
    assert (spread["source"], spread["of"], spread["votes"]) == ("pilot", "help", 54)
    assert spread["deviation"] == pytest.approx(np.sqrt(items + 1))  # severities 0, 1, 2
    assert spread["of_items"] == pytest.approx(items / (items + 1))
    assert spread["of_annotators"] == pytest.approx(1 / (items + 1))
    assert found["text"].count("54 votes of a pilot") == 1
    assert f"18 items, {found['items'] - 18} fewer than that" in found["text"]
    unknown = httpx.get(f"{study.url}x/study", params={"half_width": 0.5})
    assert unknown.json()["error"]["code"] == "annotation_project_not_found"
