"""Every form of judging: what is shown, what is an answer, and what cannot be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from random import Random
from typing import Any

import httpx
import pytest

from assay import Client
from service.annotation.instructions import instructions
from service.annotation.items import SampleOutputs, tuples
from service.annotation.schemas import AnnotationProjectIn, CriterionIn
from service.db.engine import connect
from tests.service.annotation.people import Study, evaluation, evaluations_of
from tests.service.live import Live

HELPFUL = {"name": "helpfulness", "scale": [1, 5], "anchors": {"1": "useless", "5": "solves it"}}

EXAMPLE = {"outputs": ["# Hi"], "expected": {"ratings": {"helpfulness": 2}}, "why": "no help"}


@pytest.fixture(scope="module")
def made(live: Live, database_url: str) -> Iterator[list[str]]:
    """Evaluations of five systems on three samples."""
    engine = connect(database_url)
    yield evaluations_of(engine, 3, systems=5)
    engine.dispose()


def refused(answer: httpx.Response) -> tuple[str, str | None]:
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    return error["code"], error["param"]


FORMS: list[tuple[str, dict[str, Any], dict[str, Any], list[tuple[dict[str, Any], str, str]]]] = [
    (
        *("likert", {"criteria": [HELPFUL]}, {"ratings": {"helpfulness": 4}}),
        [
            ({"ratings": {"helpfulness": 6}}, "beyond_scale", "ratings.helpfulness"),
            ({"ratings": {}}, "missing_answer", "ratings.helpfulness"),
            ({"ratings": {"help": 1, "helpfulness": 1}}, "unknown_criterion", "ratings.help"),
            ({"ratings": {"helpfulness": True}}, "int_type", "ratings.helpfulness"),
            ({"choice": "a"}, "missing_answer", "ratings"),
        ],
    ),
    (
        *("label", {"labels": ["good", "bad"]}, {"label": "bad"}),
        [({"label": "worse"}, "unknown_label", "label")],
    ),
    (
        *("edit", {}, {"text": "Better."}),
        [({"text": "x", "label": "y"}, "other_form", "label"), ({}, "missing_answer", "text")],
    ),
    (
        *("best_worst", {}, {"best": "d", "worst": "a"}),
        [
            ({"best": "a", "worst": "a"}, "same_output", "worst"),
            ({"best": "a", "worst": "h"}, "no_such_output", "worst"),
            ({"best": "a"}, "missing_answer", "worst"),
        ],
    ),
    (
        *("pairwise", {"ties": False}, {"choice": "b"}),
        [({"choice": "tie"}, "no_ties", "choice"), ({}, "missing_answer", "choice")],
    ),
]


@pytest.mark.parametrize(("form", "asked", "good", "bad"), FORMS, ids=[one[0] for one in FORMS])
def test_each_form(
    live: Live,
    made: list[str],
    form: str,
    asked: dict[str, Any],
    good: dict[str, Any],
    bad: list[tuple[dict[str, Any], str, str]],
) -> None:
    study = Study(live.base, made, form=form, overlap=1, items=2, **asked)
    assert study.made["progress"]["items"] == 2
    ada = study.person()
    item = ada.next()["item"]
    for answer, code, param in bad:
        assert refused(ada.post("votes", item=item["id"], **answer)) == (code, param)
    assert ada.post("votes", item=item["id"], **good).status_code == 200
    back = ada.post("undo").json()
    assert {name: back["previous"][name] for name in good} == good
    assert back["item"] | {"lease_until": ""} == item | {"lease_until": ""}
    assert ada.post("votes", item=item["id"], **good).status_code == 200
    (vote,) = study.votes()
    if form == "best_worst":  # stored in the item's order: the systems that were meant
        said = {name: vote["systems"]["abcd".index(vote["answer"][name])][7:] for name in good}
        assert said == {"best": item["outputs"][3][0], "worst": item["outputs"][0][0]}
    elif form != "pairwise":
        assert vote["answer"] == good
        assert item["output"].startswith(vote["systems"][0][7:])


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"form": "likert"}, "no_criteria", "criteria"),
        ({"form": "likert", "criteria": [{"name": "x"}]}, "no_scale", "criteria"),
        ({"form": "label", "labels": ["x"]}, "no_labels", "labels"),
        ({"form": "label", "labels": ["x", "y", "x"]}, "same_label", "labels"),
        ({"criteria": [{"name": "x"}, {"name": "x"}]}, "same_criterion", "criteria"),
        ({"form": "edit", "items": "most_informative"}, "not_pairwise", "items"),
        ({"ties": False, "equal_outputs": "control"}, "no_controls", "equal_outputs"),
        (
            {"gold": [{"outputs": ["x"], "expected": {"choice": "a"}}]},
            *("other_count", "gold[0].outputs"),
        ),
        (
            {"gold": [{"outputs": ["x", "y"], "expected": {"label": "a"}}]},
            *("missing_answer", "gold[0].expected.choice"),
        ),
        ({"form": "likert", "criteria": [{"name": "x", "scale": [5, 1]}]}, "bad_scale", None),
        ({"examples": [EXAMPLE]}, "other_count", "examples[0].outputs"),
    ],
)
def test_what_does_not_go_together_is_told(
    live: Live, made: list[str], asked: dict[str, Any], code: str, param: str | None
) -> None:
    body = {"name": "no", "evaluations": made, "form": "pairwise"} | asked
    answer = httpx.post(f"{live.base}/v1/annotation_projects", json=body)
    told = refused(answer)
    assert told == (code, param or "criteria[0]")


def test_evaluations_that_cannot_be_compared_are_told(
    live: Live, made: list[str], database_url: str
) -> None:
    def asked(*evaluations: str) -> httpx.Response:
        body = {"name": "no", "evaluations": evaluations, "form": "pairwise"}
        return httpx.post(f"{live.base}/v1/annotation_projects", json=body)

    engine = connect(database_url)
    with engine.begin() as db:
        empty = evaluation(db, "empty", ["", " ", "\n"])
        twin = evaluation(db, "system-0", ["x", "y", "z"])
    engine.dispose()
    assert refused(asked(made[0])) == ("too_few_systems", "evaluations")
    assert refused(asked(made[0], twin)) == ("same_system", "evaluations[1]")
    assert refused(asked(made[0], made[0])) == ("same_system", "evaluations[1]")
    answer = asked(made[0], empty)
    assert refused(answer) == ("nothing_to_judge", "evaluations")
    assert "3 without_output" in answer.text
    unknown = asked(made[0], "eval_none").json()["error"]
    assert (unknown["code"], unknown["param"]) == ("evaluation_not_found", "evaluations[1]")


def test_tuples_meet_about_equally_often() -> None:
    systems = [f"s{at}" for at in range(7)]
    samples = [
        SampleOutputs("ds", str(at), None, {name: f"{name} {at}" for name in systems})
        for at in range(70)
    ]
    made = [*tuples(samples, 4, Random(0), Counter())]
    shown = Counter(name for one in made for name in one.systems)
    met = Counter(pair for one in made for pair in combinations(one.systems, 2))
    assert set(shown.values()) == {40}  # 70 tuples of 4, over 7 systems
    assert max(met.values()) - min(met.values()) <= 1  # 20 on average
    assert len(met) == 21
    alike = SampleOutputs("ds", "alike", None, dict.fromkeys(systems[:3], "same") | {"s4": "x"})
    some = SampleOutputs("ds", "some", None, dict(list(samples[0].outputs.items())[:3]))
    left_out: Counter[str] = Counter()
    (only,) = tuples([alike, some], 4, Random(0), left_out)
    assert (only.systems, left_out) == (("s0", "s1", "s2"), {"equal_outputs": 1})


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("Does it help?", "Does it help? From 1 (worst) to 5 (best)."),
        ("It helps.", "It helps. From 1 (worst) to 5 (best)."),
        ("help", "help; from 1 (worst) to 5 (best)"),
        (None, "from 1 (worst) to 5 (best)"),
    ],
)
def test_a_criterion_reads_well(description: str | None, said: str) -> None:
    criterion = CriterionIn(name="help", scale=(1, 5), description=description)
    body = AnnotationProjectIn(
        name="x", evaluations=["eval_a"], form="likert", criteria=[criterion]
    )
    written = instructions(body.model_dump(mode="json"))
    assert f"- **help**: {said}\n" in written


def test_a_program_annotates_with_the_client(live: Live, made: list[str]) -> None:
    with Client(live.base) as assay:
        project = assay.create_annotation_project(
            "полезность",
            made[:2],
            "likert",
            criteria=[HELPFUL],
            overlap=1,
            language="ru",
            examples=[EXAMPLE],
        )
        token = assay.add_annotator(project.id, "Ада").token
        task = assay.annotation_task(token)
        assert "Оцените ответ по каждому критерию" in task.instructions
        assert "5: solves it" in task.instructions
        assert "- **Ответ**: # Hi\n- **Что сказать**: helpfulness 2" in task.instructions
        while (item := assay.next_item(token).item) is not None:
            assay.extend_lease(token, item.id)
            assert assay.vote(token, item.id, ratings={"helpfulness": 3}).done
        assay.undo_vote(token)
        skipped = assay.next_item(token).item
        assert skipped is not None
        assert assay.skip_item(token, skipped.id, "?").completion_code == project.completion_code
        assert [one.votes for one in assay.annotators(project.id)] == [5]
        assert {one.answer["ratings"]["helpfulness"] for one in assay.annotation_votes(project.id)}
        assert assay.close_annotation_project(project.id).status == "closed"
        assert project.id in {one.id for one in assay.annotation_projects()}
        assert assay.delete_annotation_project(project.id).deleted
