"""Datasets made of votes, and what is learned of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from assay import Client
from service.db.engine import connect
from service.vote_exchange.exports import is_held_out
from tests.service.annotation.people import Study, evaluations_of
from tests.service.live import Live
from tests.service.training.requests import QUICK, finished, scored, start

SAMPLES = 8
TAG = "exports"


@pytest.fixture(scope="module")
def made(live: Live, database_url: str) -> Iterator[list[str]]:
    """Evaluations of three systems, which say `0 says 5` for the sixth sample."""
    engine = connect(database_url)
    yield evaluations_of(engine, SAMPLES, systems=3, tag=TAG)
    engine.dispose()


def vote(study: Study, name: str, answer: Any) -> None:
    """All votes of one person: `answer` makes one of an item."""
    person = study.person(name)
    while (item := person.next()["item"]) is not None:
        voted = person.post("votes", item=item["id"], **answer(item))
        assert voted.status_code == 200, voted.text


def highest(item: dict[str, Any]) -> dict[str, str]:
    """Who prefers the later systems."""
    return {"choice": "a" if item["a"] > item["b"] else "b"}


def export(study: Study, **asked: Any) -> httpx.Response:
    body = {"kind": "preference", "name": f"of-{study.made['id']}"} | asked
    return httpx.post(f"{study.url}/export", json=body, timeout=60)


def records(study: Study, dataset: dict[str, Any]) -> list[dict[str, Any]]:
    url = f"{study.base}/v1/datasets/{dataset['id']}/records"
    return list(httpx.get(url, params={"limit": 1000}, timeout=60).json()["data"])


def test_votes_become_preferences_by_majority(live: Live, made: list[str]) -> None:
    study = Study(live.base, made[:2], overlap=3)
    assert export(study).json()["error"]["code"] == "nothing_to_learn"
    vote(study, "Ada", highest)
    vote(study, "Alan", highest)
    vote(study, "Eve", lambda item: {"choice": "a" if item["a"] < item["b"] else "b"})
    answer = export(study, held_out=0.25)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["votes"], told["annotators"], told["left_out"]) == (3 * SAMPLES, 3, {})
    trained, held = records(study, told["dataset"]), records(study, told["held_out"])
    assert told["held_out"]["name"] == told["dataset"]["name"] + "-held-out"
    assert len(trained) + len(held) == SAMPLES
    prompts = {one["prompt"].lower() for one in held}
    assert prompts == {f"say {at}" for at in range(SAMPLES) if is_held_out(f"say {at}", 0.25)}
    assert told["held_out_reason"] is None
    none = export(study, held_out=0.001, name="none").json()
    assert (none["held_out"], none["dataset"]["size"]) == (None, SAMPLES)
    assert "share 0.001" in none["held_out_reason"]
    assert not prompts & {one["prompt"].lower() for one in trained}
    hashes = {one["hash"] for one in study.get("/annotators")["data"]}
    for one in [*trained, *held]:
        at = one["prompt"].removeprefix("Say ")
        assert (one["chosen"], one["rejected"]) == (f"1 says {at}", f"0 says {at}")
        about = one["metadata"]
        assert (about["chosen_system"], about["votes"]) == ("system-1", 3)
        assert one["margin"] == pytest.approx(1 / 3, abs=1e-6)
        assert {*about["annotators"]} == hashes
        assert about["project"] == study.made["id"]
    again = export(study, held_out=0.25)
    assert (again.status_code, again.json()) == (200, told)
    (eve,) = [one for one in study.get("/annotators")["data"] if one["name"] == "Eve"]
    agreed = export(study, name="agreed", exclude_annotators=[eve["id"]]).json()
    assert (agreed["votes"], agreed["annotators"]) == (2 * SAMPLES, 2)
    assert agreed["left_out"] == {"excluded_votes": SAMPLES}
    for one in records(study, agreed["dataset"]):
        assert (one["margin"], one["metadata"]["votes"]) == (1, 2)
        assert eve["hash"] not in one["metadata"]["annotators"]
    refused = export(study, name="agreed", exclude_annotators=["ann_none"]).json()["error"]
    assert (refused["code"], refused["param"]) == ("unknown_annotator", "exclude_annotators")
    small = export(study, min_margin=0.5, name="small").json()["error"]
    assert (small["code"], small["param"]) == ("nothing_to_learn", "project")
    assert f"{SAMPLES} small_margin" in small["message"]


def test_ties_are_dropped_or_kept_both_ways(live: Live, made: list[str]) -> None:
    study = Study(live.base, made[:2], overlap=2)
    vote(study, "Ada", highest)
    # of even samples: the other way round, so that nobody wins
    vote(
        study,
        "Eve",
        lambda item: (
            highest(item)
            if int(item["prompt"].removeprefix("Say ")) % 2
            else {"choice": "a" if item["a"] < item["b"] else "b"}
        ),
    )
    dropped = export(study, held_out=0).json()
    assert (dropped["dataset"]["size"], dropped["left_out"]) == (
        SAMPLES // 2,
        {"tie": SAMPLES // 2},
    )
    assert dropped["held_out"] is None
    kept = export(study, held_out=0, ties="keep").json()
    both = [one for one in records(study, kept["dataset"]) if not one["margin"]]
    assert len(both) == SAMPLES
    texts = {(one["chosen"], one["rejected"]) for one in both}
    assert texts == {(b, a) for a, b in texts}
    tested = export(study, held_out=0.5, ties="keep").json()["held_out"]
    assert all(one["margin"] for one in records(study, tested))


def test_other_forms_compare_outputs_too(live: Live, made: list[str]) -> None:
    best = Study(live.base, made, form="best_worst", tuple_size=3, overlap=1)
    order = "abc"

    def extremes(item: dict[str, Any]) -> dict[str, str]:
        ranked = sorted(order, key=lambda letter: item["outputs"][order.index(letter)])
        return {"best": ranked[-1], "worst": ranked[0]}

    vote(best, "Ada", extremes)
    rated = Study(
        live.base,
        made,
        form="likert",
        overlap=1,
        criteria=[{"name": "helpfulness", "scale": [1, 5]}, {"name": "other", "scale": [0, 10]}],
    )
    vote(
        rated,
        "Ada",
        lambda item: {"ratings": {"helpfulness": 1 + int(item["output"][0]), "other": 5}},
    )
    for study, margin in ((best, 1.0), (rated, 0.25)):
        told = export(study, held_out=0, criterion="helpfulness" if study is rated else None).json()
        pairs = records(study, told["dataset"])
        assert len(pairs) == 3 * SAMPLES
        for one in pairs:
            assert one["chosen"] > one["rejected"]  # of the same sample, by the system's number
            apart = int(one["chosen"][0]) - int(one["rejected"][0])
            assert one["margin"] == (1.0 if study is best else margin * apart)
    mean = records(rated, export(rated, held_out=0, name="mean").json()["dataset"])
    assert {one["margin"] for one in mean} == {0.125, 0.25}


def test_edits_are_imitated_and_preferred(live: Live, made: list[str]) -> None:
    study = Study(live.base, made[:1], form="edit", overlap=1)
    assert export(study, kind="sft").json()["error"]["code"] == "nothing_to_learn"

    def better(item: dict[str, Any]) -> dict[str, str]:
        even = int(item["prompt"].removeprefix("Say ")) % 2 == 0
        return {"text": item["output"] + "!" if even else item["output"]}

    vote(study, "Ada", better)
    edits = export(study, kind="sft", held_out=0).json()
    found = records(study, edits["dataset"])
    assert (edits["dataset"]["kind"], len(found)) == ("sft", SAMPLES)
    assert {one["completion"].endswith("!") for one in found if one["metadata"]["edited"]} == {True}
    chosen = export(study, name="edited", held_out=0).json()
    half = SAMPLES // 2
    assert (chosen["dataset"]["size"], chosen["left_out"]) == (half, {"equal_outputs": half})
    (hash,) = {one["metadata"]["annotators"][0] for one in found}
    assert [one["hash"] for one in study.get("/annotators")["data"]] == [hash]
    assert hash in found[0]["id"]


@pytest.mark.parametrize(
    ("form", "asked", "code", "param"),
    [
        ({"form": "pairwise"}, {"kind": "sft"}, "other_form", "kind"),
        ({"form": "label", "labels": ["x", "y"]}, {}, "other_form", "kind"),
        ({"form": "edit"}, {"kind": "sft", "ties": "keep"}, "not_of_sft", "ties"),
        ({"form": "pairwise"}, {"criterion": "x"}, "other_form", "criterion"),
        ({"form": "pairwise"}, {"name": "x" * 195}, "too_long", "name"),
        (
            {"form": "likert", "criteria": [{"name": "help", "scale": [1, 2]}]},
            {"criterion": "helped"},
            *("unknown_criterion", "criterion"),
        ),
    ],
)
def test_what_cannot_be_exported_is_told(
    live: Live,
    made: list[str],
    form: dict[str, Any],
    asked: dict[str, Any],
    code: str,
    param: str,
) -> None:
    error = export(Study(live.base, made, **form), **asked).json()["error"]
    assert (error["code"], error["param"]) == (code, param)


def test_who_is_deleted_is_in_no_later_version(live: Live, made: list[str]) -> None:
    """The version that was made stays as it is, and says whose votes it holds."""
    study = Study(live.base, made[:2], overlap=2)
    vote(study, "Ada", highest)
    vote(study, "Eve", highest)
    assert [one["datasets"] for one in study.get("/annotators")["data"]] == [[], []]
    first, halves = export(study, held_out=0).json(), export(study, held_out=0.5).json()
    holding = [
        {name: made[name] for name in ("id", "name", "version")}
        for made in (first["dataset"], halves["dataset"], halves["held_out"])
    ]
    study.person("Late")
    by_name = {one["name"]: one for one in study.get("/annotators")["data"]}
    gone = httpx.delete(f"{study.url}/annotators/{by_name['Eve']['id']}", params={"data": True})
    assert (gone.json()["votes"], gone.json()["datasets"]) == (SAMPLES, holding)
    left = {one["name"]: one["datasets"] for one in study.get("/annotators")["data"]}
    assert left == {"Ada": holding, "Late": []}
    late = by_name.pop("Late")["id"]
    revoked = httpx.delete(f"{study.url}/annotators/{late}").json()
    assert (revoked["deleted"], revoked["datasets"]) == (False, [])
    second = export(study, held_out=0).json()
    assert second["dataset"]["version"] == halves["dataset"]["version"] + 1
    assert (second["votes"], second["annotators"]) == (SAMPLES, 1)

    def people(told: dict[str, Any]) -> set[str]:
        found = records(study, told["dataset"])
        return {hash for one in found for hash in one["metadata"]["annotators"]}

    assert people(first) == {one["hash"] for one in by_name.values()}
    assert people(second) == {by_name["Ada"]["hash"]}


@pytest.mark.slow
def test_a_reward_model_of_votes_is_held_to_people(live: Live, made: list[str]) -> None:
    study = Study(live.base, made, overlap=1, per_annotator=1000)
    vote(study, "Ada", highest)
    with Client(live.base) as assay:
        told = assay.export_annotation_project(
            study.made["id"], "preference", "prefs-of-people", held_out=0.3
        )
        assert told.held_out is not None
        job = start(
            assay,
            "reward",
            dataset=told.dataset.name,
            evaluation={"dataset": told.held_out.name, "metrics": ["pair_accuracy"]},
            options=QUICK | {"max_steps": 40, "save_steps": 40},
        )
        done = finished(assay, job)
        assert done["status"] == "succeeded", done["error"]
        assert done["warnings"] == []  # nothing that is tested on was trained on
        (last,) = scored(assay, job)
    scores = {one["name"]: one for one in last["scores"]}
    accuracy, error = scores["pair_accuracy"], scores["pair_calibration_error"]
    low, high = accuracy["interval"]
    assert 0 <= low <= accuracy["value"] <= high <= 1
    assert accuracy["value"] > 0.8  # the first letter tells
    assert low < high
    assert 0 <= error["value"] <= 1
    assert error["interval"] is None  # none would hold


def test_prompts_decide_alone_whether_they_are_held_out() -> None:
    prompts = [f"prompt {at}" for at in range(1000)]
    held = {one for one in prompts if is_held_out(one, 0.1)}
    assert abs(len(held) - 100) < 4 * (1000 * 0.1 * 0.9) ** 0.5  # binomial, four deviations
    assert held < {one for one in prompts if is_held_out(one, 0.2)}
    assert not any(is_held_out(one, 0) for one in prompts)
