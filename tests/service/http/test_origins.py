"""Web pages cannot use the service behind its owner's back; programs and its own pages can."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from tests.service.live import ROOT, Live

JSONL = b'{"id": "a", "references": ["x"]}\n'
OWN = "https://assay.example.org"


def asked(host: str, trusted: str = "", method: str = "GET", **headers: str) -> httpx.Response:
    """An answer of the application; nothing that is asked for reaches a database."""
    names = tuple(name for name in trusted.split(",") if name)
    settings = Settings(database_url="postgresql://nobody@127.0.0.1:1/x", trusted_hosts=names)
    transport = httpx.ASGITransport(create_app(settings))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            dashed = {name.replace("_", "-"): value for name, value in headers.items()}
            path = "/healthz" if method == "GET" else "/v1/score"
            return await client.request(method, path, headers={"host": host} | dashed)

    return asyncio.run(ask())


ADDRESSES = ("127.0.0.1:8000", "[::1]:8000", "10.1.2.3")
NAMES = ("localhost", "LOCALHOST:8000", "localhost.", "a.localhost", "api", "b.internal:80", "")


@pytest.mark.parametrize("host", [*ADDRESSES, *NAMES])
def test_hosts_that_no_stranger_can_name(host: str) -> None:
    assert asked(host).status_code == 200


@pytest.mark.parametrize(
    ("trusted", "host", "status"),
    [
        ("", "evil.example", 403),
        ("", "localhost.evil.example", 403),
        ("", "127.0.0.1.evil.example:8000", 403),
        ("", "[::1", 403),
        ("", "evil.example@localhost", 403),
        ("assay.example.org", "Assay.example.org:443", 200),
        ("assay.example.org", "xassay.example.org", 403),
        ("*.example.org", "assay.example.org", 200),
        ("*.example.org", "example.org", 403),
        ("*.example.org", "assayexample.org", 403),
        ("*", "evil.example", 200),
    ],
)
def test_other_hosts_are_trusted_by_setting(trusted: str, host: str, status: int) -> None:
    answer = asked(host, trusted)
    assert answer.status_code == status, answer.text
    if status == 403:
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("permission_error", "untrusted_host")
        assert "ASSAY_TRUSTED_HOSTS" in error["message"]
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "http://localhost:8000", "sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://localhost:3000", "sec_fetch_site": "same-site"}, True),
        ({"origin": "http://localhost:8000", "sec_fetch_site": "cross-site"}, True),
        ({"origin": OWN, "sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
    ],
)
def test_pages_of_other_origins_change_nothing(headers: dict[str, str], refused: bool) -> None:
    answer = asked("localhost:8000", method="POST", **headers)
    assert (answer.status_code == 403) is refused, answer.text
    if refused:
        assert answer.json()["error"]["code"] == "cross_site_request"
    assert asked("localhost:8000", **headers).status_code == 200  # reading is the browser's matter


def test_a_page_of_a_listed_host_may() -> None:
    """A proxy shows the service under a name of its own."""
    answer = asked("localhost:8000", "assay.example.org", "POST", origin=OWN)
    assert answer.status_code != 403
    assert asked("localhost:8000", "*", "POST", origin=OWN).status_code == 403


def test_every_answer_says_that_its_type_is_meant(live: Live) -> None:
    for path in ("/healthz", "/v1/nothing", "/metrics", "/docs", "/v1/datasets?limit=0"):
        assert httpx.get(f"{live.base}{path}").headers["x-content-type-options"] == "nosniff"
    refused = httpx.get(f"{live.base}/healthz", headers={"host": "evil.example"})
    assert (refused.status_code, refused.headers["x-content-type-options"]) == (403, "nosniff")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_an_upload_names_its_type(live: Live, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    query = {"name": "of-a-page", "format": "jsonl"}
    url = f"{live.base}/v1/datasets/upload"
    for content in (JSONL, iter([JSONL])):
        answer = httpx.post(url, params=query, content=content, headers=headers)
        assert answer.status_code == 415, answer.text
        assert "application/octet-stream" in answer.json()["error"]["message"]
    assert httpx.get(f"{live.base}/v1/datasets/of-a-page").status_code == 404


def test_the_documented_upload_works(live: Live, tmp_path: Path) -> None:
    (tmp_path / "news.jsonl").write_bytes(JSONL)
    found = re.search(r"`(curl[^`]*/upload\?[^`]*)`", (ROOT / "docs/score.md").read_text())
    assert found is not None
    command = found[1].replace("localhost:8000", f"localhost:{live.port}").replace("\n", " ")
    ran = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=True)
    assert b'"size":1' in ran.stdout
