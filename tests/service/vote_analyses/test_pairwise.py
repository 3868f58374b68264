"""Pairwise votes over HTTP: planted strengths come back, with who cast them at random."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import combinations
from math import exp
from random import Random
from typing import Any

import evalica
import httpx
import numpy as np
import pytest
from sqlalchemy import Engine, text

from assay import Client
from metrics.statistics.strengths import strengths
from metrics.statistics.votes import Votes
from metrics.statistics.win_rates import win_rates
from service.db.engine import connect
from tests.service.annotation.people import Study, evaluation, evaluations_of
from tests.service.live import Live
from tests.service.vote_analyses.voting import by_system, vote_on_all

PLANTED = (1.5, 0.0, -1.5)  # of system-0, …, in log-odds
TIE = 0.5  # ν of Davidson's model
WINNERS = {1: evalica.Winner.X, 0: evalica.Winner.Draw, -1: evalica.Winner.Y}


@pytest.fixture(scope="module")
def db(live: Live, database_url: str) -> Iterator[Engine]:
    """The database of `live`."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def honest(random: Random, item: dict[str, Any]) -> dict[str, str]:
    """A choice by the planted strengths; outputs begin with their system's number."""
    eta = PLANTED[int(item["a"][0])] - PLANTED[int(item["b"][0])]
    weights = (exp(eta / 2), exp(-eta / 2), TIE)
    return {"choice": random.choices(("a", "b", "tie"), weights)[0]}


def by_hand(votes: list[dict[str, Any]]) -> Votes:
    """The votes on items as `GET …/votes` has them."""
    rows = [one for one in votes if one["kind"] == "item"]
    names = sorted({name for one in rows for name in one["systems"]})
    shown = [[names.index(one["systems"][place]) for place in one["shown"]] for one in rows]
    outcome = []
    for one in rows:
        said = one["answer"]["choice"]
        outcome.append(0 if said == "tie" else 1 if "ab".index(said) == one["shown"][0] else -1)
    return Votes.of(
        names,
        [one[0] for one in shown],
        [one[1] for one in shown],
        outcome,
        annotators=[one["annotator"] for one in rows],
        items=[one["dataset"] + one["sample"] for one in rows],
    )


def test_planted_strengths_come_back_and_who_clicks_stands_out(live: Live, db: Engine) -> None:
    study = Study(live.base, evaluations_of(db, 8, systems=3), overlap=5, per_annotator=24)
    random = Random(0)
    for at in range(4):
        vote_on_all(study.person(f"person-{at}"), lambda item: honest(random, item))
    found = study.get("/analysis")
    assert (found["form"], found["scale"], found["votes"]) == ("pairwise", "log_odds", 96)

    votes = by_hand(study.votes())
    told, rates = strengths(votes), win_rates(votes)
    systems = by_system(found["systems"])
    for at, name in enumerate(votes.systems):
        one = systems[name]
        assert one["strength"] == pytest.approx(told.values[at], abs=1e-9)
        assert one["interval"] == pytest.approx([told.low[at], told.high[at]], abs=1e-9)
        assert one["win_rate"] == pytest.approx(rates.values[at], abs=1e-12)
        assert told.ranks is not None
        assert one["rank_interval"] == [told.ranks.best[at], told.ranks.worst[at]]
        assert abs(one["strength"] - PLANTED[at]) < one["interval"][1] - one["interval"][0]
    assert [one["rank"] for one in found["systems"]] == [1, 2, 3]
    winners = [WINNERS[one] for one in votes.outcome.tolist()]
    newman = evalica.newman(votes.first.tolist(), votes.second.tolist(), winners)
    theirs = np.log(newman.scores.sort_index().to_numpy())
    # the prior draws by about 1 / 9 of a vote's information, of which a system has some 10
    np.testing.assert_allclose(told.values, theirs - theirs.mean(), atol=0.2)

    given = study.votes()
    for one in study.get("/items")["data"]:
        said = [x["answer"]["choice"] for x in given if x["item"] == one["id"]]
        shares = {choice: said.count(choice) / 4 for choice in ("a", "b", "tie")}
        most = [choice for choice, share in shares.items() if share == max(shares.values())]
        assert (one["votes"], one["shares"]) == (4, shares)
        assert one["consensus"] == (most[0] if len(most) == 1 else None)
        assert one["confidence"] == (max(shares.values()) if len(most) == 1 else None)
        unlike = sum(a != b for a, b in combinations(said, 2)) / 6
        assert one["disagreement"] == pytest.approx(unlike)
    assert found["components"] == [["system-0", "system-1", "system-2"]]
    assert sum(one["wins"] + one["ties"] + one["losses"] for one in found["pairs"]) == 96
    controls = {one["control"] for one in found["controlled"]["controls"]}
    assert "shown_first" in controls
    assert [one["better"] for one in found["more_votes"]] == ["system-0", "system-1"]
    assert found["agreement"]["units"] == 24
    assert found["agreement"]["krippendorff_alpha"]["interval"] is not None

    vote_on_all(study.person("clicker"), lambda item: {"choice": "a"})
    people = {one["name"]: one for one in study.get("/analysis")["annotators"]}
    assert people["clicker"]["outlier"] is True
    assert "shown first in 100% of votes" in " ".join(people["clicker"]["why"])
    assert people["clicker"]["first_shown"]["value"] == 1.0
    clicker = people["clicker"]["annotator"]
    honest_alone = study.get("/analysis", exclude=clicker)
    assert honest_alone["left_out"].pop("annotators") == [clicker]
    assert honest_alone["left_out"].pop("excluded") == 24
    assert honest_alone["systems"] == found["systems"]
    assert len(honest_alone["annotators"]) == 4
    assert study.get("/analysis")["votes"] == 24 + honest_alone["votes"]
    both = f"{clicker}, {people['person-0']['annotator']}"
    assert study.get("/analysis", exclude=both)["votes"] == 72
    assert {one["votes"] for one in study.get("/items", exclude=clicker)["data"]} == {4}
    for path in ("/analysis", "/items"):
        refused = httpx.get(study.url + path, params={"exclude": f"{clicker},ann_none"})
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, "exclude")
        assert "'ann_none'" in refused.json()["error"]["message"]
    alphas = {name: one["alpha"]["value"] for name, one in people.items()}
    assert alphas.pop("clicker") < max(alphas.values())
    with Client(live.base) as assay:
        typed = assay.annotation_analysis(study.made["id"])
        assert typed.systems[0].system == "system-0"
        assert typed.agreement.krippendorff_alpha.value is not None


