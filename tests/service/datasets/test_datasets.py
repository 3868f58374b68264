"""Datasets over HTTP: versions by content, records by pages."""

from __future__ import annotations

from typing import Any

import httpx

from assay import Client
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.texts import PAIRS, samples


def test_datasets_are_versioned_by_content(assay: Client) -> None:
    records = [{"id": str(at), "references": [pair[2]]} for at, pair in enumerate(PAIRS)]
    first = assay.create_dataset("versions-by-content", records)
    again = assay.create_dataset("versions-by-content", records)
    changed = assay.create_dataset("versions-by-content", records[:-1])
    assert (first.version, changed.version) == (1, 2)
    assert again.id == first.id
    outputs = {str(at): pair[1] for at, pair in enumerate(PAIRS)}
    old = scored(assay, dataset="versions-by-content@1", outputs=outputs, metrics=["chrf"])
    assert old.dataset_version == 1
    del outputs[str(len(PAIRS) - 1)]
    new = scored(assay, dataset="versions-by-content", outputs=outputs, metrics=["chrf"])
    assert new.dataset_id == changed.id


def test_records_are_paged_by_id_and_names_may_hold_slashes(live: Live, assay: Client) -> None:
    name = "lab/news/ru"
    done = scored(assay, dataset=name, samples=samples(), metrics=["chrf"])
    assert assay.request("GET", f"/v1/datasets/{name}")["id"] == done.dataset_id
    assert assay.request("GET", f"/v1/leaderboards/{name}", metric="chrf")["dataset"] == name
    path, seen = f"/v1/datasets/{name}/records", []
    query: dict[str, Any] = {}
    for _ in PAIRS:
        page = assay.request("GET", path, limit=3, **query)
        seen += [one["id"] for one in page["data"]]
        query = {"after": page["last_id"]}
        if not page["has_more"]:
            break
    assert seen == [one["id"] for one in samples()]
    for wrong in ("after=nobody", "offset=99999999999", "offset=-1"):
        answer = httpx.get(f"{live.base}{path}?{wrong}")
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == wrong.partition("=")[0]
