"""People vote over HTTP: blind, within the overlap, once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from service.db.engine import connect
from tests.service.annotation.people import Person, Study, evaluation, evaluations_of
from tests.service.live import Live

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def db(live: Live, database_url: str) -> Iterator[Engine]:
    """The database of `live`."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def expire(db: Engine, annotator: str) -> None:
    """The lease of whatever the annotator holds is over."""
    with db.begin() as connection:
        query = "UPDATE annotation_slots SET lease_until = now() - interval '1 second'"
        connection.execute(text(f"{query} WHERE annotator_id = :id"), {"id": annotator})


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def choose(item: dict[str, Any], system: str) -> str:
    """The side on which the outputs of `system` stand: they begin with its number."""
    return "a" if item["a"].startswith(system) else "b"


def test_a_project_from_its_first_item_to_its_votes(live: Live, db: Engine) -> None:
    study = Study(live.base, evaluations_of(db, 6), overlap=2, per_annotator=50)
    assert study.made["progress"] == {
        **{"items": 6, "wanted": 12, "votes": 0, "held": 0, "annotators": 0}
    }
    added = study.annotator("Ada")
    assert added["url"] == f"{live.base}/annotate#token={added['token']}"
    ada, bob, eve = Person(live.base, added["token"]), study.person(), study.person()
    task = ada.task()
    assert (task["form"], task["done"], task["remaining"]) == ("pairwise", 0, 6)
    assert "which answer is better" in task["instructions"]
    sides = []
    for person in (ada, bob):
        for done in range(6):
            found = person.next()
            item = found["item"]
            assert (found["done"], found["remaining"]) == (done, 6 - done)
            seen = httpx.Response(200, json=found).text
            assert "system-" not in seen
            assert {item["a"][1:], item["b"][1:]} == {f" says {item['prompt'][4:]}"}
            sides.append(choose(item, "1"))
            said = person.post("votes", item=item["id"], choice=sides[-1], seconds=2)
            assert said.status_code == 200, said.text
        assert person.next()["item"] is None
        assert person.next()["completion_code"] == study.made["completion_code"]
    assert set(sides) == {"a", "b"}  # 12 coins: one in 2048 lands the same
    assert eve.next() == {
        **{"item": None, "done": 0, "remaining": 0, "completion_code": None, "previous": None}
    }
    votes = study.votes()
    assert Counter(one["sample"] for one in votes) == dict.fromkeys((f"s{n}" for n in range(6)), 2)
    for one in votes:  # however it was shown, the system that was meant is the one that is stored
        assert one["systems"]["ab".index(one["answer"]["choice"])] == "system-1"
        assert sorted(one["shown"]) == [0, 1]
    assert len({one["annotator"] for one in votes}) == 2
    assert study.get()["progress"]["votes"] == 12
    csv = httpx.get(f"{study.url}/votes", params={"format": "csv"})
    assert csv.headers["content-type"].startswith("text/csv")
    assert len(csv.text.splitlines()) == 13
    (work,) = [one for one in study.get("/annotators")["data"] if one["name"] == "Ada"]
    assert (work["votes"], work["seconds"], work["hash"]) == (6, 2.0, votes[0]["annotator"])
    for where in (csv.text, str(votes), str(study.get("/annotators"))):
        assert added["token"] not in where


def test_a_token_is_of_one_project_and_ends(live: Live, db: Engine) -> None:
    made = evaluations_of(db, 2)
    study, other = Study(live.base, made), Study(live.base, made)
    item = study.person().next()["item"]["id"]
    stranger = other.person()
    assert error(stranger.post("votes", item=item, choice="a")) == (404, "item_not_found")
    assert error(stranger.post("skip", item=item)) == (404, "item_not_found")
    thief = study.person()
    assert error(thief.post("votes", item=item, choice="a")) == (409, "not_held")
    assert error(thief.post("extend", item=item)) == (409, "not_held")
    assert error(Person(live.base, "asn_wrong").post("next")) == (401, "token_unknown")
    bare = httpx.post(f"{live.base}/v1/annotate/next")
    assert error(bare) == (401, "token_missing")
    assert bare.headers["www-authenticate"] == "Bearer"
    added = study.annotator("Ada")
    ada = Person(live.base, added["token"])
    held = ada.next()["item"]["id"]
    url = f"{study.url}/annotators/{added['id']}"
    assert httpx.delete(f"{other.url}/annotators/{added['id']}").status_code == 404
    assert httpx.delete(url).json()["deleted"] is False
    revoked = ada.post("votes", item=held, choice="a")
    assert error(revoked) == (401, "token_revoked")
    assert added["token"] not in revoked.text
    assert study.get()["progress"]["held"] == 1  # of the first
    late = study.annotator("Bob", expires_in=60)
    with db.begin() as connection:
        query = "UPDATE annotators SET expires_at = now() - interval '1 second' WHERE id = :id"
        connection.execute(text(query), {"id": late["id"]})
    assert error(Person(live.base, late["token"]).post("next")) == (401, "token_expired")
    with db.connect() as connection:  # of a token there is its digest alone
        rows = connection.execute(text("SELECT a::text FROM annotators a")).scalars().all()
        keys = connection.execute(text("SELECT i::text FROM idempotency_keys i")).scalars().all()
    assert not [one for one in [*rows, *keys] if late["token"] in one or added["token"] in one]


