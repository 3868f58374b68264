"""Ratings, tuples, labels and edits over HTTP: the numbers are those of the library and by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import krippendorff
import numpy as np
import pytest
from sqlalchemy import Engine

from assay import Client
from metrics.core.rows import Ints
from metrics.statistics import best_worst
from metrics.statistics.annotations import Annotations
from metrics.statistics.labels import dawid_skene, shares
from metrics.statistics.ratings import Ratings, adjusted, means
from service.db.engine import connect
from tests.known import known
from tests.service.annotation.people import Study, evaluations_of
from tests.service.live import Live
from tests.service.vote_analyses.voting import by_system, vote_on_all

SCALE = [1, 7]
CRITERIA = [{"name": "help", "scale": SCALE}, {"name": "tone", "scale": SCALE}]
FORMS: list[dict[str, Any]] = [
    {"form": "pairwise"},
    {"form": "likert", "criteria": CRITERIA},
    {"form": "best_worst"},
    {"form": "label", "labels": ["good", "bad"]},
    {"form": "edit"},
]


@pytest.fixture(scope="module")
def db(live: Live, database_url: str) -> Iterator[Engine]:
    """The database of `live`."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def places(rows: list[dict[str, Any]], name: str) -> list[int]:
    """Where each row's field stands among all its values."""
    known = sorted({one[name] for one in rows})
    return [known.index(one[name]) for one in rows]


def columns(study: Study) -> tuple[list[dict[str, Any]], Ints, Ints, Ints]:
    """All votes, with the places of their systems, samples and annotators."""
    rows = [one | {"system": one["systems"][0]} for one in study.votes()]
    system, sample, annotator = (
        np.array(places(rows, name), np.int64) for name in ("system", "sample", "annotator")
    )
    return rows, system, sample, annotator


def rated_of(rows: list[dict[str, Any]], item: str) -> dict[str, list[int]]:
    """By criterion, the ratings of an item."""
    own = [one["answer"]["ratings"] for one in rows if one["item"] == item]
    return {name: [one[name] for one in own] for name in own[0]}


@pytest.mark.parametrize("asked", FORMS, ids=[one["form"] for one in FORMS])
def test_no_votes_are_nulls_with_a_reason(live: Live, db: Engine, asked: dict[str, Any]) -> None:
    study = Study(live.base, evaluations_of(db, 2, systems=3), **asked)
    found, items = study.get("/analysis"), study.get("/items")["data"]
    assert len(items) == study.made["progress"]["items"]
    for one in items:
        assert (one["votes"], one["sample"] in {"s0", "s1"}) == (0, True)
        assert one["prompt"] == f"Say {one['sample'][1:]}"
        assert all(one[name] is None for name in ("consensus", "disagreement", "shares", "means"))
    assert (found["votes"], found["annotators"], found["warnings"]) == (0, [], ["no votes yet"])
    assert found["controlled"]["reason"]
    for one in found["agreement"].values():
        assert not isinstance(one, dict) or (one["value"] is None and one["reason"])
    for one in found["systems"]:
        assert one["strength"] is one["rank"] is one["win_rate"] is None
        assert one["reason"] == "no votes yet"


