"""Evaluations that are legitimate and unusual: slices, pairs, names and pages at their edges."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest

from assay import AssayError, Client
from tests.known import known
from tests.service.evaluations.test_evaluations import scored
from tests.service.live import Live
from tests.service.texts import PAIRS, samples


def test_slices_are_groups_and_nothing_else(assay: Client) -> None:
    """Null is no value, a text as long as a page names no group, and neither stops the rest."""
    letters = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=20_000)
    given = samples(8)
    given[0]["metadata"] = {"lang": None}
    given[1]["metadata"] = {"lang": "".join(letters)}
    given[2]["metadata"] = {}
    done = scored(assay, dataset="sliced", samples=given, metrics=["chrf"], slices=["lang"])
    assert {score.slice: score.n for score in done.slices} == {"lang=en": 1, "lang=ru": 4}


def test_samples_that_are_not_the_same_are_not_compared(assay: Client) -> None:
    given = samples(8)
    one = scored(assay, dataset="first-set", samples=given, metrics=["chrf"])
    retold = [sample | {"references": ["Quite another reference."]} for sample in given]
    other = scored(assay, dataset="second-set", samples=retold, metrics=["chrf"])
    with pytest.raises(AssayError) as refused:
        assay.compare(one.id, other.id)
    assert (refused.value.status, refused.value.code) == (422, "different_samples")
    assert "first-set@1" in refused.value.message
    tagged = [sample | {"metadata": {"lang": "xx"}} for sample in given]
    more = scored(assay, dataset="first-set", samples=tagged, metrics=["chrf"])
    assert more.dataset_version == 2
    assert assay.compare(one.id, more.id)[0]["n"] == 8


def test_one_metric_twice_is_compared_signature_by_signature(assay: Client) -> None:
    metrics = [{"name": "bleu", "params": {"tokenize": "char"}}, "bleu"]
    done = scored(assay, dataset="twice", samples=samples(), metrics=metrics)
    results = assay.compare(done.id, done.id)
    assert len(results) == 2
    for result in results:
        assert result["error"] is None
        assert result["difference"] == 0
    found = assay.samples(done.id, sort="bleu", limit=100)
    shown = [known(one.scores["bleu"]) for one in found]
    assert shown == sorted(shown)  # what is shown is what was sorted by


def test_records_are_paged_by_id_and_names_may_hold_slashes(live: Live, assay: Client) -> None:
    name = "lab/news/ru"
    done = scored(assay, dataset=name, samples=samples(), metrics=["chrf"])
    assert assay.request("GET", f"/v1/datasets/{name}")["id"] == done.dataset_id
    assert assay.request("GET", f"/v1/leaderboards/{name}", metric="chrf")["dataset"] == name
    path, seen = f"/v1/datasets/{name}/records", []
    query: dict[str, Any] = {}
    for _ in PAIRS:
        page = assay.request("GET", path, limit=3, **query)
        seen += [one["id"] for one in page["data"]]
        query = {"after": page["last_id"]}
        if not page["has_more"]:
            break
    assert seen == [one["id"] for one in samples()]
    for wrong in ("after=nobody", "offset=99999999999", "offset=-1"):
        answer = httpx.get(f"{live.base}{path}?{wrong}")
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == wrong.partition("=")[0]
