"""Boards, comparisons and evaluations in the form that is asked for, from the running service."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from starlette.datastructures import URL

from assay import Client
from service.figures.formats import FORMATS
from service.http.formats import Form, Written, disposition, in_forms, preferred
from service.leaderboards.schemas import ComparisonOut
from service.leaderboards.tables import comparison_table
from tests.service.annotation.people import Study
from tests.service.figures.boards import comparison, result
from tests.service.figures.compiled import ENGINES, compiled
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.texts import samples
from tests.service.vote_analyses.voting import vote_on_all

DATASET = "формы/news"
SYSTEM = "=модель_a & <b>"
HARD = r"a_b & 50% #1 $x$ \input{/etc/passwd} {~^} 🙂 " + "очень-длинно_" * 8


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/*", "json"),
        ("application/json, text/csv", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV; header=present", "csv"),
        ("text/csv, */*", "csv"),
        ("text/csv;q=0.5, text/markdown;q=0.9", "md"),
        ("text/*", "csv"),
        ("text/*;q=0.4, text/csv;q=0", "md"),
        ("application/x-latex", "latex"),
        ("application/vnd.apache.parquet;q=1.0, */*;q=0.1", "parquet"),
        ("image/avif,image/webp,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "svg"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/svg+xml,*/*;q=0.8", "json"),
        ("text/html", None),
        ("text/csv;q=0", None),
        ("application/json;q=0, */*", "csv"),
        ("text/csv;q=nonsense", None),
        (";;;, text/markdown", "md"),
    ],
)
def test_what_an_accept_likes_best(accept: str, name: str | None) -> None:
    assert preferred(accept) == name


def test_files_are_named_in_every_alphabet() -> None:
    csv_, svg = FORMATS["csv"], FORMATS["svg"]
    assert disposition("news-1-chrf", csv_) == (
        "attachment; filename=\"news-1-chrf.csv\"; filename*=UTF-8''news-1-chrf.csv"
    )
    assert disposition('а/б"\r\nx: y', svg) == (
        "inline; filename=\"x-y.svg\"; filename*=UTF-8''%D0%B0-%D0%B1-x-y.svg"
    )
    assert 'filename="table.csv"' in disposition("ё", csv_)


@pytest.fixture(scope="module")
def pair(assay: Client) -> list[str]:
    """Two evaluations on one board; one system's name would be a formula."""
    metrics = ["chrf", "bleu"]
    good = scored(
        assay, system=SYSTEM, dataset=DATASET, samples=samples(48), metrics=metrics, slices=["lang"]
    )
    worse = samples(48, worse=True)
    bad = scored(assay, system=HARD, dataset=DATASET, samples=worse, metrics=metrics)
    return [good.id, bad.id]


def requests(pair: list[str]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        "board": ("GET", f"/v1/leaderboards/{DATASET}?metric=chrf", {}),
        "comparison": ("POST", "/v1/comparisons", {"json": {"evaluations": pair}}),
        "evaluation": ("GET", f"/v1/evaluations/{pair[0]}", {}),
    }


def system_of(row: dict[str, Any]) -> str:
    return str(row.get("system") or row["system_a"])


@pytest.mark.parametrize("kind", ["board", "comparison", "evaluation"])
def test_every_answer_has_every_form(live: Live, pair: list[str], kind: str) -> None:
    method, path, given = requests(pair)[kind]
    url = live.base + path

    def ask(accept: str) -> httpx.Response:
        return httpx.request(method, url, headers={"Accept": accept}, timeout=60, **given)

    whole = ask("*/*")
    assert whole.headers["content-type"] == "application/json"
    assert whole.headers["vary"] == "Accept"
    assert ask("application/json").content == whole.content
    content = whole.json()
    count = len(content.get("rows") or content.get("results") or []) or len(
        content["scores"] + content["slices"]
    )
    bodies = {}
    for form in FORMATS.values():
        answer = ask(form.media)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == form.media
        assert answer.headers["vary"] == "Accept"
        assert f".{form.ending}" in answer.headers["content-disposition"]
        bodies[form.name] = answer.content
    rows = list(csv.DictReader(io.StringIO(bodies["csv"].decode(), newline="")))
    assert len(rows) == count
    assert system_of(rows[0]) == f"'{SYSTEM}"
    table = pq.read_table(io.BytesIO(bodies["parquet"])).to_pylist()
    assert len(table) == count
    assert system_of(table[0]) == SYSTEM
    shown = ["".join(one.itertext()) for one in ET.fromstring(bodies["svg"]).iter()]  # noqa: S314
    assert any(SYSTEM in text for text in shown)
    assert r"\_a \& \<b\>" in bodies["md"].decode()
    assert r"\_a \& \textless{}b\textgreater{}" in bodies["latex"].decode()


@pytest.mark.parametrize("engine", ENGINES)
def test_latex_compiles(
    assay: Client, live: Live, pair: list[str], engine: str, tmp_path: Path
) -> None:
    assay.create_board(
        "на бумаге", [{"dataset": DATASET, "score": one} for one in ("chrf", "bleu")]
    )
    asked = [*requests(pair).values(), ("GET", "/v1/boards/на бумаге", {})]
    tables = []
    for method, path, given in asked:
        accept = {"Accept": "application/x-latex"}
        answer = httpx.request(method, live.base + path, headers=accept, timeout=60, **given)
        assert answer.status_code == 200, answer.text
        tables.append(answer.content)
    assert "Overfull \\hbox" not in compiled(engine, tmp_path, *tables)