def test_ratings_by_each_criterion(live: Live, db: Engine) -> None:
    evaluations = evaluations_of(db, 6, systems=2)
    study = Study(live.base, evaluations, form="likert", criteria=CRITERIA, overlap=2)

    def answer(severe: int) -> Any:
        def rated(item: dict[str, Any]) -> dict[str, Any]:
            system, sample = int(item["output"][0]), int(item["output"][-1])
            help = 5 - 2 * system + (sample + severe) % 2 - severe
            return {"ratings": {"help": help, "tone": 1 + (sample * 5 + severe) % 7}}

        return rated

    vote_on_all(study.person("kind"), answer(0))
    one_person = study.get("/analysis")
    assert by_system(one_person["systems"])["system-0"]["strength"] == 5.5
    assert one_person["controlled"]["reason"]
    assert one_person["agreement"]["units"] == 0
    vote_on_all(study.person("severe"), answer(1))

    rows, system, sample, annotator = columns(study)
    for name in ("help", "tone"):
        found = study.get("/analysis", criterion=name)
        assert (found["criterion"], found["criteria"]) == (name, ["help", "tone"])
        value = np.array([one["answer"]["ratings"][name] for one in rows], np.float64)
        told = Ratings.of(system, sample, annotator, value)
        wanted, fair = means(told), adjusted(told).means
        controlled = by_system(found["controlled"]["systems"])
        for at, one in by_system(found["systems"]).items():
            place = int(at[-1])
            ends = [wanted.low[place], wanted.high[place]]
            assert one["strength"] == pytest.approx(wanted.values[place], abs=1e-12)
            assert one["interval"] == pytest.approx(ends, abs=1e-12, nan_ok=True)
            assert controlled[at]["strength"] == pytest.approx(fair.values[place], abs=1e-12)
        table = np.full((2, 12), np.nan)
        table[annotator, 6 * system + sample] = value
        alpha = krippendorff.alpha(table, level_of_measurement="ordinal")
        assert found["agreement"]["krippendorff_alpha"]["value"] == pytest.approx(alpha)
    for one in study.get("/items")["data"]:
        said = rated_of(rows, one["id"])
        assert one["votes"] == len(said["help"]) == 2
        assert one["means"] == {name: np.mean(of) for name, of in said.items()}
        assert one["deviations"] == {name: pytest.approx(np.std(of)) for name, of in said.items()}
        assert one["disagreement"] == np.mean([of[0] != of[1] for of in said.values()])
        assert one["consensus"] is one["shares"] is one["posterior"] is None
    people = {one["name"]: one for one in study.get("/analysis")["annotators"]}
    assert people["severe"]["severity"]["value"] == pytest.approx(1.0)
    assert people["severe"]["outlier"] is None  # of two nobody can say who is odd
    (pair,) = study.get("/analysis")["pairs"]
    assert (pair["difference"], pair["items"]) == (2.0, 6)

    refused = httpx.get(f"{study.url}/analysis", params={"criterion": "tome"})
    assert refused.status_code == 422
    assert "'tone'" in refused.json()["error"]["message"]


def test_tuples(live: Live, db: Engine) -> None:
    evaluations = evaluations_of(db, 8, systems=4)
    study = Study(live.base, evaluations, form="best_worst", tuple_size=3, overlap=2)
    letters = "abc"

    def answer(turned: int) -> Any:
        def chosen(item: dict[str, Any]) -> dict[str, str]:
            odd = turned and item["outputs"][0][-1] == "3"
            order = sorted(range(3), key=lambda at: item["outputs"][at], reverse=bool(odd))
            return {"best": letters[order[0]], "worst": letters[order[2]]}

        return chosen

    for at in range(2):
        vote_on_all(study.person(f"person-{at}"), answer(at))
    found = study.get("/analysis")
    rows, _, _, annotator = columns(study)
    shown = np.array([[int(name[-1]) for name in one["systems"]] for one in rows])
    best, worst = (
        np.array([letters.index(one["answer"][name]) for one in rows]) for name in ("best", "worst")
    )
    choices = best_worst.Choices.of(shown, best, worst, annotator)
    wanted, counts = best_worst.strengths(choices).strengths, best_worst.counts(choices)
    for name, one in by_system(found["systems"]).items():
        at = int(name[-1])
        assert one["strength"] == pytest.approx(wanted.values[at], abs=1e-9)
        assert one["measures"]["best_less_worst"]["value"] == pytest.approx(counts.values[at])
        assert one["votes"] == (shown == at).sum()
    assert found["systems"][0]["system"] == "system-0"
    assert found["systems"][0]["rank"] == 1
    for one in study.get("/items")["data"]:
        said = [vote["answer"] for vote in rows if vote["item"] == one["id"]]
        odd = one["sample"] == "s3"  # there one turned the order round
        assert one["disagreement"] == float(odd)
        share = [sum(vote["best"] == x for vote in said) / 2 for x in letters]
        assert list(one["shares"].values()) == share
        first = None if odd else letters[one["systems"].index(min(one["systems"]))]
        assert (one["consensus"], one["confidence"]) == (first, None if odd else 1.0)
    assert found["agreement"]["percent"]["value"] == pytest.approx(7 / 8)


