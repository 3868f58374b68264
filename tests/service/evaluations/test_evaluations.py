"""Evaluations over HTTP, against a running service: what goes in, what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import sacrebleu

from assay import AssayError, Client
from tests.known import known
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.texts import PAIRS, samples
from tests.waiting import until


def test_values_are_the_reference_implementations(assay: Client) -> None:
    done = scored(assay, dataset="reference", samples=samples(), metrics=["bleu", "chrf"])
    outputs = [one["output"] for one in samples()]
    references = [[one["references"][0] for one in samples()]]
    assert done.score("bleu").value == sacrebleu.corpus_bleu(outputs, references).score
    assert done.score("chrf").value == pytest.approx(
        sacrebleu.corpus_chrf(outputs, references).score, abs=1e-12
    )
    for score in done.scores:
        assert score.interval is not None
        assert score.interval[0] <= score.value <= score.interval[1]
        assert score.n == len(PAIRS)
        assert score.signature.startswith(f"{score.metric}|version:1|")
    assert done.progress.done == done.progress.total == 2 * len(PAIRS)


def test_slices_are_evaluations_of_their_part(assay: Client) -> None:
    done = scored(assay, dataset="sliced", samples=samples(), metrics=["chrf"], slices=["lang"])
    russian = [one for one in samples() if one["metadata"]["lang"] == "ru"]
    alone = scored(assay, dataset="sliced-ru", samples=russian, metrics=["chrf"])
    found = {score.slice: score for score in done.slices}
    assert set(found) == {"lang=en", "lang=ru"}
    assert found["lang=ru"].value == alone.score("chrf").value
    assert found["lang=ru"].interval == alone.score("chrf").interval
    assert found["lang=ru"].n == len(russian)


def test_several_outputs_are_one_unit(assay: Client) -> None:
    several = [
        {"id": one["id"], "outputs": [one["output"], "нечто иное"], "references": one["references"]}
        for one in samples()
    ]
    done = scored(assay, dataset="several", samples=several, metrics=["exact_match", "distinct_n"])
    assert done.score("exact_match").n == len(several)
    assert done.score("exact_match").value == 0.0
    assert 0 < known(done.score("distinct_1").value) < 1


def test_worst_first(assay: Client) -> None:
    done = scored(assay, dataset="worst", samples=samples(), metrics=["chrf", "bleu"])
    found = assay.samples(done.id, sort="chrf", limit=100)
    values = [known(one.scores["chrf"]) for one in found]
    assert values == sorted(values)
    assert {one.id for one in found} == {one["id"] for one in samples()}
    worst = found[0]
    output = next(one["output"] for one in samples() if one["id"] == worst.id)
    assert worst.outputs == [output]
    expected = sacrebleu.sentence_chrf(output, worst.references).score
    assert worst.scores["chrf"] == pytest.approx(expected, abs=1e-12)
    path = f"/v1/evaluations/{done.id}/samples"
    first = assay.request("GET", path, sort="chrf", limit=3)
    rest = assay.request("GET", path, sort="chrf", limit=100, after=first["last_id"])
    assert first["has_more"]
    assert not rest["has_more"]
    assert [one["id"] for one in first["data"] + rest["data"]] == [one.id for one in found]
    with pytest.raises(AssayError) as refused:
        assay.samples(done.id, sort="chfr")
    assert refused.value.status == 422
    assert "chrf" in refused.value.message


def test_worst_first_where_less_is_better(assay: Client, tiny_language_model: Path) -> None:
    metric = {"name": "perplexity", "params": {"model": str(tiny_language_model)}}
    done = scored(assay, dataset="worst-less", samples=samples(), metrics=[metric])
    (score,) = [one for one in done.scores if one.name == "perplexity"]
    assert not score.higher_is_better

    def values(order: str | None) -> list[float]:
        found = assay.samples(done.id, sort="perplexity", order=order, limit=100)
        return [known(one.scores["perplexity"]) for one in found]

    rising = sorted(values("asc"))
    assert rising[0] < rising[-1]
    assert values(None) == values("desc") == rising[::-1]
    assert values("asc") == rising


def test_samples_of_a_slice(assay: Client) -> None:
    done = scored(assay, dataset="sliced-samples", samples=samples(), metrics=["chrf"])
    russian = [one["id"] for one in samples() if one["metadata"]["lang"] == "ru"]
    assert 1 < len(russian) < len(samples())
    found = assay.samples(done.id, slice="lang=ru", limit=100)
    assert [one.id for one in found] == russian
    values = [known(one.scores["chrf"]) for one in found]
    by_score = list(assay.all_samples(done.id, sort="chrf", slice="lang=ru"))
    assert [one.scores["chrf"] for one in by_score] == sorted(values)
    path = f"/v1/evaluations/{done.id}/samples"
    rest = assay.request("GET", path, slice="lang=ru", after=russian[0])
    assert [one["id"] for one in rest["data"]] == russian[1:]
    outside = next(one["id"] for one in samples() if one["id"] not in russian)
    for query, code in [
        ({"slice": "lang=rus"}, "unknown_slice"),
        ({"slice": "lang"}, "unknown_slice"),
        ({"slice": "topic=x"}, "unknown_slice"),
        ({"slice": "lang=ru", "after": outside}, "unknown_cursor"),
    ]:
        with pytest.raises(AssayError) as refused:
            assay.request("GET", path, **query)
        assert (refused.value.status, refused.value.code) == (422, code)
    with pytest.raises(AssayError, match="did you mean 'ru'"):
        assay.request("GET", path, slice="lang=rus")


def test_events_are_listed_and_streamed(assay: Client) -> None:
    made = assay.evaluate(
        system="tester", dataset="events", samples=samples(), metrics=["chrf", "bleu"]
    )
    streamed = list(assay.events(made.id))
    stored = [event for event in streamed if event.id is not None]
    assert [event.type for event in stored] == ["running", "succeeded"]
    assert [event.id for event in stored] == [1, 2]
    assert stored[-1].data["scores"]["chrf"] == assay.evaluation(made.id).score("chrf").value
    resumed = [event.id for event in assay.events(made.id, after=1)]
    assert resumed == [2]
    listed = assay.request("GET", f"/v1/evaluations/{made.id}/events")
    assert [one["type"] for one in listed["data"]] == ["running", "succeeded"]


def test_prefer_wait_makes_it_one_call(live: Live) -> None:
    body = {"system": "x", "dataset": "waited", "samples": samples(), "metrics": ["chrf"]}
    answer = httpx.post(
        f"{live.base}/v1/evaluations", json=body, headers={"Prefer": "wait=30"}, timeout=40
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == "succeeded"
    assert answer.headers["location"] == f"/v1/evaluations/{answer.json()['id']}"


def test_an_idempotency_key_is_bound_to_its_body(live: Live) -> None:
    body = {"system": "x", "dataset": "idem", "samples": samples(), "metrics": ["chrf"]}
    headers = {"Idempotency-Key": "key-1"}
    url = f"{live.base}/v1/evaluations"
    first, again = (httpx.post(url, json=body, headers=headers) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    other = httpx.post(url, json=body | {"system": "y"}, headers=headers)
    assert other.status_code == 409
    assert other.headers["x-should-retry"] == "false"
    assert other.json()["error"]["code"] == "idempotency_key_reused"


def test_an_idempotency_key_of_any_script_is_quoted_as_it_was_typed(live: Live) -> None:
    body = {"system": "x", "dataset": "ключи", "samples": samples(), "metrics": ["chrf"]}
    url = f"{live.base}/v1/evaluations"
    for key, shown in (("ключ".encode(), "'ключ'"), (b"cl\xe9", "'clé'")):
        headers = {b"Idempotency-Key": key}
        assert httpx.post(url, json=body, headers=headers).status_code == 202
        other = httpx.post(url, json=body | {"system": "y"}, headers=headers)
        assert other.status_code == 409
        assert shown in other.json()["error"]["message"]


def test_cancel_stops_the_worker_between_batches(
    assay: Client, live: Live, tiny_language_model: Any
) -> None:
    perplexity = {"name": "perplexity", "params": {"model": "tiny-language"}}
    made = assay.evaluate(
        system="x", dataset="cancel", samples=samples(4000, tag="c"), metrics=[perplexity]
    )
    until(lambda: assay.evaluation(made.id).progress.done > 0, 60)
    cancelled = assay.cancel(made.id)
    assert cancelled.status == "cancelled"
    with psycopg.connect(live.env["ASSAY_DATABASE_URL"], autocommit=True) as db:
        at_work = (
            "SELECT FROM procrastinate_jobs WHERE status = 'doing' AND args ->> 'evaluation' = %s"
        )
        until(lambda: not db.execute(at_work, [made.id]).fetchall(), 10)
        measured = "SELECT FROM measurements WHERE evaluation_id = %s"
        assert not db.execute(measured, [made.id]).fetchall()  # not even the first shard
    assert assay.cancel(made.id).status == "cancelled"
    done = scored(assay, dataset="after", samples=samples(), metrics=["chrf"])
    with pytest.raises(AssayError) as refused:
        assay.cancel(done.id)
    assert refused.value.status == 409
    assert assay.evaluation(made.id).status == "cancelled"


def test_a_model_the_service_runs(assay: Client) -> None:
    prompts = [{"id": "fr", "prompt": "What is the capital of France?", "references": ["Paris"]}]
    assay.create_dataset("questions", prompts)
    done = scored(
        assay,
        system=None,
        dataset="questions",
        model="builtin/smollm2-135m-instruct",
        generation={"max_new_tokens": 12, "stop": ["\n"]},
        metrics=["token_f1"],
    )
    assert done.system == "builtin/smollm2-135m-instruct"
    (sample,) = assay.samples(done.id)
    assert "Paris" in sample.outputs[0]
    assert known(sample.scores["token_f1"]) > 0


def test_scoring_again_runs_no_model(live: Live, assay: Client) -> None:
    metrics = [{"name": "perplexity", "params": {"model": "tiny-language"}}, "bertscore"]
    given = samples(24, tag="again")
    first = scored(assay, dataset="again", samples=given, metrics=metrics)
    calls = live.counter("assay_model_calls_total")
    assert calls > 0
    second = scored(assay, system="renamed", dataset="again-2", samples=given, metrics=metrics)
    assert live.counter("assay_model_calls_total") == calls
    for score in first.scores:
        assert second.score(score.name).value == score.value
        assert second.score(score.name).interval == score.interval


def test_one_bad_metric_leaves_the_others(assay: Client) -> None:
    done = scored(
        assay, dataset="partly", samples=samples(), metrics=["chrf", "mauve", "distinct_n"]
    )
    assert done.score("chrf").value is not None
    assert done.score("distinct_2").value is not None
    mauve = done.score("mauve")
    assert mauve.value is None
    assert mauve.error is not None
    assert mauve.error["message"]
