"""Votes added to a project that is there: of a service's file, of anybody's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import Client
from service.db.engine import connect
from tests.service.annotation.people import Study, evaluations_of
from tests.service.live import Live
from tests.service.vote_exchange.test_foreign_votes import assert_same

FILE = {"content-type": "application/octet-stream"}
SAMPLES = 4
ASKED = '=2 + 2;\r\n"2 + 2"?'
GOLD = {"prompt": ASKED, "outputs": ['4; "four",\n["4"]', "=5; 5"], "expected": {"choice": "a"}}


@pytest.fixture(scope="module")
def made(live: Live, database_url: str) -> Iterator[list[str]]:
    """Evaluations of three systems, which say `0 says 3` for the fourth sample."""
    engine = connect(database_url)
    yield evaluations_of(engine, SAMPLES, systems=3, tag="vote imports")
    engine.dispose()


def sent(study: Study, content: bytes | list[dict[str, Any]], **query: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx.post(f"{study.url}/imports", params=query, content=body, headers=FILE, timeout=60)


def added(study: Study, content: bytes | list[dict[str, Any]], **query: str) -> dict[str, Any]:
    answer = sent(study, content, **query)
    assert answer.status_code in {200, 201}, answer.text
    assert (answer.status_code == 201) == (answer.json()["votes"] > 0)
    return dict(answer.json())


def refused(study: Study, content: bytes | list[dict[str, Any]], **query: str) -> tuple[str, str]:
    answer = sent(study, content, **query)
    assert answer.status_code == 422, answer.text
    return answer.json()["error"]["code"], answer.json()["error"]["param"]


def file(study: Study, **query: Any) -> bytes:
    answer = httpx.get(f"{study.url}/votes", params={"limit": 1000} | query, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def vote(study: Study, name: str, count: int = 1000) -> None:
    """Who prefers texts of even samples that are first by name, and of odd ones the others."""
    person = study.person(name)
    while count and (item := person.next()["item"]) is not None:
        count -= 1
        first = "a" if item["a"] < item["b"] else "b"
        choice = first if item["prompt"][-1] in "02?" else {"a": "b", "b": "a"}[first]
        about = {"comment": "=odd; 'quoted'", "seconds": 1.5}
        assert person.post("votes", item=item["id"], choice=choice, **about).status_code == 200


def test_votes_go_from_one_project_to_another(live: Live, made: list[str], tmp_path: Path) -> None:
    asked = {"overlap": 2, "gold": [GOLD], "gold_rate": 0.5, "repeats": 0.4}
    source = Study(live.base, made, **asked)
    vote(source, "Ada")
    vote(source, "Ян", 4)
    before = source.get("/analysis")
    kinds = Counter(one["kind"] for one in source.votes())
    assert kinds["item"] >= 3 * SAMPLES
    assert kinds["gold"]
    assert kinds["repeat"]
    lines, page = file(source, format="jsonl", texts=True), file(source)
    table, parquet = file(source, format="csv"), file(source, format="parquet", texts=True)
    wide = file(source, format="csv", texts=True)
    shown = [json.loads(one) for one in lines.splitlines()]
    whole = source.get("/votes", limit=1000, texts=True)["data"]
    assert [one | {"undone_at": None} for one in shown] == whole
    assert {one["prompt"] for one in shown if one["kind"] == "gold"} == {ASKED}
    httpx.delete(source.url).raise_for_status()

    target = Study(live.base, made, **asked | {"seed": 1})
    saved = tmp_path / "votes.jsonl"
    saved.write_bytes(lines)
    with Client(live.base) as assay:
        told = assay.add_votes(target.made["id"], saved)
        assert (told.rows, told.votes, told.annotators) == (len(shown), len(shown), 2)
        assert told.left_out == {}
        assert assay.add_votes(target.made["id"], saved).left_out == {"already_there": len(shown)}
        copied = [*assay.annotation_votes(target.made["id"])]
        assert all(one.imported for one in copied)
        assert {one.status for one in assay.annotators(target.made["id"])} == {"revoked"}
    told_of = ("sample", "systems", "kind", "answer", "shown", "agrees", "comment", "seconds")
    same = [
        sorted(json.dumps({name: one[name] for name in told_of}) for one in votes)
        for votes in (shown, target.votes())
    ]
    assert same[0] == same[1]
    after = target.get("/analysis")
    names = {one["name"] for one in after["annotators"]}
    assert names == {one["annotator"] for one in shown}
    for found in (before, after):
        found["annotators"] = []
    assert_same(before, after)
    known = kinds["item"] + kinds["repeat"]
    for content in (page, table):  # without texts
        left_out = added(target, content)["left_out"]
        assert left_out == {"already_there": known, "gold": kinds["gold"]}
    for content in (parquet, wide):
        assert added(target, content)["left_out"] == {"already_there": len(shown)}
    # its own file: by whose hashes the people are known
    assert added(target, file(target, format="csv"))["left_out"] == {"already_there": len(shown)}
    fresh = Study(live.base, made, overlap=2)
    told_again = added(fresh, table)
    assert told_again["votes"] == known
    assert {one["comment"] for one in fresh.votes()} == {"=odd; 'quoted'"}


def battle(a: int, b: int, sample: int, **changes: Any) -> dict[str, Any]:
    return {
        **{"question_id": f"s{sample}", "prompt": f"Say {sample}", "winner": "model_a"},
        **{"model_a": f"system-{a}", "model_b": f"system-{b}", "judge": "Ann"},
        **{"output_a": f"{a} says {sample}", "output_b": f"{b} says {sample}"},
    } | changes


def test_votes_of_others_find_their_items(live: Live, made: list[str]) -> None:
    study = Study(live.base, made, overlap=1)
    by_text = battle(2, 1, 1, question_id="elsewhere 7")
    rows = [
        battle(1, 0, 0),
        {name: cell for name, cell in battle(0, 2, 0).items() if "put" not in name}
        | {"prompt": ""},
        by_text,
        battle(0, 1, 0, judge="Bo"),  # beyond the overlap
        battle(0, 1, 1, output_a="something else"),
        battle(0, 9, 1, output_b="9 says 1"),
        battle(0, 1, 9, output_a="0 says 9"),
        battle(1, 0, 0, winner="tie"),
        battle(0, 1, 2, judge=None),
        battle(0, 1, 3, judge=None),
    ]
    told = added(study, rows)
    assert (told["votes"], told["annotators"]) == (5, 3)
    assert told["left_out"] == {
        **{"other_text": 1, "other_system": 1, "other_sample": 1, "voted_again": 1, "overlap": 1}
    }
    found = {(one["sample"], *one["systems"]): one for one in study.votes()}
    turned = found["s0", "system-0", "system-1"]
    assert (turned["answer"], turned["shown"]) == ({"choice": "b"}, [1, 0])
    assert found["s1", "system-1", "system-2"]["answer"] == {"choice": "b"}
    again = added(study, rows)
    assert (again["votes"], again["left_out"]["already_there"]) == (0, 5)
    beyond = added(study, rows, beyond_overlap="true")
    assert (beyond["votes"], beyond["annotators"]) == (1, 1)
    progress = study.get()["progress"]
    assert (progress["votes"], progress["wanted"]) == (6, 3 * SAMPLES + 1)
    people = {one["name"]: one["id"] for one in study.get("/annotators")["data"]}
    gone = httpx.delete(f"{study.url}/annotators/{people['Bo']}", params={"data": True}).json()
    assert gone["votes"] == 1
    assert study.get()["progress"]["wanted"] == 3 * SAMPLES  # nobody is asked in their place


def test_files_that_come_at_once_stay_within_the_overlap(live: Live, made: list[str]) -> None:
    study = Study(live.base, made[:2], overlap=2)
    files = [[battle(0, 1, at, judge=name) for at in range(SAMPLES)] for name in "abcdef"]
    with ThreadPoolExecutor(6) as pool:
        told = [*pool.map(lambda rows: added(study, rows), files)]
    assert sum(one["votes"] for one in told) == 2 * SAMPLES
    per_item = Counter(one["item"] for one in study.votes())
    assert set(per_item.values()) == {2}
    person = study.person("late")
    assert person.next()["item"] is None


def test_what_fits_no_project_is_told_by_row_and_field(live: Live, made: list[str]) -> None:
    pairs = Study(live.base, made[:2], overlap=1, ties=False)
    assert refused(pairs, [battle(0, 1, 9)]) == ("nothing_matches", "rows[0].question_id")
    assert refused(pairs, [battle(0, 7, 1)]) == ("nothing_matches", "rows[0].model_a")
    other = battle(0, 1, 1, output_a="?")
    assert refused(pairs, [other]) == ("nothing_matches", "rows[0].output_a")
    ties = [battle(0, 1, 1), battle(0, 1, 2, winner="tie")]
    assert refused(pairs, ties) == ("invalid_rows", "rows[1].winner")
    own = {"systems": ["system-0"], "answer": {"label": "x"}, "annotator": "h", "sample": "s0"}
    assert refused(pairs, [own]) == ("other_form", "rows[0].answer")
    assert pairs.votes() == []

    criteria = [{"name": "helpful", "scale": [1, 5]}]
    rated = Study(live.base, made[:1], form="likert", overlap=1, criteria=criteria)
    row = {"question": "s0", "system": "system-0", "rating": 6}
    assert refused(rated, [row]) == ("invalid_rows", "rows[0].rating")
    named = row | {"criterion": "kind", "rating": 1}
    assert refused(rated, [named]) == ("invalid_rows", "rows[0].rating")
    own["answer"] = {"ratings": {"helpful": 9}}
    assert refused(rated, [own]) == ("invalid_rows", "rows[0].answer.ratings.helpful")
    assert refused(rated, [own | {"shown": [1, 1]}]) == ("invalid_rows", "rows[0].shown")
    own["answer"] = {"ratings": {"helpful": 4}}
    assert added(rated, [own | {"undone_at": "2026-11-27"}])["left_out"] == {"undone": 1}
    assert added(rated, [row | {"rating": 5, "annotator": 7}])["votes"] == 1
    assert [one["answer"] for one in rated.votes()] == [{"ratings": {"helpful": 5}}]
    edits = Study(live.base, made[:1], form="edit", overlap=1)
    assert refused(edits, [row]) == ("other_form", "file")
    own["answer"] = {"text": "Лучше."}
    assert added(edits, [own])["votes"] == 1
    nowhere = httpx.post(f"{live.base}/v1/annotation_projects/x/imports", headers=FILE, content="x")
    assert nowhere.json()["error"]["code"] == "annotation_project_not_found"


def test_what_was_skipped_and_taken_back_can_be_had(live: Live, made: list[str]) -> None:
    study = Study(live.base, made[:2], overlap=1)
    person = study.person("Ada")
    for reason in ("не понял", None):
        person.post("skip", item=person.next()["item"]["id"], reason=reason)
    person.post("votes", item=person.next()["item"]["id"], choice="a")
    person.post("undo")
    assert study.votes() == []
    (undone,) = study.get("/votes", undone=True)["data"]
    assert undone["undone_at"] is not None
    with Client(live.base) as assay:
        skips = [*assay.annotation_skips(study.made["id"])]
        assert [one.reason for one in skips] == ["не понял", None]
        assert {one.annotator for one in skips} == {undone["annotator"]}
        assert len({(one.sample, *one.systems) for one in skips}) == 2