def test_gold_controls_and_repeats_are_of_people_alone(live: Live, db: Engine) -> None:
    gold = [
        {"prompt": f"{n}?", "outputs": [f"1 {n}", f"0 {n}"], "expected": {"choice": "b"}}
        for n in range(4)
    ]
    asked = {"gold": gold, "gold_rate": 0.5, "repeats": 0.4, "equal_outputs": "control"}
    with db.begin() as connection:
        same = ["= the same"] * 3
        twins = [
            evaluation(connection, f"twin-{at}", [*(f"{at} says {n}" for n in range(9)), *same])
            for at in range(2)
        ]
    study = Study(live.base, twins, overlap=1, per_annotator=40, **asked)

    def answer(item: dict[str, Any]) -> dict[str, str]:
        if item["a"] == item["b"]:
            return {"choice": "tie"}
        return {"choice": "a" if item["a"] < item["b"] else "b"}

    vote_on_all(study.person("Ada"), answer)
    found = study.get("/analysis")
    kinds = [one["kind"] for one in study.votes()]
    assert found["votes"] == kinds.count("item") == 9
    aside = {kind: kinds.count(kind) for kind in ("gold", "control", "repeat")}
    assert found["left_out"] == aside | {"excluded": 0, "annotators": []}
    assert found["left_out"]["control"] == 3
    (pair,) = found["pairs"]
    assert (pair["wins"], pair["ties"], pair["losses"], pair["votes"]) == (9, 0, 0, 9)
    (ada,) = found["annotators"]
    assert (ada["votes"], ada["gold"]["value"], ada["control"]["value"]) == (9, 1.0, 1.0)
    assert ada["gold"]["n"] == kinds.count("gold") > 0
    # a single person agrees with nobody, and stands out by the side alone, by chance
    assert all("shown first" in why for why in ada["why"])
    assert ada["outlier"] is (True if ada["why"] else None)
    assert found["agreement"]["krippendorff_alpha"] == {
        "value": None,
        "interval": None,
        "reason": "no item has the votes of two people: nobody can be compared",
    }
    assert any("a single annotator" in one for one in found["warnings"])


