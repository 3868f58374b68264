"""POST /v1/score: values at once, batches merged across requests, nothing kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sacrebleu
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text

from assay import AssayError, Client, MetricLike
from inference.errors import Cancelled
from service.db import worker_requests
from service.db.engine import normalize
from service.jobs.context import Context
from service.models.resources import Resources
from service.scoring import jobs as work
from service.settings import Settings
from tests.rounding import assert_same
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
    assert_same(together, apart["reward"]["per_sample"][:32])
    assert len(set(together)) > 16


def test_a_metric_that_fails_fails_alone(assay: Client) -> None:
    scores = assay.score(["mauve", "chrf"], samples(4))
    assert scores["mauve"]["value"] is None
    assert scores["mauve"]["error"]["message"]
    assert scores["chrf"]["value"] > 0


def test_two_scores_of_one_name_are_refused(assay: Client) -> None:
    """The answer is keyed by names: one of the two would be lost."""
    twice: list[MetricLike] = ["chrf", {"name": "chrf", "params": {"word_order": 2}}]
    with pytest.raises(AssayError) as refused:
        assay.score(twice, samples(1))
    assert (refused.value.status, refused.value.param) == (422, "metrics[1]")


def test_nothing_is_kept(assay: Client, database_url: str) -> None:
    assay.score(["chrf"], samples(4))
    engine = create_engine(normalize(database_url))
    with engine.connect() as db:
        assert db.scalar(text("SELECT count(*) FROM worker_requests")) == 0
    engine.dispose()


def _added(engine: Engine, count: int) -> list[str]:
    given = samples(count)
    content = [
        {
            "metrics": [{"name": "chrf", "params": {}}],
            "samples": [
                {"id": "1", "outputs": [one["output"]], "references": one["references"]}
                | {"prompt": None, "tests": None}
            ],
        }
        for one in given
    ]
    with engine.begin() as db:
        return [worker_requests.add(db, "score", one, b"group") for one in content]


def test_who_gives_up_does_not_wait_for_the_worker(engine: Engine) -> None:
    """A request in the middle of being measured can be given up at once, and is then missed."""
    first, second = _added(engine, 2)
    with engine.begin() as worker:
        taken = [one.id for one in worker_requests.take(worker, first, 10)]
        assert taken == [first, second]
        with engine.begin() as other:
            assert worker_requests.take(other, second, 10) == []  # one worker has it
        with engine.begin() as api:
            api.execute(text("SET LOCAL lock_timeout = '500ms'"))
            worker_requests.abandon(api, first)
        assert worker_requests.wanted(worker, taken)
        with engine.begin() as api:
            worker_requests.abandon(api, second)
        assert not worker_requests.wanted(worker, taken)
    with engine.begin() as worker:
        assert worker_requests.take(worker, first, 10) == []


def test_scoring_stops_when_nobody_waits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "EVERY_SECONDS", 0.0)
    made = _added(engine, 2)
    context = Context(cast(Resources, SimpleNamespace(engine=engine)))
    look = work._watch(context, made)
    look(1)
    with engine.begin() as db:
        for one in made:
            worker_requests.abandon(db, one)
    with pytest.raises(Cancelled):
        look(1)


def test_tried_again_a_request_goes_alone(fresh_url: str, engine: Engine, tmp_path: Path) -> None:
    """One that breaks its batch would else use up the attempts of all that came with it."""
    first, second = _added(engine, 2)
    settings = Settings(database_url=SecretStr(fresh_url), data_dir=tmp_path)
    resources = Resources(settings, "cpu")
    work.score_batch(Context(resources, attempt=2), first)
    with engine.begin() as db:
        assert worker_requests.collect(db, first) is not None
        assert worker_requests.collect(db, second) is None
    work.score_batch(Context(resources, attempt=1), second)
    with engine.begin() as db:
        assert worker_requests.collect(db, second) is not None
    resources.engine.dispose()


@pytest.mark.slow
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


def test_of_two_models_the_one_that_is_missing_is_named(assay: Client) -> None:
    comet = {"name": "comet", "params": {"model": "builtin/minilm-l6", "encoder": "nowhere"}}
    sample = {"prompt": "Hallo", "output": "Hello", "references": ["Hello"]}
    with pytest.raises(AssayError, match="nowhere") as refused:
        assay.score([comet], [sample])
    assert refused.value.param == "metrics[0].params.encoder"


def test_what_metrics_read_of_the_metadata(assay: Client) -> None:
    """Instructions are part of an item; confidences come beside its evidence."""
    asked = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    given = [
        {"output": output, "references": ["A"], "metadata": asked | {"confidence": confidence}}
        for output, confidence in (("A", 0.9), ("A, B", 0.9))
    ]
    found = assay.score(["ifeval"], given)
    assert found["ifeval_prompt_strict"].per_sample == [1.0, 0.0]
    brier = assay.score(["calibration"], given)["brier"]
    assert brier.value == pytest.approx((0.1**2 + 0.9**2) / 2)


@pytest.mark.parametrize(
    ("metric", "what"),
    [("toxicity", "sequence-classification"), ("comet", "hparams.yaml"), ("nli", "entailment")],
)
def test_which_model_would_be_needed(assay: Client, metric: str, what: str) -> None:
    sample = {"prompt": "Hallo", "output": "Hello", "references": ["Hello"]}
    with pytest.raises(AssayError, match=f"{metric} needs 'model'.*{what}") as refused:
        assay.score([metric], [sample])
    assert refused.value.param == "metrics[0].params.model"
