"""Language models as annotators: asked as people are, kept apart from them, held to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from assay import Client
from service.db.engine import connect
from tests.faulty_server import FaultyServer, faulty_server
from tests.service.annotation.people import Study, evaluations_of
from tests.service.live import Live
from tests.service.vote_analyses.voting import vote_on_all
from tests.waiting import until

SAMPLES = 6
SHOWN = re.compile(r"<<< answer ?(\w?)\n(.*?)\n>>>", re.DOTALL)
Says = Callable[[dict[str, str], str], str]


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with faulty_server() as made:
        yield made


@pytest.fixture(scope="module")
def judge(assay: Client, server: FaultyServer) -> str:
    assay.create_model("annotating", server.url, "good")
    return "annotating"


@pytest.fixture(scope="module")
def db(live: Live, database_url: str) -> Iterator[Engine]:
    """The database of `live`."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def saying(server: FaultyServer, says: Says) -> None:
    """Have the server answer by the outputs that it is shown, by letter, and the question."""

    def text(body: dict[str, Any]) -> str:
        asked = body["messages"][0]["content"]
        question = asked.rpartition("\n>>>\n")[2].strip()
        return says(dict(SHOWN.findall(asked)), question)

    server.asked.clear()
    server.text = text


def judged(study: Study, model: str, **asked: Any) -> dict[str, Any]:
    """The model, once it has judged all."""
    made = study.annotator("the judge", model=model, **asked)
    assert (made["kind"], made["status"], made["model"]) == ("model", "judging", model)
    assert not {"token", "url"} & made.keys()

    def now() -> dict[str, Any]:
        return next(x for x in study.get("/annotators")["data"] if x["id"] == made["id"])

    until(lambda: now()["status"] != "judging", 60)
    return now()


def test_a_model_votes_on_pairs_and_takes_nothing_of_people(
    live: Live, db: Engine, judge: str, server: FaultyServer
) -> None:
    gold = {"prompt": "2 + 2?", "outputs": ["4", "5"], "expected": {"choice": "a"}}
    asked = {"criteria": [{"name": "truth", "description": "Is it so?"}], "gold": [gold]}
    study = Study(live.base, evaluations_of(db, SAMPLES), overlap=1, gold_rate=0, **asked)

    def later(shown: dict[str, str], question: str) -> str:
        if "1 says 3" in shown.values():
            return "Both are fine, I think."
        return min(shown) if "4" in shown.values() else max(shown, key=lambda one: shown[one])

    saying(server, later)
    done = judged(study, judge)
    assert (done["status"], done["votes"], done["skips"]) == ("done", SAMPLES, 1), done
    ((reason, many),) = done["skip_reasons"].items()
    assert many == 1
    assert "choice: unreadable" in reason
    assert done["gold"]["n"] == 1
    # blind, in the words of the instructions, the sides shuffled
    texts = [one.body["messages"][0]["content"] for one in server.asked]
    assert all("Is it so?" in text and "system-" not in text for text in texts)
    first = {SHOWN.findall(text)[0][1][:1] for text in texts if " says " in text}
    assert first == {"0", "1"}
    votes = study.get("/votes", annotators="models")["data"]
    assert {one["annotator_kind"] for one in votes} == {"model"}
    for one in votes:
        if one["kind"] == "item":
            assert one["answer"] == {"choice": "b"}  # in the items' own order
    assert study.votes() == []
    shown = study.get()
    assert (shown["progress"]["votes"], shown["progress"]["annotators"]) == (0, 0)
    person = study.person()
    assert person.task()["remaining"] == SAMPLES
    vote_on_all(person, lambda item: {"choice": "a"})
    both = study.get("/votes", annotators="all", limit=1000)["data"]
    assert len(both) == 2 * SAMPLES
    assert len({one["id"] for one in both}) == len(both)
    table = httpx.get(f"{study.url}/votes", params={"annotators": "all", "format": "csv"}).text
    assert "annotator_kind" in table.splitlines()[0]
