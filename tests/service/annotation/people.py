"""Projects and annotators of tests, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import Connection, Engine

from service.evaluations import outputs
from service.evaluations import store as evaluations
from tests.service import stored

TEXTS = ("short", "longer text", "the longest of them all", "none")


def records(count: int) -> list[dict[str, Any]]:
    return [{"id": f"s{at}", "prompt": f"Say {at}", "references": ["x"]} for at in range(count)]


def evaluation(db: Connection, system: str, texts: list[str], tag: str = "") -> str:
    """A succeeded evaluation of `texts`, without scores."""
    asked = [one | {"metadata": {"tag": tag}} for one in records(len(texts))]
    id = stored.create(db, system, asked, ["chrf"])
    outputs.add(db, id, enumerate([[text] for text in texts]))
    evaluations.lock(db, id)
    evaluations.finish(db, id, "succeeded", {})
    return id


def evaluations_of(engine: Engine, count: int, systems: int = 2, tag: str = "") -> list[str]:
    """Evaluations of systems `system-0`, …, which say something else each."""
    with engine.begin() as db:
        return [
            evaluation(db, f"system-{at}", [f"{at} says {n}" for n in range(count)], tag)
            for at in range(systems)
        ]


class Person:
    """An annotator with a link."""

    def __init__(self, base: str, token: str, http: httpx.Client | None = None) -> None:
        self.base = f"{base}/v1/annotate"
        self.http = http or httpx.Client(timeout=60)
        self.headers = {"authorization": f"Bearer {token}"}

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(
            f"{self.base}/{path}", json=body or None, headers=self.headers, timeout=60
        )

    def next(self) -> dict[str, Any]:
        answer = self.post("next")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def task(self) -> dict[str, Any]:
        answer = self.http.get(f"{self.base}/project", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


class Study:
    """A project of a service at `base`."""

    def __init__(self, base: str, evaluations: list[str], **asked: Any) -> None:
        self.base = base
        body = {"name": "study", "evaluations": evaluations, "form": "pairwise"} | asked
        made = httpx.post(f"{base}/v1/annotation_projects", json=body, timeout=60)
        assert made.status_code == 201, made.text
        self.made = made.json()
        self.url = f"{base}/v1/annotation_projects/{self.made['id']}"

    def annotator(self, name: str = "somebody", **asked: Any) -> dict[str, Any]:
        made = httpx.post(f"{self.url}/annotators", json={"name": name} | asked, timeout=60)
        assert made.status_code == 201, made.text
        return dict(made.json())

    def person(self, name: str = "somebody") -> Person:
        return Person(self.base, self.annotator(name)["token"])

    def get(self, path: str = "", **query: Any) -> dict[str, Any]:
        answer = httpx.get(self.url + path, params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def votes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            answer = self.get("/votes", limit=1000, **after)
            found += answer["data"]
            if not answer["has_more"]:
                return found
            after = {"after": answer["last_id"]}