def test_systems_that_no_votes_connect_have_no_rank(live: Live, db: Engine) -> None:
    with db.begin() as connection:
        two = [
            evaluation(connection, f"{tag}-{at}", [f"{at} {tag} {n}" for n in range(4)], tag)
            for tag in ("left", "right")
            for at in range(2)
        ]
    study = Study(live.base, two, overlap=2)
    for name in ("Ada", "Bob"):
        vote_on_all(study.person(name), lambda item: {"choice": "ab"[item["a"] > item["b"]]})
    found = study.get("/analysis")
    assert found["components"] == [["left-0", "left-1"], ["right-0", "right-1"]]
    systems = by_system(found["systems"])
    assert systems["left-0"]["strength"] > 0 > systems["left-1"]["strength"]
    for one in found["systems"]:
        assert one["rank"] is one["rank_interval"] is None
        assert "nobody has a rank" in one["reason"]
    apart = next(
        one for one in found["pairs"] if (one["first"], one["second"]) == ("left-0", "right-0")
    )
    assert (apart["votes"], apart["difference"], apart["p_value"]) == (0, None, None)
    assert len(found["more_votes"]) == 2  # one in each group


def test_what_cannot_be_asked_is_told(live: Live, db: Engine) -> None:
    study = Study(live.base, evaluations_of(db, 2))
    refused = httpx.get(f"{study.url}/analysis", params={"criterion": "tone"})
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "no_criteria"
    unknown = httpx.get(f"{live.base}/v1/annotation_projects/annproj_none/analysis")
    assert unknown.status_code == 404


def cast(db: Engine, study: Study, people: list[str], field: str, values: list[str]) -> None:
    """All votes of a project at once: the second of the values on every third item, whoever is
    asked, else the first."""
    query = text(
        "INSERT INTO annotation_votes "
        "(id, project_id, item_id, slot_id, annotator_id, kind, answer, shown) "
        "SELECT 'vote_' || id, project_id, item_id, id, "
        "(CAST(:people AS text[]))[number + 1], 'item', jsonb_build_object(CAST(:field AS text), "
        "(CAST(:values AS text[]))[CASE position % 3 WHEN 0 THEN 2 ELSE 1 END]), "
        "ARRAY[position % 2, 1 - position % 2] FROM annotation_slots WHERE project_id = :id"
    )
    given = {"people": people, "id": study.made["id"], "field": field, "values": values}
    with db.begin() as connection:
        connection.execute(query, given)


def test_many_votes_are_analysed_by_a_worker_and_once(live: Live, db: Engine) -> None:
    evaluations = evaluations_of(db, 350, systems=2)
    labels = ["right", "wrong"]
    labelled = Study(live.base, evaluations, form="label", labels=labels, overlap=2)
    cast(db, labelled, [labelled.annotator()["id"] for _ in range(2)], "label", labels)
    items = labelled.get("/items", limit=6)["data"]
    assert [one["consensus"] for one in items] == ["wrong", "right", "right"] * 2
    assert all(0.99 < one["confidence"] <= 1 == sum(one["shares"].values()) for one in items)
    study = Study(live.base, evaluations, overlap=3)
    people = [study.annotator(f"person-{at}")["id"] for at in range(3)]
    cast(db, study, people, "choice", ["a", "b"])
    found = study.get("/analysis")
    assert found["votes"] == 1050
    assert found["systems"][0]["system"] == "system-0"
    assert found["systems"][0]["win_rate"] == pytest.approx(1 - 117 / 350)
    assert found["agreement"]["percent"]["value"] == 1.0
    without = study.get("/analysis", exclude=people[0])
    assert (without["votes"], without["left_out"]["excluded"]) == (700, 350)
    begun = time.perf_counter()
    assert study.get("/analysis") == found
    assert time.perf_counter() - begun < 1.0  # it is kept as long as the same votes stand
    httpx.delete(f"{study.url}/annotators/{people[0]}", params={"data": True})
    assert study.get("/analysis")["votes"] == 700


def test_imported_votes_are_analysed_as_others_are(live: Live) -> None:
    columns = "question_id,model_a,model_b,winner,judge,response_a,response_b\n"
    rows = [
        f"q{at},good,poor,{'model_a' if at % 4 else 'tie'},p{at % 3},x{at},y{at}\n"
        for at in range(12)
    ]
    made = httpx.post(
        f"{live.base}/v1/annotation_projects/imports",
        params={"name": "log"},
        content=(columns + "".join(rows)).encode(),
        headers={"content-type": "application/octet-stream"},
    )
    assert made.is_success, made.text
    with Client(live.base) as assay:
        found = assay.annotation_analysis(made.json()["id"])
    assert [one.system for one in found.systems] == ["good", "poor"]
    assert [one.win_rate for one in found.systems] == pytest.approx([10.5 / 12, 1.5 / 12])
