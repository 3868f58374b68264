"""Both clients against a running service: everything but training."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sacrebleu

from assay import (
    AssayError,
    Client,
    ConnectionFailed,
    Dataset,
    Evaluation,
    Progress,
    WaitTimedOut,
)
from tests.assay.blocking import client_of
from tests.service.texts import PAIRS, samples

RECORDS = [
    {"id": str(index), "references": [reference], "metadata": {"lang": lang}}
    for index, (lang, _, reference) in enumerate(PAIRS)
]
OUTPUTS = {str(index): output for index, (_, output, _) in enumerate(PAIRS)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """`RECORDS` as JSONL, two rows of it beyond ASCII."""
    path = tmp_path / "новости.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in RECORDS))
    return path


def evaluated(assay: Client, name: str, *, worse: bool = False, system: str = "") -> Evaluation:
    queued = assay.evaluate(
        system=system or name,
        dataset=name,
        samples=samples(48, worse=worse),
        metrics=["chrf", "length"],
        slices=["lang"],
    )
    return assay.wait(queued.id, timeout=120)


def test_the_catalogue(assay: Client) -> None:
    listed = assay.metrics()
    assert {"bleu", "chrf", "pass_at_k"} <= {metric.id for metric in listed}
    chrf = assay.metric("chrf")
    assert chrf in listed
    assert chrf.scores[0].higher_is_better
    assert "word_order" in chrf.params["properties"]
    assert assay.trainer("dpo").kind == "preference"
    assert {"sft", "dpo", "grpo"} <= {trainer.id for trainer in assay.trainers()}
    assert ("tiny-language", "root") in {(model.id, model.origin) for model in assay.models()}


def test_scores_at_once(assay: Client) -> None:
    given = samples()
    scores = assay.score(["chrf", "distinct_n"], given)
    own = [sacrebleu.sentence_chrf(one["output"], one["references"]).score for one in given]
    assert scores["chrf"].per_sample == pytest.approx(own, abs=1e-12)
    assert scores["distinct_1"].per_sample is None
    assert assay.score("chrf", given)["chrf"].value == scores["chrf"].value


def test_a_dataset_from_a_file(assay: Client, kind: str, file: Path) -> None:
    told: list[Progress] = []
    name = f"новости/{kind}"
    uploaded = assay.upload_dataset(name, file, progress=told.append)
    size = file.stat().st_size
    assert told[-1] == Progress(done=size, total=size)
    assert (uploaded.name, uploaded.version, uploaded.size) == (name, 1, len(RECORDS))
    assert [row["references"] for row in assay.records(name)] == [
        row["references"] for row in RECORDS
    ]
    again = assay.create_dataset(name, RECORDS)
    assert again == uploaded
    shorter = assay.create_dataset(name, RECORDS[:2])
    assert shorter.version == 2
    assert assay.dataset(f"{name}@1") == uploaded
    assert ids(list(assay.datasets(name=name))) == [shorter.id, uploaded.id]
    queued = assay.evaluate(system="x", dataset=f"{name}@1", outputs=OUTPUTS, metrics="chrf")
    references = [[row[2] for row in PAIRS]]
    expected = sacrebleu.corpus_chrf([row[1] for row in PAIRS], references).score
    assert assay.wait(queued.id).score("chrf").value == pytest.approx(expected, abs=1e-12)


def ids(found: Sequence[Dataset | Evaluation]) -> list[str]:
    return [one.id for one in found]


def test_a_file_whose_name_says_no_format(assay: Client, file: Path) -> None:
    unnamed = file.rename(file.with_suffix(".txt"))
    with pytest.raises(ValueError, match="jsonl, csv, parquet"):
        assay.upload_dataset("unnamed", unnamed)
    assert assay.upload_dataset("unnamed", unnamed, format="jsonl").size == len(RECORDS)


def test_a_bad_row_of_a_file_is_named(assay: Client, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"id": "a"}\n{"id": "b", "references": "Москва"}\n')
    with pytest.raises(AssayError) as refused:
        assay.upload_dataset("bad-file", file)
    assert (refused.value.status, refused.value.param) == (422, "rows[1].references")


def test_results_of_an_evaluation(assay: Client, kind: str) -> None:
    done = evaluated(assay, f"results-{kind}")
    assert done.finished
    assert done.status == "succeeded"
    chrf = done.score("chrf")
    assert chrf.value is not None
    assert chrf.interval is not None
    assert chrf.interval[0] <= chrf.value <= chrf.interval[1]
    assert {score.slice for score in done.slices} == {"lang=en", "lang=ru"}
    with pytest.raises(KeyError):
        done.score("chfr")
    assert assay.evaluation(done.id) == done
    worst = assay.samples(done.id, sort="chrf", limit=5)
    everything = list(assay.all_samples(done.id, sort="chrf"))
    assert worst == everything[:5]
    assert len(everything) == 48
    values = [sample.scores["chrf"] or 0.0 for sample in everything]
    assert values == sorted(values)
    assert ids(list(assay.evaluations(system=f"results-{kind}"))) == [done.id]


def test_lists_longer_than_a_page(assay: Client, kind: str) -> None:
    name = f"long-{kind}"
    given = samples(205)
    done = assay.wait(assay.evaluate(system="x", dataset=name, samples=given, metrics="length").id)
    found = list(assay.all_samples(done.id))
    assert {sample.id for sample in found} == {sample["id"] for sample in given}
    assert len(found) == 205
    assert [row["id"] for row in assay.records(name, limit=3)] == ["s0", "s1", "s2"]
    assert list(assay.records(name, limit=0)) == []


def test_the_same_key_is_the_same_evaluation(assay: Client, kind: str) -> None:
    first, again = (
        assay.evaluate(
            system="x", dataset="key", samples=samples(), metrics="chrf", idempotency_key=kind
        )
        for _ in range(2)
    )
    other = assay.evaluate(system="x", dataset="key", samples=samples(), metrics="chrf")
    assert first.id == again.id != other.id


def test_leaderboard_and_comparison(assay: Client, kind: str) -> None:
    name = f"board-{kind}"
    good = evaluated(assay, name, system="good")
    bad = evaluated(assay, name, system="bad", worse=True)
    board = assay.leaderboard(name, "chrf")
    assert [(row.rank, row.system) for row in board.rows] == [(1, "good"), (2, "bad")]
    assert board.rows[0].p_vs_next is not None
    assert board.rows[0].p_vs_next < 0.05
    russian = assay.leaderboard(name, "chrf", slice="lang=ru")
    assert russian.rows[0].n == 24
    entry = next(entry for entry in assay.leaderboards() if entry.dataset == name)
    assert {"chrf", "length"} <= set(entry.metrics)
    (chrf,) = assay.compare(good.id, bad.id, metrics="chrf", test="approximate_randomization")
    assert chrf.significant
    assert chrf.difference is not None
    assert chrf.difference > 0
    assert {result.name for result in assay.compare(good.id, bad.id)} == {"chrf", "length"}


def test_events_as_they_happen(assay: Client, kind: str) -> None:
    queued = assay.evaluate(
        system="x", dataset=f"events-{kind}", samples=samples(), metrics=["chrf", "length"]
    )
    stored = [event for event in assay.events(queued.id) if event.id is not None]
    assert [(event.id, event.type) for event in stored] == [(1, "running"), (2, "succeeded")]
    value = assay.evaluation(queued.id).score("chrf").value
    assert stored[-1].data["scores"]["chrf"] == value
    assert [event.id for event in assay.events(queued.id, after=1)] == [2]
    path = f"/v1/evaluations/{queued.id}"
    assert [event.id for event in assay.events_of(path, after=1)] == [2]


def test_a_stream_that_is_left_early(assay: Client, kind: str) -> None:
    queued = assay.evaluate(system="x", dataset=f"left-{kind}", samples=samples(), metrics="chrf")
    for event in assay.events(queued.id):
        assert event.type in {"progress", "running", "succeeded"}
        break
    assert assay.wait(queued.id).status == "succeeded"


def test_progress_while_waiting(assay: Client, kind: str) -> None:
    told: list[Progress] = []
    queued = assay.evaluate(
        system="x", dataset=f"progress-{kind}", samples=samples(64), metrics="chrf"
    )
    done = assay.wait(queued.id, progress=told.append)
    assert told[-1] == done.progress == Progress(done=64, total=64)
    counts = [progress.done for progress in told]
    assert counts == sorted(counts)


def test_cancelling(assay: Client, kind: str) -> None:
    """A model that writes 64 long texts takes longer than the cancelling."""
    assay.create_dataset(f"prompts-{kind}", [{"id": str(n), "prompt": f"№ {n}"} for n in range(64)])
    queued = assay.evaluate(
        model="tiny-language",
        dataset=f"prompts-{kind}",
        metrics="length",
        generation={"max_new_tokens": 200},
    )
    with pytest.raises(WaitTimedOut, match=f"{queued.id} is still"):
        assay.wait(queued.id, timeout=0)
    assay.cancel(queued.id)
    assert assay.wait(queued.id).status == "cancelled"
    assert assay.cancel(queued.id).status == "cancelled"


def test_an_unknown_metric_is_named_with_what_is_near(assay: Client) -> None:
    with pytest.raises(AssayError) as refused:
        assay.evaluate(system="x", dataset="x", samples=samples(), metrics=["length", "chfr"])
    error = refused.value
    assert (error.status, error.code, error.param) == (422, "unknown_metric", "metrics[1].name")
    assert "did you mean 'chrf'" in error.message
    assert error.request_id is not None
    assert error.request_id in str(error)


def test_a_field_that_the_service_does_not_know_is_refused(assay: Client) -> None:
    with pytest.raises(AssayError) as refused:
        assay.evaluate(system="x", dataset="x", samples=samples(), metrics="chrf", sede=1)
    assert refused.value.param == "sede"


def test_what_is_not_there(assay: Client) -> None:
    missing: dict[str, Callable[[], object]] = {
        "evaluation_not_found": lambda: assay.evaluation("eval_none"),
        "dataset_not_found": lambda: assay.dataset("nowhere"),
        "training_job_not_found": lambda: assay.training_job("job_none"),
        "checkpoint_not_found": lambda: assay.checkpoint("ckpt_none"),
    }
    for code, call in missing.items():
        with pytest.raises(AssayError) as refused:
            call()
        assert (refused.value.status, refused.value.code) == (404, code)
    with pytest.raises(AssayError) as streamed:
        list(assay.events("eval_none"))
    assert (streamed.value.status, streamed.value.code) == (404, "evaluation_not_found")


def test_an_empty_name_is_told_before_it_is_asked_for(assay: Client) -> None:
    """Behind the slash would be the list."""
    for call in (assay.evaluation, assay.dataset, assay.cancel, assay.training_job):
        with pytest.raises(ValueError, match="empty"):
            call("")


def test_nobody_listens(kind: str) -> None:
    with client_of(kind, "http://127.0.0.1:9", retries=0) as assay:
        with pytest.raises(ConnectionFailed, match="is the service running") as failed:
            assay.metrics()
        assert failed.value.status is None


def test_any_endpoint(assay: Client) -> None:
    assert assay.request("GET", "/healthz")
    assay.create_dataset("any", RECORDS)
    path = "/v1/datasets/any/records"
    first, second = assay.request("GET", path, limit=2)["data"]
    assert assay.request("GET", f"{path}?limit=1")["data"] == [first]
    after = assay.request("GET", f"{path}?limit=1", after=first["id"])
    assert after["data"] == [second]