def test_an_answer_is_written_where_it_is_made() -> None:
    answer = comparison([result("chrf", 2.0, 0.01)])

    @in_forms(comparison_table)
    def endpoint() -> ComparisonOut:
        return answer

    asked: dict[str, Any] = {"wanted_form": Form(url=URL("http://here/v1/comparisons"))}
    made: object = endpoint(**asked)
    assert isinstance(made, Written)
    assert ComparisonOut.model_validate_json(bytes(made.body)) == answer
    assert endpoint() is answer  # asked for in Python


def test_a_browser_asks_in_the_address(live: Live, pair: list[str]) -> None:
    url = f"{live.base}/v1/leaderboards/{DATASET}"
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for name, form in FORMATS.items():
        answer = httpx.get(url, params={"metric": "chrf", "format": name}, headers=browser)
        assert answer.headers["content-type"].partition(";")[0] == form.media
    answer = httpx.get(
        url, params={"metric": "chrf", "format": "json"}, headers={"Accept": "text/csv"}
    )
    assert len(answer.json()["rows"]) == len(pair)
    figure = httpx.get(url, params={"metric": "chrf", "format": "svg"})
    assert figure.headers["content-disposition"].startswith("inline")
    assert figure.headers["content-security-policy"].startswith("default-src 'none'")


def test_other_forms_are_refused_with_what_there_is(live: Live, pair: list[str]) -> None:
    url = f"{live.base}/v1/evaluations/{pair[0]}"
    answer = httpx.get(url, headers={"Accept": "application/pdf"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (406, "not_acceptable", "Accept")
    assert all(form.media in error["message"] for form in FORMATS.values())
    assert answer.headers["vary"] == "Accept"
    answer = httpx.get(url, params={"format": "xls"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "format")
    assert "'parquet'" in answer.json()["error"]["message"]
    missing = httpx.get(f"{live.base}/v1/evaluations/eval_none", headers={"Accept": "text/csv"})
    assert missing.json()["error"]["code"] == "evaluation_not_found"  # errors are always JSON


def test_every_table_is_drawn_or_says_that_it_has_no_picture(
    assay: Client, live: Live, pair: list[str]
) -> None:
    """By what the document says: a table of a new route needs an address here."""
    parts = [{"dataset": DATASET, "score": one} for one in ("chrf", "bleu")]
    assay.create_board("drawn", parts)
    study = Study(live.base, pair, items=3)
    vote_on_all(study.person(), lambda item: {"choice": "a"})
    project = f"/v1/annotation_projects/{study.made['id']}"
    addresses = requests(pair) | {
        "defined": ("GET", "/v1/boards/drawn", {}),
        "front": ("GET", f"/v1/pareto/{DATASET}?metric=chrf&metric=bleu", {}),
        "votes": ("GET", f"{project}/votes", {}),
        "items": ("GET", f"{project}/items", {}),
    }
    paths: dict[str, Any] = assay.request("GET", "/openapi.json")["paths"]
    drawn = {
        path: "image/svg+xml" in content
        for path, operations in paths.items()
        for operation in operations.values()
        if "text/markdown" in (content := operation["responses"].get("200", {}).get("content", {}))
    }
    assert len(drawn) == len(addresses)
    for method, address, given in addresses.values():
        (path,) = [one for one in drawn if matches(one, address.partition("?")[0])]
        ask = {"url": live.base + address, "timeout": 60, **given}
        table = httpx.request(method, headers={"Accept": "text/csv"}, **ask)
        assert len(table.text.splitlines()) > 1, table.text
        accepted = httpx.request(method, headers={"Accept": "image/svg+xml"}, **ask)
        if drawn[path]:
            assert ET.fromstring(accepted.content).tag.endswith("svg")  # noqa: S314
        else:
            named = httpx.request(method, params={"format": "svg"}, **ask)
            assert (named.status_code, named.json()["error"]["param"]) == (422, "format")
            assert (accepted.status_code, accepted.json()["error"]["param"]) == (406, "Accept")
            assert "svg" not in accepted.json()["error"]["message"].partition("there are")[2]


def matches(template: str, path: str) -> bool:
    """Whether the document's path is that of the address; a dataset's name may hold slashes."""
    return re.fullmatch(re.sub(r"\{.*?\}", ".+", template), path) is not None


def test_the_document_lists_the_forms(assay: Client) -> None:
    paths: dict[str, Any] = assay.request("GET", "/openapi.json")["paths"]
    for path, method in (
        ("/v1/leaderboards/{dataset}", "get"),
        ("/v1/comparisons", "post"),
        ("/v1/evaluations/{evaluation}", "get"),
    ):
        operation = paths[path][method]
        content = operation["responses"]["200"]["content"]
        assert list(content) == ["application/json", *(one.media for one in FORMATS.values())]
        assert "$ref" in json.dumps(content["application/json"])
        assert "format" in {one["name"] for one in operation["parameters"]}
        assert "accept" not in {one["name"].lower() for one in operation["parameters"]}
