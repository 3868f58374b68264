"""What headers say of things with names of any script: ASCII, and addresses that lead there."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest

from assay import Client
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.texts import samples

NAMES = ["новости дня", 'the "best", 50%>#1?']


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest, assay: Client) -> str:
    """Of a dataset with two systems, a board of one's own and a gate."""
    named = str(request.param)
    for worse in (False, True):
        system = f"{named}, worse" if worse else named
        given = samples(12, worse=worse)
        scored(assay, system=system, dataset=named, samples=given, metrics=["chrf", "bleu"])
    assay.request(
        "POST", "/v1/boards", {"name": named, "parts": [{"dataset": named, "score": "chrf"}]}
    )
    rules = [{"score": "chrf", "max_drop": 5}]
    assay.create_gate(named, baseline=named, dataset=named, rules=rules)
    return named


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/v1/leaderboards/{name}?metric=chrf&format=csv", "content-disposition"),
        ("GET", "/v1/leaderboards/{name}?metric=chrf&format=csv&limit=1", "link"),
        ("GET", "/v1/pareto/{name}?metric=chrf&metric=bleu&format=csv", "content-disposition"),
        ("GET", "/v1/boards/{name}?format=svg", "content-disposition"),
        ("GET", "/v1/evaluations/{evaluation}?format=md", "content-disposition"),
        ("GET", "/v1/evaluations/{evaluation}/archive", "content-disposition"),
        ("GET", "/v1/evaluations/{evaluation}/every_eval_ever", "content-disposition"),
        ("POST", "/v1/gates/{name}/check", "location"),
    ],
)
def test_headers_of_any_name(
    live: Live, assay: Client, name: str, method: str, path: str, told: str
) -> None:
    newest = next(iter(assay.evaluations(dataset=name))).id
    address = path.format(name=quote(name, safe=""), evaluation=newest)
    body = {"evaluation": newest} if method == "POST" else None
    with httpx.Client(base_url=live.base, timeout=60) as http:
        answer = http.request(method, address, json=body)
        assert answer.status_code == 200, answer.text
        assert told in answer.headers
        for header, value in answer.headers.raw:
            assert value.isascii(), header
            assert value.count(b'"') % 2 == 0, header
        there = answer.headers.get("location") or answer.links.get("next", {}).get("url")
        if there is not None:
            assert not set(' "<>') & set(there)
            assert http.get(there).status_code == 200
