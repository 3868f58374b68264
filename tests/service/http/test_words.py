"""Words on the wire: what is refused at once, and which field is said to be at fault."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from assay import Client
from service.evaluations.admission import _inline_name
from service.http.fields import LONGEST_NAME, name_fault
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.texts import samples

GENERATED = {"samples": [{"prompt": "hi", "references": ["ho"]}], "dataset": "words"}
MINILM, SMOLLM2 = "builtin/minilm-l6", "builtin/smollm2-135m-instruct"


def refused(answer: httpx.Response, status: int = 422) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


def post(live: Live, path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{live.base}/v1/{path}", json=body)


@pytest.fixture(scope="module")
def dataset(assay: Client) -> str:
    records: list[dict[str, Any]] = [
        {"id": " a ", "prompt": "x", "references": ["x"]},
        {"id": "b", "prompt": "y"},
    ]
    assay.create_dataset("words/set", records)
    return "words/set"


@pytest.fixture(scope="module")
def done(assay: Client) -> str:
    body = {"dataset": "words", "samples": samples(4), "metrics": ["chrf"], "slices": ["lang"]}
    return str(scored(assay, **body).id)


def test_ids_lose_their_blanks_everywhere(live: Live, assay: Client, dataset: str) -> None:
    body = {"system": "x", "dataset": dataset, "metrics": ["length"]}
    answer = post(live, "evaluations", body | {"outputs": {" a": "one", "b\n": "two"}})
    assert answer.status_code == 202, answer.text
    error = refused(post(live, "evaluations", body | {"outputs": {"a": "1", " a": "2", "b": "3"}}))
    assert (error["code"], error["param"]) == ("duplicate_key", "outputs. a")


@pytest.mark.parametrize("name", ["a/records", "x/../y", "..", "./a", "a\nb"])
def test_a_name_that_an_address_would_hide(live: Live, name: str) -> None:
    body: dict[str, Any] = {"name": name, "records": [{"id": "1"}]}
    error = refused(post(live, "datasets", body))
    assert (error["code"], error["param"]) == ("reserved_name", "name")
    body = {"system": "x", "dataset": name, "samples": samples(1), "metrics": ["chrf"]}
    assert refused(post(live, "evaluations", body))["param"] == "dataset"


@pytest.mark.parametrize(
    "system", ["s" * 200, "a/records", "me@home", "org/name", "x/../y", "a\nb"]
)
def test_samples_without_a_dataset_can_be_asked_for(live: Live, system: str) -> None:
    body = {"system": system, "samples": samples(1), "metrics": ["length"]}
    answer = post(live, "evaluations", body)
    assert answer.status_code == 202, answer.text
    name = answer.json()["dataset"]
    assert httpx.get(f"{live.base}/v1/datasets/{name}").json()["name"] == name
    again = {"system": "x", "dataset": name, "outputs": {"s0": "x"}, "metrics": ["length"]}
    assert post(live, "evaluations", again).status_code == 202


def test_names_of_samples_stay_apart() -> None:
    long = [_inline_name("s" * 199 + last) for last in "ab"]
    assert len(set(long)) == 2
    assert all(len(name) <= LONGEST_NAME and name_fault(name) is None for name in long)
    assert _inline_name("org/name") == "inline-org/name"


@pytest.mark.parametrize(
    ("path", "body", "param", "model"),
    [
        ("evaluations", GENERATED | {"model": MINILM, "metrics": ["chrf"]}, "model", MINILM),
        (
            "score",
            {
                "samples": samples(1),
                "metrics": [{"name": "perplexity", "params": {"model": MINILM}}],
            },
            "metrics[0].params.model",
            MINILM,
        ),
        (
            "score",
            {"samples": samples(1), "metrics": [{"name": "reward", "params": {"model": SMOLLM2}}]},
            "metrics[0].params.model",
            SMOLLM2,
        ),
        (
            "score",
            {
                "samples": samples(1),
                "metrics": [{"name": "perplexity", "params": {"model": "tiny-reward"}}],
            },
            "metrics[0].params.model",
            "tiny-reward",
        ),
        ("training_jobs", {"method": "sft", "model": MINILM, "dataset": "words"}, "model", MINILM),
    ],
)
def test_a_model_of_another_kind(
    live: Live, path: str, body: dict[str, Any], param: str, model: str
) -> None:
    error = refused(post(live, path, body))
    assert (error["code"], error["param"]) == ("wrong_model_kind", param)
    assert repr(model) in error["message"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("metric=nothing", "metric"),
        ("metric=chrf&slice=lang=xx", "slice"),
        ("metric=chrf&signature=x", "signature"),
    ],
)
def test_what_a_board_lacks(live: Live, done: str, query: str, param: str) -> None:
    answer = httpx.get(f"{live.base}/v1/leaderboards/words?{query}")
    assert refused(answer, 404)["param"] == param


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("evaluations?dataset=no-such", "dataset"),
        ("leaderboards/no-such?metric=chrf", "dataset"),
        ("datasets/no-such", "dataset"),
        ("evaluations/eval_none", "evaluation"),
        ("training_jobs/job_none", "job"),
        ("checkpoints/ckpt_none", "checkpoint"),
    ],
)
def test_what_is_not_there(live: Live, path: str, param: str) -> None:
    assert refused(httpx.get(f"{live.base}/v1/{path}"), 404)["param"] == param


def test_what_has_ended(live: Live, done: str) -> None:
    error = refused(post(live, f"evaluations/{done}/cancel", {}), 409)
    assert (error["code"], error["param"]) == ("already_finished", "evaluation")


def test_records_of_a_dataset_are_no_field(live: Live, dataset: str) -> None:
    """The request names the dataset; the message names the record."""
    body = {"system": "x", "dataset": dataset, "metrics": ["chrf"]}
    error = refused(post(live, "evaluations", body | {"outputs": {"a": "1", "b": "2"}}))
    assert error["param"] == "dataset"
    assert "records[1]" in error["message"]
    job: dict[str, Any] = {"method": "grpo", "model": SMOLLM2, "dataset": dataset}
    job["options"] = {"rewards": [{"metric": "length"}, {"metric": "chrf"}]}
    error = refused(post(live, "training_jobs", job))
    assert error["param"] == "options.rewards[1]"
    assert "records[1]" in error["message"]


def test_a_comparison_by_no_metric(live: Live, done: str) -> None:
    body = {"evaluations": [done, done], "metrics": []}
    error = refused(post(live, "comparisons", body))
    assert error["param"] == "metrics"


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_a_byte_order_mark(live: Live, format_: str) -> None:
    content = {"jsonl": '{"prompt": "x"}\n', "csv": "prompt\nx\n"}[format_].encode("utf-8-sig")
    answer = httpx.post(
        f"{live.base}/v1/datasets/upload?name=marked-{format_}&format={format_}",
        content=content,
        headers={"content-type": "application/octet-stream"},
    )
    assert (answer.status_code, answer.json()["size"]) == (201, 1)


def test_an_unknown_metric_of_a_folder(live: Live) -> None:
    error = refused(httpx.get(f"{live.base}/v1/metrics/evaluate/none"), 404)
    assert (error["code"], error["param"]) == ("unknown_metric", "name")
    body = {"system": "x", "samples": samples(1), "metrics": ["evaluate/none"]}
    error = refused(post(live, "evaluations", body))
    assert (error["code"], error["param"]) == ("unknown_metric", "metrics[0].name")


def test_an_unknown_method(live: Live) -> None:
    error = refused(httpx.get(f"{live.base}/v1/trainers/dpoo"), 404)
    assert (error["code"], error["param"]) == ("unknown_trainer", "name")
    assert "'dpo'" in error["message"]
    body = {"method": "dpoo", "model": SMOLLM2, "dataset": "words"}
    error = refused(post(live, "training_jobs", body))
    assert (error["code"], error["param"]) == ("unknown_trainer", "method")


@pytest.mark.parametrize(
    ("path", "body", "param", "said"),
    [
        ("gates/any/check", {"evaluaton": "eval_x"}, "evaluaton", "did you mean 'evaluation'?"),
        ("gates", {"baseline": {"sistem": "x"}}, "baseline.sistem", "did you mean 'system'?"),
        ("gates", {"baseline": {}}, "baseline", "give `system` or `evaluation`"),
        ("gates", {"baseline": 1}, "baseline", "a valid string"),
    ],
)
def test_the_error_that_helps_is_told_first(
    live: Live, path: str, body: dict[str, Any], param: str, said: str
) -> None:
    rules = [{"score": "chrf", "max_drop": 1}]
    whole = {"name": "x", "dataset": "words", "rules": rules} if path == "gates" else {}
    error = refused(post(live, path, whole | body))
    assert error["param"] == param
    assert said in error["message"]