def test_what_no_database_holds_is_refused(live: Live, db: Engine) -> None:
    made = evaluations_of(db, 1)
    ada = Study(live.base, made).person()
    held = ada.next()["item"]["id"]
    nul, half = "x\x00", "\ud800"
    vote = {"item": held, "choice": "a"}
    for path, given, param in (
        ("votes", vote | {"item": nul}, "item"),
        ("votes", vote | {"item": half}, "item"),
        ("votes", vote | {"comment": nul}, "comment"),
        ("votes", {"item": held, "ratings": {nul: 1}}, "ratings"),
        ("skip", {"item": nul}, "item"),
        ("skip", {"item": held, "reason": nul}, "reason"),
        ("extend", {"item": nul}, "item"),
    ):
        answer = ada.http.post(
            f"{ada.base}/{path}", content=json.dumps(given), headers=ada.headers | JSON
        )
        assert answer.status_code == 422, (given, answer.text)
        assert str(answer.json()["error"]["param"]).startswith(param)
    criterion = {"name": "truth", "scale": [1, 5], "anchors": {nul: "lies"}}
    asked = {"name": "x", "evaluations": made, "form": "likert", "criteria": [criterion]}
    refused = httpx.post(f"{live.base}/v1/annotation_projects", json=asked)
    assert error(refused) == (422, "nul_character")


def test_a_vote_counts_once_and_late_ones_only_where_nobody_took_over(
    live: Live, db: Engine
) -> None:
    study = Study(live.base, evaluations_of(db, 1), overlap=1)
    first = study.annotator()
    ada, bob = Person(live.base, first["token"]), study.person()
    item = ada.next()["item"]["id"]
    assert bob.next()["item"] is None  # its only slot is out
    expire(db, first["id"])
    assert ada.next()["item"]["id"] == item  # nobody took it: it is still hers
    expire(db, first["id"])
    assert bob.next()["item"]["id"] == item
    assert error(ada.post("votes", item=item, choice="a")) == (409, "lease_lost")
    assert error(ada.post("extend", item=item)) == (409, "lease_lost")
    assert bob.post("votes", item=item, choice="tie", comment="same").status_code == 200
    assert bob.post("votes", item=item, choice="tie", comment="same").status_code == 200
    assert error(bob.post("votes", item=item, choice="a")) == (409, "voted_otherwise")
    assert error(ada.post("votes", item=item, choice="tie")) == (409, "lease_lost")
    assert [one["answer"] for one in study.votes()] == [{"choice": "tie"}]


def test_two_tabs_show_the_same_and_a_late_vote_counts(live: Live, db: Engine) -> None:
    study = Study(live.base, evaluations_of(db, 3), overlap=2)
    added = study.annotator()
    one, two = Person(live.base, added["token"]), Person(live.base, added["token"])
    item = one.next()["item"]
    assert two.next()["item"] | {"lease_until": ""} == item | {"lease_until": ""}
    extended = two.post("extend", item=item["id"]).json()
    assert extended["lease_until"] >= item["lease_until"]
    expire(db, added["id"])
    assert one.post("votes", item=item["id"], choice="a").status_code == 200
    assert two.next()["item"]["id"] != item["id"]


def test_undo_and_skip(live: Live, db: Engine) -> None:
    study = Study(live.base, evaluations_of(db, 3), overlap=1)
    ada = study.person()
    assert error(ada.post("undo")) == (409, "nothing_to_undo")
    first = ada.next()["item"]
    ada.post("votes", item=first["id"], choice="b", comment="hm")
    second = ada.next()["item"]
    back = ada.post("undo").json()
    assert {**back["item"], "lease_until": ""} == {**first, "lease_until": ""}
    assert (back["previous"]["choice"], back["previous"]["comment"]) == ("b", "hm")
    assert (back["done"], back["remaining"], study.votes()) == (0, 3, [])
    ada.post("votes", item=first["id"], choice="a")
    with db.connect() as connection:  # what was taken back stays as a row
        query = "SELECT count(*) FROM annotation_votes WHERE slot_id = :id"
        assert connection.scalar(text(query), {"id": first["id"]}) == 2
    assert ada.next()["item"]["id"] == second["id"]
    third = ada.post("skip", item=second["id"], reason="do not understand").json()
    assert third["item"]["id"] not in {first["id"], second["id"]}
    ada.post("votes", item=third["item"]["id"], choice="a")
    assert ada.next()["item"] is None
    assert study.person().next()["item"]["prompt"] == second["prompt"]
    (work, _) = sorted(study.get("/annotators")["data"], key=lambda one: -one["votes"])
    assert (work["votes"], work["skips"]) == (2, 1)


