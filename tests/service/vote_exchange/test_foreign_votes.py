"""Ratings, labels, and bests and worsts from elsewhere."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay import Client
from service.annotation.answers import draw
from service.db.engine import connect
from tests.service.annotation.people import Study, evaluations_of
from tests.service.live import Live

FILE = {"content-type": "application/octet-stream"}
SAMPLES = 3
CRITERIA = [{"name": "helpful", "scale": [1, 5]}, {"name": "safe", "scale": [0, 1]}]
PEOPLE = ("Ada", "Eve", "Ян")


@pytest.fixture(scope="module")
def made(live: Live, database_url: str) -> Iterator[list[str]]:
    """Evaluations of three systems, which say `0 says 5` for the sixth sample."""
    engine = connect(database_url)
    yield evaluations_of(engine, SAMPLES, systems=3, tag="foreign votes")
    engine.dispose()


def sent(base: str, content: bytes, **query: str) -> httpx.Response:
    url = f"{base}/v1/annotation_projects/imports"
    return httpx.post(
        url, params={"name": "elsewhere"} | query, content=content, headers=FILE, timeout=60
    )


def project(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def analysis(base: str, id: str) -> dict[str, Any]:
    answer = httpx.get(f"{base}/v1/annotation_projects/{id}/analysis", timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]])
    writer.writeheader()
    writer.writerows(rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in rows).encode()


def cast(study: Study, answer: Any) -> list[dict[str, Any]]:
    """All votes of three people, as rows of a file: who, what, and the `answer`'s fields."""
    rows = []
    for name in PEOPLE:
        person = study.person(name)
        while (item := person.next()["item"]) is not None:
            said = answer(name, item)
            voted = person.post("votes", item=item["id"], seconds=2.5, **said)
            assert voted.status_code == 200, voted.text
            rows.append({"rater": name, "prompt": item["prompt"], "item": item, **said})
    return rows


def single(row: dict[str, Any]) -> dict[str, Any]:
    """Of a vote on one output, what a file would say of it."""
    output = row["item"]["output"]
    about = {name: row[name] for name in ("rater", "prompt")}
    return about | {"model": f"system-{output[0]}", "response": output, "seconds": 2.5}


def close(found: Any) -> Any:
    """Equal but for the order in which numbers are added up."""
    if isinstance(found, dict):
        return {name: close(one) for name, one in found.items()}
    if isinstance(found, list):
        return [close(one) for one in found]
    return pytest.approx(found, rel=1e-6, abs=1e-9) if isinstance(found, float) else found


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """What two analyses say of systems and people, but for what is drawn at random."""
    for name in ("votes", "items", "criteria", "systems", "pairs"):
        assert one[name] == close(other[name]), name
    for name, found in one["agreement"].items():
        drawn = isinstance(found, dict) and "interval" in found
        same = other["agreement"][name]
        assert (found["value"] if drawn else found) == close(same["value"] if drawn else same), name
    people = [
        {each["name"]: (each["votes"], each["seconds"], close(each["severity"])) for each in of}
        for of in (one["annotators"], other["annotators"])
    ]
    assert people[0] == people[1]


def test_ratings_say_the_same_as_if_they_were_cast_here(live: Live, made: list[str]) -> None:
    def rated(name: str, item: dict[str, Any]) -> dict[str, Any]:
        random = draw(name, item["output"])
        quality = int(item["output"][0]) + random.choice((0, 1, 2))
        return {"ratings": {"helpful": 1 + quality, "safe": random.choice((0, 1))}}

    study = Study(live.base, made[:2], form="likert", overlap=3, criteria=CRITERIA)
    rows = cast(study, rated)
    wide = [single(row) | row["ratings"] for row in rows]
    # a row for each rating, as they were given one after another by each person
    long = [
        single(row) | {"criterion": name, "rating": value}
        for row in rows
        for name, value in row["ratings"].items()
    ]
    here = study.get("/analysis")
    for content in (as_csv(wide), as_lines(long), as_parquet(wide)):
        found = project(sent(live.base, content, scale="helpful:1,5;safe:0,1"))
        criteria = found["definition"]["criteria"]
        assert {one["name"]: one["scale"] for one in criteria} == {
            "helpful": [1, 5],
            "safe": [0, 1],
        }
        assert (found["form"], found["left_out"]) == ("likert", {})
        assert_same(here, analysis(live.base, found["id"]))
    asked = {"kind": "preference", "name": "of-ratings", "held_out": 0}
    url = f"{live.base}/v1/annotation_projects/{found['id']}/export"
    pairs = httpx.post(url, json=asked, timeout=60).json()["dataset"]["size"]
    there = httpx.post(f"{study.url}/export", json=asked | {"name": "here"}, timeout=60).json()
    assert pairs == there["dataset"]["size"] > 0


