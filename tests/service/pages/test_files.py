"""The files of the page on which people annotate."""

from __future__ import annotations

import re

import httpx

from tests.service.live import Live


def test_files_are_small_kept_and_guarded(live: Live) -> None:
    page = httpx.get(f"{live.base}/annotate")
    names = re.findall(r'(?:href|src)="(annotate/[^"]+)"', page.text)
    files = [page, *(httpx.get(f"{live.base}/{name}") for name in names)]
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
    missing = httpx.get(f"{live.base}/annotate/page.py")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "file_not_found")


def test_both_languages_say_the_same(live: Live) -> None:
    words = httpx.get(f"{live.base}/annotate/words.js").text
    _, english, russian = re.split(r"^  (?:en|ru): \{$", words, flags=re.MULTILINE)
    said = {
        name: dict(re.findall(r"^    (\w+):\s+\"(.*)\"", block, flags=re.MULTILINE))
        for name, block in (("en", english), ("ru", russian))
    }
    assert said["en"].keys() == said["ru"].keys()
    assert len(said["en"]) > 40
    for name, sentence in said["en"].items():
        assert set(re.findall(r"\{\d\}", sentence)) == set(re.findall(r"\{\d\}", said["ru"][name]))
    sources = [httpx.get(f"{live.base}/annotate{one}").text for one in ("", "/page.js")]
    used = re.findall(r'(?:data-word=|say\()"(\w+)"', "".join(sources))
    assert set(used) - said["en"].keys() == set()
