"""The files of the pages for people."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.service.live import Live

PAGES = {"annotate": "annotate", "arena": "arena/arena_0"}


@pytest.mark.parametrize("name", PAGES)
def test_files_are_small_kept_and_guarded(live: Live, name: str) -> None:
    page = httpx.get(f"{live.base}/{PAGES[name]}")
    names = re.findall(r'(?:href|src)="([^":]+\.(?:css|js))"', page.text)
    found = [page.url.join(one) for one in names]
    files = [page, *map(httpx.get, found)]
    assert {"/common/page.css", f"/{name}/page.js"} <= {one.path for one in found}
    assert sum(len(one.content) for one in files) < 40_000
    assert sum(int(one.headers["content-length"]) for one in files) < 16_000  # compressed
    for one in files:
        policy = one.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'"} <= set(policy)
        assert "unsafe" not in one.headers["content-security-policy"]
        assert one.headers["referrer-policy"] == "no-referrer"
        known = {"if-none-match": one.headers["etag"]}
        again = httpx.get(one.url, headers=known)
        assert (again.status_code, again.content) == (304, b"")
    plain = httpx.get(page.url, headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert plain.content == page.content
    missing = httpx.get(f"{live.base}/{name}/page.py")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "file_not_found")


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_say_the_same(live: Live, name: str) -> None:
    words = httpx.get(f"{live.base}/{name}/words.js").text
    _, english, russian = re.split(r"^(?:en|ru): \{$", words, flags=re.MULTILINE)
    said = {
        code: dict(re.findall(r"^(\w+):\s+\"(.*)\"", block, flags=re.MULTILINE))
        for code, block in (("en", english), ("ru", russian))
    }
    assert said["en"].keys() == said["ru"].keys()
    assert len(said["en"]) > 40
    for key, sentence in said["en"].items():
        assert set(re.findall(r"\{\d\}", sentence)) == set(re.findall(r"\{\d\}", said["ru"][key]))
    paths = (PAGES[name], f"{name}/page.js", f"{name}/{'board' if name == 'arena' else 'texts'}.js")
    sources = [httpx.get(f"{live.base}/{one}").text for one in paths]
    used = re.findall(r'(?:data-word=|say\()"(\w+)"', "".join(sources))
    assert set(used) - said["en"].keys() == set()
