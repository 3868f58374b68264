"""The same import again: the same evaluations, whoever asks and however often."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import Engine

from assay import Client
from service.evaluations import store as evaluations
from service.imports import admission, contents, formats
from service.imports.admission import Chosen
from service.settings import Settings
from tests.service.live import Live

TABLE = "id,output,acc\n1,x,1\n"


def test_the_same_import_again_is_the_same_evaluation(live: Live, assay: Client) -> None:
    def sent(table: str = TABLE, **options: str) -> tuple[int, str]:
        answer = httpx.post(
            f"{live.base}/v1/imports",
            params={"system": "s", "dataset": "again", **options},
            headers={"content-type": "application/octet-stream"},
            content=table,
            timeout=60,
        )
        (one,) = answer.json()["evaluations"]
        return answer.status_code, one["evaluation"]

    with ThreadPoolExecutor(4) as several:
        found = [one.result() for one in [several.submit(sent) for _ in range(4)]]
    assert sorted(status for status, _ in found) == [200, 200, 200, 201]
    (id,) = {id for _, id in found}
    assert sent(file="renamed.csv") == (200, id)
    assert sent(f"{TABLE}2,y,0\n")[0] == 201
    for option in (
        *({"system": "t"}, {"dataset": "other"}, {"lower_is_better": "acc"}),
        {"mapping": "id:id,acc:score"},
    ):
        assert sent(**option)[0] == 201, option
    assert assay.wait(id, timeout=60).status == "succeeded"
    assert sent() == (200, id)


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_what_has_not_succeeded_is_imported_anew(engine: Engine, end: str) -> None:
    inside = contents.opened(io.BytesIO(TABLE.encode()), "votes.csv", 1000)
    found, _ = formats.read(inside, "csv", "s", {}, "anew")
    chosen = Chosen("s", "anew", (), (), ())
    ready = admission.prepared(found, chosen)
    about = {"digest": "sha256:x", "format": "csv", "file": "votes.csv"}
    with engine.begin() as db:
        ids, made = admission.store_all(db, ready, Settings(), chosen, about, None)
        assert made
        assert admission.store_all(db, ready, Settings(), chosen, about, None) == (ids, False)
        evaluations.start(db, ids[0], {})
        evaluations.finish(db, ids[0], end, {})
        again, made = admission.store_all(db, ready, Settings(), chosen, about, None)
    assert made
    assert again != ids
