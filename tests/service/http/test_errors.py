"""What a wrong body is answered with: all its errors, and the names that were meant."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from assay import AssayError, Client
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.texts import samples


def refused(live: Live, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(f"{live.base}/v1/{path}", json=body)
    assert answer.status_code == 422, answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


def evaluation(**changes: Any) -> dict[str, Any]:
    body = {"system": "x", "dataset": "typed", "samples": samples(1), "metrics": ["chrf"]}
    return body | changes


SAMPLE = {
    "prediction": "'output'",
    "response": "'output'",
    "completion": "'output'",
    "predictions": "'outputs'",
    "reference": "'references'",
    "label": "'references'",
    "target": "'references'",
    "answer": "'output' or 'references'",
    "question": "'prompt'",
    "Output": "'output'",
    "promt": "'prompt'",
}


@pytest.mark.parametrize("typed", SAMPLE)
def test_a_field_that_people_type(live: Live, typed: str) -> None:
    given = [samples(1)[0] | {typed: "x"}]
    for path, body in [
        ("evaluations", evaluation(samples=given)),
        ("score", {"samples": given, "metrics": ["chrf"]}),
    ]:
        error = refused(live, path, body)
        assert error["param"] == f"samples[0].{typed}"
        assert f"did you mean {SAMPLE[typed]}?" in error["message"]


@pytest.mark.parametrize(
    ("body", "param", "meant"),
    [
        (evaluation(metric=["chrf"]), "metric", "'metrics'"),
        (evaluation(generation={"max_tokens": 3}), "generation.max_tokens", "'max_new_tokens'"),
        (evaluation(metrics=[{"name": "chrf", "parms": {}}]), "metrics[0].parms", "'params'"),
        (evaluation(slicess=["lang"]), "slicess", "'slices'"),
    ],
)
def test_a_field_of_what_is_inside(
    live: Live, body: dict[str, Any], param: str, meant: str
) -> None:
    error = refused(live, "evaluations", body)
    assert error["param"] == param
    assert f"did you mean {meant}?" in error["message"]


def test_a_field_of_a_record_and_of_a_job(live: Live) -> None:
    record = {"question": "Capital?", "target": "Paris"}
    error = refused(live, "datasets", {"name": "typed", "records": [record]})
    assert "records[0].question: " in error["message"]
    assert "did you mean 'prompt'?" in error["message"]
    assert [one["param"] for one in error["errors"]] == ["records[0].question", "records[0].target"]
    assert "did you mean 'references'?" in error["errors"][1]["message"]
    # an output is no field that it could be: outputs are an evaluation's
    error = refused(live, "datasets", {"name": "typed", "records": [{"prediction": "x"}]})
    assert "'output'" not in error["message"]
    job = {"method": "sft", "model": "builtin/smollm2-135m-instruct", "dataset": "x"}
    error = refused(live, "training_jobs", job | {"options": {"lr": 1e-4}})
    assert error["param"] == "options.lr"
    assert "did you mean 'learning_rate'?" in error["message"]


def test_an_option_beside_the_options(live: Live) -> None:
    job = {"method": "grpo", "model": "x", "dataset": "x", "rewards": [], "lora": True, "tags": {}}
    errors = {one["param"]: one["message"] for one in refused(live, "training_jobs", job)["errors"]}
    assert set(errors) == {"rewards", "lora", "tags"}
    assert "did you mean 'options.rewards'?" in errors["rewards"]
    assert "did you mean 'options.lora'?" in errors["lora"]
    assert "did you mean 'metadata'?" in errors["tags"]


def test_all_errors_are_told(live: Live, assay: Client) -> None:
    body = evaluation(level=2, replicates=1, seed=-1)
    body["metrics"] = 5
    error = refused(live, "evaluations", body)
    found = {one["param"]: one for one in error["errors"]}
    assert set(found) == {"level", "replicates", "seed", "metrics"}
    assert all(one["code"] and one["message"].startswith(param) for param, one in found.items())
    first = error["errors"][0]
    assert (error["param"], error["message"], error["code"]) == (
        first["param"],
        first["message"],
        first["code"],
    )
    with pytest.raises(AssayError) as told:
        assay.request("POST", "/v1/evaluations", body)
    assert told.value.errors == error["errors"]


def test_no_more_than_twenty(live: Live) -> None:
    body = evaluation(**{f"field{number}": number for number in range(30)})
    assert len(refused(live, "evaluations", body)["errors"]) == 20
    records = [{"prompt": number} for number in range(30)]
    assert len(refused(live, "datasets", {"name": "x", "records": records})["errors"]) == 20


def test_metrics_are_kept_by_their_own_names(assay: Client) -> None:
    done = scored(
        assay,
        dataset="own-names",
        samples=samples(3),
        metrics=["BLEU", "rouge-l", {"name": "EM", "params": {}}],
    )
    assert [metric["name"] for metric in done.metrics] == ["bleu", "rouge", "exact_match"]
    assert {score.metric for score in done.scores} == {"bleu", "rouge", "exact_match"}


def test_a_metric_that_needs_a_parameter_says_so(live: Live) -> None:
    error = refused(live, "evaluations", evaluation(metrics=["chrF++"]))
    assert error["param"] == "metrics[0].name"
    assert '"word_order": 2' in error["message"]