def test_labels(live: Live, db: Engine, assay: Client) -> None:
    labels = ["good", "bad"]
    evaluations = evaluations_of(db, 8, systems=2)
    study = Study(live.base, evaluations, form="label", labels=labels, overlap=3)

    def answer(errs_on: str) -> Any:
        def said(item: dict[str, Any]) -> dict[str, str]:
            system, sample = item["output"][0], item["output"][-1]
            bad = (sample in "01" if system == "0" else sample in "12345") != (sample == errs_on)
            return {"label": labels[bad]}

        return said

    for name, errs_on in (("Ada", "-"), ("Bob", "6"), ("Eve", "7")):
        vote_on_all(study.person(name), answer(errs_on))
    found = study.get("/analysis")
    rows, system, sample, annotator = columns(study)
    value = np.array([labels.index(one["answer"]["label"]) for one in rows], np.float64)
    for name, one in by_system(found["systems"]).items():
        own = system == int(name[-1])
        told = shares(Annotations.of(sample[own], annotator[own], value[own]), 2)
        raw = [1 - value[own].mean(), value[own].mean()]
        assert [part["label"] for part in one["labels"]] == labels
        assert [part["share"]["value"] for part in one["labels"]] == pytest.approx(told.values)
        assert [part["raw"]["value"] for part in one["labels"]] == pytest.approx(raw)
        assert one["reason"] == "labels have no order: see the shares"
    model = dawid_skene(Annotations.of(8 * system + sample, annotator, value), 2)
    judged = list(assay.judged_items(study.made["id"]))
    assert len(judged) == 16
    paged = study.get("/items", limit=5, after=judged[4].id)
    assert [one["id"] for one in paged["data"]] == [one.id for one in judged[5:10]]
    assert paged["has_more"]
    back = study.get("/items", limit=3, order="desc", after=judged[2].id)
    assert [one["id"] for one in back["data"]] == [judged[1].id, judged[0].id]
    table = httpx.get(f"{study.url}/items", params={"format": "csv", "limit": 2})
    assert f"{study.url}/items?format=csv&limit=2&after={judged[1].id}" in table.headers["link"]
    head, first, _ = csv.reader(io.StringIO(table.text))
    assert dict(zip(head, first, strict=True))["consensus"] == judged[0].consensus
    refused = httpx.get(f"{study.url}/items", params={"after": "aitem_none"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "after")
    for item in judged:
        at = 8 * int(item.systems[0][-1]) + int(str(item.sample)[1:])
        assert item.posterior == pytest.approx(
            dict(zip(labels, model.posterior[at], strict=True)), abs=1e-6
        )
        assert item.consensus == labels[model.labels[at]]
        assert item.confidence == pytest.approx(model.posterior[at].max(), abs=1e-6)
        share = known(item.shares)["bad"]
        assert share == pytest.approx(value[8 * system + sample == at].mean())
        assert item.disagreement == pytest.approx(0 if share in {0, 1} else 2 / 3)
    people = {one["name"]: one["accuracy"] for one in found["annotators"]}
    assert people["Ada"] > max(people["Bob"], people["Eve"]) > 0.8


def test_edits(live: Live, db: Engine) -> None:
    evaluations = evaluations_of(db, 4, systems=2)  # each says 8 characters
    study = Study(live.base, evaluations, form="edit", overlap=1)

    def answer(item: dict[str, Any]) -> dict[str, str]:
        return {"text": item["output"] + ("!!" if item["output"][0] == "1" else "")}

    vote_on_all(study.person(), answer)
    found = study.get("/analysis")
    assert found["scale"] == "kept"
    kept, changed = by_system(found["systems"])["system-0"], by_system(found["systems"])["system-1"]
    assert (kept["strength"], kept["measures"]["changed"]["value"]) == (1.0, 0.0)
    assert changed["strength"] == pytest.approx(8 / 10)
    assert changed["measures"]["changed"]["value"] == 1.0
    assert (kept["rank"], changed["rank"]) == (1, 2)
    (pair,) = found["pairs"]
    assert pair["difference"] == pytest.approx(0.2)
    edited = study.get("/items")["data"]
    assert [(one["texts"], one["disagreement"]) for one in edited] == [(1, None)] * 8
