"""Language models as annotators: asked as people are, kept apart from them, held to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import krippendorff
import numpy as np
import pytest
from sqlalchemy import Connection, Engine

from assay import AssayError, Client
from metrics.statistics import ppi
from service.db.engine import connect
from service.evaluations import outputs
from service.evaluations import store as evaluations
from tests.faulty_server import FaultyServer, faulty_server
from tests.known import known
from tests.service import stored
from tests.service.annotation.people import Study, evaluations_of, records
from tests.service.live import Live
from tests.service.vote_analyses.voting import vote_on_all
from tests.waiting import until

SAMPLES = 6
SHOWN = re.compile(r"<<< (?:answer|ответ) ?(\w?)\n(.*?)\n>>>", re.DOTALL)
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
    # posted back, as they are or without their kind, they never become a person's
    bare = [{x: one[x] for x in one if x != "annotator_kind"} for one in both]
    file = {"content-type": "application/octet-stream"}
    for content in (json.dumps(both), json.dumps(bare), table):
        told = httpx.post(f"{study.url}/imports?beyond_overlap=true", content=content, headers=file)
        assert told.status_code == 200, told.text
        assert told.json()["left_out"] == {"already_there": SAMPLES, "model": SAMPLES}
    apart = httpx.post(
        f"{study.url.rpartition('/')[0]}/imports?name=x", content=table, headers=file
    )
    assert apart.json()["left_out"] == {"model": SAMPLES}
    assert apart.json()["progress"]["annotators"] == 1


def test_ratings_are_held_to_people_and_corrected_by_them(
    live: Live, db: Engine, judge: str, server: FaultyServer, assay: Client
) -> None:
    """Ada and Bob judge the first 22 of 30 samples, the model all: one point too kind in one
    language, as they are in the other."""
    samples, rated = 30, 22
    with db.begin() as connection:
        made = [evaluated(connection, system, samples) for system in ("x", "y")]
    criteria = [{"name": "help", "scale": [1, 7]}, {"name": "tone", "scale": [1, 5]}]
    study = Study(live.base, made, form="likert", criteria=criteria, overlap=2, gold_rate=0)
    said: dict[str, dict[str, int]] = {"Ada": {}, "Bob": {}}

    def rate(name: str) -> None:
        person = study.person(name)
        while (item := person.next()["item"]) is not None:
            at, system = number(item["output"]), item["output"][0]
            if at >= rated:
                person.post("skip", item=item["id"])
                continue
            help = worth(at, system) - (name == "Bob" and at % 3 == 0)
            said[name][item["output"]] = help
            person.post("votes", item=item["id"], ratings={"help": help, "tone": 3})

    rate("Ada")
    rate("Bob")

    def kind(shown: dict[str, str], question: str) -> str:
        assert "from 1 (worst) to" in question
        if "tone" in question:
            return "3"
        (text,) = shown.values()
        return str(worth(number(text), text[0]) + number(text) % 2)

    saying(server, kind)
    done = judged(study, judge)
    assert (done["votes"], done["skips"]) == (2 * samples, 0)
    assert len(server.asked) == 2 * 2 * samples

    held = assay.judges(study.made["id"])
    assert held.votes == 2 * 2 * rated  # people's alone
    (model,) = held.models
    assert (model.annotator, model.status, model.votes) == (done["id"], "done", 2 * samples)
    help, tone = model.criteria
    texts = [*said["Ada"]]
    own = {text: worth(number(text), text[0]) + number(text) % 2 for text in texts}
    same = [np.mean([said[who][text] == own[text] for who in said]) for text in texts]
    assert help.agreement.value == pytest.approx(np.mean(same))
    low, high = known(help.agreement.interval)
    assert low < np.mean(same) < high
    pairs = [said["Ada"][text] == said["Bob"][text] for text in texts]
    assert help.people_agreement.value == pytest.approx(np.mean(pairs))
    table = [[said[who][text] for text in texts] for who in said]
    expected = krippendorff.alpha(table, level_of_measurement="ordinal")
    assert help.people_alpha.value == pytest.approx(expected)
    above = np.mean([own[text] - np.mean([said[who][text] for who in said]) for text in texts])
    assert known(help.difference).value == pytest.approx(above)
    assert (tone.agreement.value, tone.alpha.value) == (1.0, None)
    (english,) = assay.judges(study.made["id"], slice="lang=en").models
    assert english.votes == samples  # even samples, of which the model is right
    assert english.criteria[0].items == rated
    assert known(known(english.criteria[0].difference).value) < above

    for one in model.corrected:
        if one.score != "human/help":
            continue
        people = {
            text: np.mean([said[who][text] for who in said])
            for text in texts
            if text[0] == one.system
        }
        order = [*people, *(f"{one.system} {at}" for at in range(rated, samples))]
        f = np.array([worth(number(text), text[0]) + number(text) % 2 for text in order], float)
        y = np.array([*people.values()])
        assert one.value == pytest.approx(ppi.mean(y, f[:rated], f[rated:]).value)
        assert (one.n, one.rated) == (samples, rated)
        assert one.model == pytest.approx(f.mean())
        assert one.people == pytest.approx(y.mean())
        assert known(one.interval)[0] < known(one.value) < known(one.interval)[1]

    found = assay.annotation_analysis(study.made["id"], criterion="help")
    assert {one.name for one in found.annotators} == {"Ada", "Bob"}
    assert found.votes == 2 * 2 * rated
    (beside,) = found.judges
    assert beside.model == judge
    assert beside.agreement.value == pytest.approx(np.mean(same))
    assert known(beside.severity).value == pytest.approx(-above)
    people = study.get("/analysis", criterion="help", exclude=beside.annotator)
    assert people["votes"] == found.votes
    assert people["judges"] == []


def evaluated(db: Connection, system: str, samples: int) -> str:
    """An evaluation of `x 3`, …, with a language for each sample."""
    asked = [
        one | {"metadata": {"lang": ("en", "ru")[at % 2]}}
        for at, one in enumerate(records(samples))
    ]
    id = stored.create(db, system, asked, ["chrf"])
    outputs.add(db, id, enumerate([f"{system} {at}"] for at in range(samples)))
    evaluations.lock(db, id)
    evaluations.finish(db, id, "succeeded", {})
    return id


def number(text: str) -> int:
    return int(text.rsplit(maxsplit=1)[-1])


def worth(at: int, system: str) -> int:
    return 2 + at % 4 + (system == "y" and at % 5 == 0)


def test_other_forms_and_what_cannot_be_read(
    live: Live, db: Engine, judge: str, server: FaultyServer
) -> None:
    made = evaluations_of(db, SAMPLES, systems=3)
    best = Study(live.base, made, form="best_worst", tuple_size=3, language="ru")

    def extremes(shown: dict[str, str], question: str) -> str:
        ranked = sorted(shown, key=lambda letter: shown[letter])
        assert "A, B, C" in question
        if shown["A"].endswith("0"):
            return "A"
        return ranked[-1] if "лучший" in question else ranked[0]

    saying(server, extremes)
    done = judged(best, judge)
    assert (done["votes"], done["skips"]) == (SAMPLES - 1, 1)
    assert done["skip_reasons"] == {"unreadable, the best cannot be the worst, too": 1}
    answers = [one["answer"] for one in best.get("/votes", annotators="models")["data"]]
    assert answers == [{"best": "c", "worst": "a"}] * (SAMPLES - 1)

    label = Study(live.base, made[:1], form="label", labels=["good", "bad", "odd one"])
    saying(server, lambda shown, question: '{"reason": "\x00 so", "answer": "Odd one"}')
    done = judged(label, judge, reasons=True, max_new_tokens=100)
    assert (done["votes"], done["skips"]) == (SAMPLES, 0)
    votes = label.get("/votes", annotators="models")["data"]
    assert {one["answer"]["label"] for one in votes} == {"odd one"}
    assert "so" in votes[0]["comment"]
    assert server.asked[0].body["max_tokens"] == 100
    (held,) = label.get("/judges")["models"]
    assert held["criteria"][0]["agreement"]["value"] is None  # nobody else has voted

    edits = Study(live.base, made, form="edit")
    many = Study(live.base, made[:1], form="label", labels=[f"l{at}" for at in range(40)])
    for study, body, param in (
        (edits, {"model": judge}, "model"),
        (many, {"model": judge}, "model"),
        (label, {"model": "no-such-model"}, "model"),
        (label, {"model": judge, "expires_in": 100}, "expires_in"),
        (label, {"reasons": True}, "reasons"),
    ):
        refused = httpx.post(f"{study.url}/annotators", json={"name": "x"} | body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, param)


@pytest.mark.slow
def test_a_model_of_ones_own(live: Live, db: Engine, tiny_judge: Path) -> None:
    study = Study(live.base, evaluations_of(db, SAMPLES), overlap=1)
    mumbling = judged(study, tiny_judge.name)
    assert (mumbling["status"], mumbling["skips"]) == ("done", SAMPLES)
    assert all("unreadable" in reason for reason in mumbling["skip_reasons"])


def test_a_model_that_does_not_answer_and_one_that_is_ended(
    live: Live, db: Engine, judge: str, server: FaultyServer, assay: Client
) -> None:
    study = Study(live.base, evaluations_of(db, SAMPLES), overlap=1, gold_rate=0)
    assay.create_model("locked-out", server.url, "refused_key")
    refused = judged(study, "locked-out")
    assert (refused["status"], refused["votes"], refused["skips"]) == ("failed", 0, 0)
    assert "key" in refused["error"]
    assay.delete_model("locked-out")

    server.seconds = 0.5
    saying(server, lambda shown, question: "A")
    slow = study.annotator("slow", model=judge, max_new_tokens=17)
    with pytest.raises(AssayError, match=slow["id"]) as used:
        assay.update_model(judge, model="another")
    assert used.value.code == "model_in_use"
    assert not assay.delete_annotator(study.made["id"], slow["id"]).deleted
    server.seconds = 0.0
    ended = {one.id: one for one in assay.annotators(study.made["id"])}
    assert ended[slow["id"]].status == "revoked"
    assay.close_annotation_project(study.made["id"])
    late = judged(study, judge)  # a closed project, too
    assert late["votes"] == SAMPLES
    gone = assay.delete_annotator(study.made["id"], late["id"], data=True)
    assert (gone.deleted, gone.votes) == (True, SAMPLES)
    assert study.get("/votes", annotators="models")["data"] == []


def test_models_make_preferences_only_when_asked_and_judge_logs(
    live: Live, db: Engine, judge: str, server: FaultyServer
) -> None:
    asked = "Take the better one."  # in words of its own: replies to others' would be used again
    made = evaluations_of(db, SAMPLES)
    study = Study(live.base, made, overlap=1, gold_rate=0, instructions=asked)
    saying(server, lambda shown, question: max(shown, key=lambda one: shown[one]))
    done = judged(study, judge)

    def export(**asked: Any) -> httpx.Response:
        body = {"kind": "preference", "name": f"by-{study.made['id']}", "held_out": 0} | asked
        return httpx.post(f"{study.url}/export", json=body, timeout=60)

    assert export().json()["error"]["code"] == "nothing_to_learn"
    exported = export(annotators="models").json()
    counts = exported["votes"], exported["annotators"], exported["dataset"]["size"]
    assert counts == (SAMPLES, 1, SAMPLES)
    url = f"{live.base}/v1/datasets/{exported['dataset']['id']}/records"
    (first, *_) = httpx.get(url, timeout=60).json()["data"]
    assert first["metadata"]["annotators"] == [f"model:{done['hash']}"]
    assert first["chosen"].startswith("1 says")
    (shown,) = study.get("/annotators")["data"]
    assert [one["id"] for one in shown["datasets"]] == [exported["dataset"]["id"]]
    vote_on_all(study.person(), lambda item: {"choice": "tie"})
    assert export(annotators="all", ties="keep").json()["votes"] == 2 * SAMPLES

    rows = "model_a,model_b,winner,prompt,output_a,output_b\n"
    rows += "".join(f"one,two,model_a,Say {at},yes {at},no {at}\n" for at in range(3))
    url = f"{live.base}/v1/annotation_projects/imports"
    kind = {"content-type": "application/octet-stream"}
    query = {"name": "log", "file": "log.csv"}
    log = httpx.post(url, params=query, content=rows.encode(), headers=kind, timeout=60).json()
    study.url = f"{live.base}/v1/annotation_projects/{log['id']}"
    done = judged(study, judge)
    assert (done["votes"], done["skips"]) == (3, 0)
    held = study.get("/judges")
    assert held["criteria"] == []
    (choice,) = held["models"][0]["criteria"]
    assert (choice["criterion"], choice["items"], choice["agreement"]["value"]) == (
        "choice",
        3,
        1.0,
    )