def test_gold_controls_and_repeats_measure_people(live: Live, db: Engine) -> None:
    with db.begin() as connection:
        texts = [f"text {at} of " for at in range(40)]
        made = [
            evaluation(connection, name, [*texts[:2], *(one + name for one in texts[2:])])
            for name in ("x", "y")
        ]
    question = {"prompt": "2 + 2?", "outputs": ["4", "5"], "expected": {"choice": "a"}}
    gold = [question | {"prompt": f"{at}: 2 + 2?"} for at in range(3)]
    study = Study(
        live.base,
        made,
        **{"overlap": 1, "gold": gold, "gold_rate": 0.3, "repeats": 0.3, "seed": 1},
        equal_outputs="control",
    )
    assert (study.made["gold"], study.made["controls"]) == (3, 2)
    ada = study.person()
    seen: Counter[str] = Counter()
    told = []  # whatever an item is, one more is done and one fewer is left
    while (item := (found := ada.next())["item"]) is not None:
        prompt = item["prompt"]
        if "2 + 2" in prompt or item["a"] == item["b"]:
            choice = "tie" if item["a"] == item["b"] else choose(item, "4")
        else:  # the same system again, but of odd prompts
            wanted = "y" if seen[prompt] and prompt[-1] in "13579" else "x"
            choice = "a" if item["a"].endswith(wanted) else "b"
        seen[prompt] += 1
        voted = ada.post("votes", item=item["id"], choice=choice)
        assert voted.status_code == 200
        told += [(one["done"], one["remaining"]) for one in (found, voted.json())]
    total = seen.total()
    assert told == [(at + voted, total - at - voted) for at in range(total) for voted in (0, 1)]
    (work,) = study.get("/annotators")["data"]
    votes = study.votes()
    kinds = Counter(one["kind"] for one in votes)
    again = [name for name, count in seen.items() if count == 2]
    even = sum(name[-1] in "02468" for name in again)
    assert work["gold"] == {"n": kinds["gold"], "agreed": kinds["gold"], "share": 1.0}
    assert work["control"] == {"n": 2, "agreed": 2, "share": 1.0}
    # of 40 draws and more: chances that there is none are below 1 in 10,000
    assert work["repeats"] == {"n": len(again), "agreed": even, "share": even / len(again)}
    assert 1 <= kinds["gold"] <= 3
    assert kinds["repeat"] == len(again)
    assert max(seen.values()) == 2  # once more, never twice
    assert kinds["item"] == 38
    assert study.get()["progress"]["votes"] == 40  # of items and controls: gold takes no slot


def test_what_is_least_known_is_asked(live: Live, db: Engine) -> None:
    """Of three systems, one is far behind the others, which are alike: most is asked of these."""
    made = evaluations_of(db, 40, systems=3)
    study = Study(live.base, made, overlap=1, items="most_informative")
    assert study.made["progress"]["items"] == 120
    people = [study.person(), study.person()]
    asked: Counter[str] = Counter()
    for at in range(40):
        person = people[at % 2]
        item = person.next()["item"]
        pair = "".join(sorted(item["a"][0] + item["b"][0]))
        asked[pair] += 1
        better = pair[0] if "2" in pair else pair[asked[pair] % 2]
        person.post("votes", item=item["id"], choice=choose(item, better))
    assert asked["01"] > asked["02"] + asked["12"]
    assert asked["02"] + asked["12"] >= 2  # until it was known


def test_people_who_go_take_their_votes_with_them(live: Live, db: Engine) -> None:
    study = Study(live.base, evaluations_of(db, 2), overlap=1)
    added = study.annotator()
    ada = Person(live.base, added["token"])
    for _ in range(2):
        ada.post("votes", item=ada.next()["item"]["id"], choice="a")
    ada.post("undo")
    gone = httpx.delete(f"{study.url}/annotators/{added['id']}", params={"data": True})
    assert gone.json() | {"id": ""} == {
        **{"id": "", "object": "annotator", "deleted": True, "votes": 1, "datasets": []}
    }
    assert error(ada.post("next")) == (401, "token_unknown")
    assert (study.votes(), study.get("/annotators")["data"]) == ([], [])
    assert study.person().next()["remaining"] == 2
    assert httpx.delete(study.url).json()["deleted"] is True
    assert httpx.get(study.url).status_code == 404


def test_a_closed_project_gives_nothing_out_and_takes_what_is_out(live: Live, db: Engine) -> None:
    study = Study(live.base, evaluations_of(db, 3), overlap=1)
    ada, bob = study.person(), study.person()
    item = ada.next()["item"]["id"]
    closed = httpx.post(f"{study.url}/close").json()
    assert closed["status"] == "closed"
    assert bob.next()["item"] is None
    assert ada.post("votes", item=item, choice="a").status_code == 200
    assert ada.next()["item"] is None
    assert error(ada.post("undo")) == (409, "project_closed")
    late = httpx.post(f"{study.url}/annotators", json={"name": "late"})
    assert error(late) == (409, "project_closed")
