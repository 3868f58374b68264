"""POST /v1/score: values at once, batches merged across requests, nothing kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
from sqlalchemy import create_engine, text

from service.client import AssayError, Client
from service.database import normalize
from tests.service.live import Live
from tests.service.texts import samples


def test_values_and_per_sample_values(assay: Client) -> None:
    given = samples()
    scores = assay.score(["chrf", "rouge", "distinct_n"], given)
    outputs = [one["output"] for one in given]
    references = [[one["references"][0] for one in given]]
    assert scores["chrf"]["value"] == pytest.approx(
        sacrebleu.corpus_chrf(outputs, references).score, abs=1e-12
    )
    own = [sacrebleu.sentence_chrf(one["output"], one["references"]).score for one in given]
    assert scores["chrf"]["per_sample"] == pytest.approx(own, abs=1e-12)
    assert len(scores["rougeL"]["per_sample"]) == len(given)
    assert scores["distinct_1"]["per_sample"] is None
    assert scores["distinct_1"]["value"] > 0.5


def test_requests_that_arrive_together_share_batches(
    live: Live, assay: Client, tiny_reward_model: Path
) -> None:
    """32 requests of one sample: far fewer forward passes, and the values they have alone."""
    reward = {"name": "reward", "params": {"model": "tiny-reward"}}
    given = [one | {"output": one["output"] + " merged"} for one in samples(32, tag="m")]
    assay.score([reward], samples(1, tag="warm"))
    before = live.counter("assay_model_calls_total")

    def ask(one: dict[str, Any]) -> float:
        with live.client() as own:
            found: float = own.score([reward], [one])["reward"]["value"]
            return found

    with ThreadPoolExecutor(32) as pool:
        together = list(pool.map(ask, given))
    calls = live.counter("assay_model_calls_total") - before
    assert 0 < calls <= 16, calls
    other = [one | {"output": one["output"] + "!"} for one in given]  # not cached
    apart = assay.score([reward], given + [one | {"id": f"o{one['id']}"} for one in other])
    assert together == pytest.approx(apart["reward"]["per_sample"][:32], rel=1e-4, abs=1e-6)
    assert len(set(together)) > 16


def test_a_metric_that_fails_fails_alone(assay: Client) -> None:
    scores = assay.score(["mauve", "chrf"], samples(4))
    assert scores["mauve"]["value"] is None
    assert scores["mauve"]["error"]["message"]
    assert scores["chrf"]["value"] > 0


def test_nothing_is_kept(assay: Client, database_url: str) -> None:
    assay.score(["chrf"], samples(4))
    engine = create_engine(normalize(database_url))
    with engine.connect() as db:
        assert db.scalar(text("SELECT count(*) FROM score_requests")) == 0
    engine.dispose()


def test_without_a_worker_it_says_so(fresh_url: str, data_dir: Path) -> None:
    service = Live(fresh_url, data_dir)
    service.api()
    try:
        body = {"metrics": ["chrf"], "samples": samples(1)}
        with service.client() as assay, pytest.raises(AssayError) as late:
            assay.request("POST", "/v1/score", body, headers={"Prefer": "wait=1"})
        assert late.value.status == 503
        assert late.value.code == "timed_out"
    finally:
        service.close()