def test_labels_and_extremes_say_the_same_as_if_they_were_cast_here(
    live: Live, made: list[str]
) -> None:
    def labelled(name: str, item: dict[str, Any]) -> dict[str, Any]:
        good = draw(name, item["output"]).random() < 0.3 + 0.3 * int(item["output"][0])
        return {"label": "верно" if good else "нет"}

    study = Study(live.base, made[:2], form="label", overlap=3, labels=["верно", "нет"])
    rows = [single(row) | {"класс": row["label"]} for row in cast(study, labelled)]
    found = project(sent(live.base, as_parquet(rows)))
    assert (found["form"], found["definition"]["labels"]) == ("label", ["верно", "нет"])
    assert_same(study.get("/analysis"), analysis(live.base, found["id"]))

    def extremes(name: str, item: dict[str, Any]) -> dict[str, Any]:
        noise = [int(one[0]) + draw(name, one).random() * 2 for one in item["outputs"]]
        best, worst = noise.index(max(noise)), noise.index(min(noise))
        return {"best": "abc"[best], "worst": "abc"[worst]}

    study = Study(live.base, made, form="best_worst", overlap=3, tuple_size=3)
    rows = []
    for row in cast(study, extremes):
        outputs = row["item"]["outputs"]
        sides = {f"output_{'abc'[at]}": text for at, text in enumerate(outputs)}
        systems = {f"model_{'abc'[at]}": f"system-{text[0]}" for at, text in enumerate(outputs)}
        about = {"rater": row["rater"], "prompt": row["prompt"], "seconds": 2.5, **sides, **systems}
        # by the system's name, and by the letter
        rows.append(about | {"best": systems[f"model_{row['best']}"], "worst": row["worst"]})
    found = project(sent(live.base, as_csv(rows)))
    assert (found["form"], found["definition"]["tuple_size"]) == ("best_worst", 3)
    assert_same(study.get("/analysis"), analysis(live.base, found["id"]))


def annotation(by: int, *results: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    said = [{"from_name": tag, "type": kind, "value": value} for tag, kind, value in results]
    return {"completed_by": {"id": by}, "lead_time": 4.5, "result": said}


def test_label_studio_has_ratings_and_choices(live: Live) -> None:
    data = {"prompt": "Capital of France?", "text": "Paris"}
    stars = [
        annotation(
            by,
            ("helpful", "rating", {"rating": by}),
            ("clear", "number", {"number": 5}),
            ("verdict", "choices", {"choices": ["Good" if by > 1 else "Bad"]}),
        )
        for by in (1, 2, 3)
    ]
    tasks = json.dumps([{"id": 7, "data": data, "annotations": stars}]).encode()
    unclear = sent(live.base, tasks, system="x").json()["error"]
    assert (unclear["code"], unclear["param"]) == ("ambiguous_form", "form")
    nobody = sent(live.base, tasks, form="label").json()["error"]
    assert "system=NAME" in nobody["message"]
    rated = project(sent(live.base, tasks, form="likert", system="paris"))
    scales = {one["name"]: one["scale"] for one in rated["definition"]["criteria"]}
    assert scales == {"helpful": [1, 5], "clear": [1, 5]}
    (system,) = analysis(live.base, rated["id"])["systems"]
    assert (system["system"], system["strength"], system["votes"]) == ("paris", 2.0, 3)
    labelled = project(sent(live.base, tasks, form="label", system="paris"))
    assert labelled["definition"]["labels"] == ["Bad", "Good"]
    with Client(live.base) as assay:
        votes = [*assay.annotation_votes(labelled["id"])]
    assert sorted(one.answer["label"] for one in votes) == ["Bad", "Good", "Good"]
    assert {(one.sample, one.seconds) for one in votes} == {("7", 4.5)}


def row(**changes: Any) -> dict[str, Any]:
    about = {"system": "x", "prompt": "Как дела?", "output": "Хорошо", "annotator": "Ян"}
    return about | changes


def test_scales_and_criteria_are_found_or_given(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "ratings.jsonl"
    ratings = [row(helpful=one, tokens=900 * one, annotator=str(one)) for one in (2, 3)]
    file.write_bytes(as_lines(ratings))
    with Client(live.base) as assay:
        found = assay.import_votes("found", file)
        assert [one["scale"] for one in found.definition["criteria"]] == [[1, 5]]
        assert found.definition["imported"]["columns"]["helpful"] == "rating"
        wide = assay.import_votes("given", file, scale="0,10", form="likert")
        assert [one["scale"] for one in wide.definition["criteria"]] == [[0, 10]]
        assert wide.id != found.id == assay.import_votes("found", file).id
    partly = [
        row(annotator=who, criterion=criterion, rating=value)
        for who, criterion, value in [
            ("Ян", "a", 1),
            ("Ян", "b", 2),
            ("Eve", "a", 1),
            ("Ян", "a", 5),
        ]
    ]
    made = project(sent(live.base, as_lines(partly)))
    assert made["left_out"] == {"voted_again": 1, "incomplete_ratings": 1}
    assert made["progress"]["votes"] == 1
    unnamed = [{**one, "annotator": None} for one in partly]  # two of `a`, one of `b`: one is whole
    made = project(sent(live.base, as_lines([*unnamed])))
    assert (made["progress"]["votes"], made["left_out"]) == (1, {"incomplete_ratings": 2})


@pytest.mark.parametrize(
    ("rows", "query", "code", "param"),
    [
        ([row(rating=6)], {"scale": "1,5"}, "invalid_rows", "rows[0].rating"),
        ([row(rating=1), row(rating=4.5)], {}, "invalid_rows", "rows[1].rating"),
        ([row(rating=1), row(rating="five")], {}, "invalid_rows", "rows[1].rating"),
        ([row(rating=1), row(rating=math.nan)], {}, "invalid_rows", "rows[1].rating"),
        ([row(ratings={"a": math.nan})], {}, "invalid_rows", "rows[0].ratings.a"),
        ([row(rating=10**400)], {}, "invalid_rows", "rows[0].rating"),
        ([row(rating=[1])], {}, "invalid_rows", "rows[0].rating"),
        ([row(ratings={"a": 1, "b": "x"})], {}, "invalid_rows", "rows[0].ratings.b"),
        ([row(ratings=3)], {}, "invalid_rows", "rows[0].ratings"),
        ([row(a=1, b=2), row(a=1, b=None, c=1)], {"scale": "b:3,4"}, "invalid_rows", "rows[0].b"),
        ([row(rating=1)], {"scale": "5,1"}, "bad_scale", "scale"),
        ([row(rating=1)], {"scale": "1,nan"}, "bad_scale", "scale"),
        ([row(rating=1)], {"scale": "x:1,5"}, "unknown_criterion", "scale"),
        ([row(rating=-400), row(rating=400)], {}, "no_scale", "scale"),
        ([row(rating=None)], {"mapping": "rating:rating"}, "nothing_to_judge", None),
        ([row(label="a", rating=1)], {}, "ambiguous_form", "form"),
        ([row(label="a")], {}, "no_labels", "labels"),
        ([row(label=["a", "b"])], {}, "invalid_rows", "rows[0].label"),
        ([row(label="a")], {"labels": "b,c"}, "invalid_rows", "rows[0].label"),
        ([row(label="a\x00")], {}, "invalid_rows", "rows[0].label"),
        ([row(label="a")], {"labels": "a," + "x" * 201}, "bad_labels", "labels"),
        (
            [row(label=str(one), annotator=one) for one in range(51)],
            {},
            "too_many_labels",
            "mapping",
        ),
        ([row(label="a", seconds=-1)], {}, "invalid_rows", "rows[0].seconds"),
        ([row(text="no rating")], {}, "unknown_columns", "mapping"),
        ([row(text="no rating")], {"form": "label"}, "unknown_columns", "mapping"),
        ([{"best": "a", "worst": "b"}], {}, "invalid_rows", "rows[0].systems"),
        (
            [{"systems": ["x", "y", "z"], "best": "a", "worst": "a"}],
            *({}, "invalid_rows", "rows[0].worst"),
        ),
        (
            [{"systems": ["x", "y", "z"], "outputs": ["1"], "best": "a", "worst": "b"}],
            *({}, "invalid_rows", "rows[0].row"),
        ),
        (
            [{"systems": ["x", "y", "z"], "best": "h", "worst": "who"}],
            *({}, "invalid_rows", "rows[0].worst"),
        ),
    ],
)
def test_what_is_wrong_is_told_by_row_and_column(
    live: Live, rows: list[dict[str, Any]], query: dict[str, str], code: str, param: str | None
) -> None:
    answer = sent(live.base, as_lines(rows), **query)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == (code, param), error


def test_a_rating_that_is_no_number_is_told_in_every_format(live: Live) -> None:
    rows = [row(rating=1), row(rating=math.nan)]
    whole = json.dumps(rows).encode()
    for content in (as_lines(rows), whole, as_csv(rows), as_parquet(rows)):
        error = sent(live.base, content).json()["error"]
        assert (error["code"], error["param"]) == ("invalid_rows", "rows[1].rating"), error


def test_two_columns_of_one_name_are_refused(live: Live) -> None:
    content = b"system,rating,rating,,\nx,1,2,,\n"
    error = sent(live.base, content).json()["error"]
    assert (error["code"], error["param"]) == ("same_column", "rating")
