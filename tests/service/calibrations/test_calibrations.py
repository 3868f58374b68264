"""Calibrations over HTTP: fitted to ratings in the metadata, stored, used as a metric."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, spearmanr

from assay import AssayError, Client
from tests.known import known
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.training.requests import (
    OPTIONS,
    QUICK,
    finished,
    job_body,
    start,
    upload_datasets,
)

TEXT = "мама мыла раму the cat sat on a mat 🙂 and then left"
WORDS = TEXT.split()


def rated(n: int = 60, seed: int = 0) -> list[dict[str, Any]]:
    """Samples whose ratings follow from how many of the reference's words came out."""
    draw = np.random.default_rng(seed)
    samples = []
    for at in range(n):
        kept = int(draw.integers(1, len(WORDS) + 1))
        rating = 1 + 4 * (kept / len(WORDS)) ** 2 + draw.normal(0, 0.3)
        metadata = {"grade": round(float(rating), 3)} if at % 3 else {}
        output = " ".join(WORDS[:kept])
        samples.append(
            {
                "id": f"s{at}",
                "output": output,
                "references": [TEXT],
                "metadata": metadata,
            }
        )
    return samples


@pytest.fixture(scope="module")
def evaluation(assay: Client) -> str:
    metrics = ["chrf", "length", "distinct_n"]
    return str(scored(assay, dataset="rated", samples=rated(90), metrics=metrics).id)


def test_a_score_is_fitted_stored_and_used(assay: Client, evaluation: str) -> None:
    made = assay.create_calibration("adequacy", evaluation, "chrf", ratings="grade")
    assert (made.name, made.version, made.metric, made.n) == ("adequacy", 1, "chrf", 60)
    values = {one.id: one.scores["chrf"] for one in assay.all_samples(evaluation)}
    given = {one["id"]: one["metadata"].get("grade") for one in rated(90)}
    both = [(known(values[id]), grade) for id, grade in given.items() if grade is not None]
    x, y = np.array(both).T
    before = made.before
    assert known(before.pearson.value) == pytest.approx(pearsonr(x, y).statistic, abs=1e-9)
    assert known(before.spearman.value) == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)
    assert known(before.kendall.value) == pytest.approx(kendalltau(x, y).statistic, abs=1e-9)
    for each in (made.before, made.after):
        for one in (each.pearson, each.spearman, each.kendall):
            low, high = known(one.interval)
            assert low < known(one.value) < high
    assert getattr(made.errors, made.method) == min(made.errors.isotonic, made.errors.linear)
    assert getattr(made.errors, made.method) < 0.6 * made.errors.mean
    again = assay.create_calibration("adequacy", evaluation, "chrf", ratings="grade")
    assert again.id == made.id
    other = assay.create_calibration(
        "adequacy", evaluation, "chrf", ratings="grade", method="linear"
    )
    assert other.version == (1 if made.method == "linear" else 2)
    assert assay.calibration("adequacy@1").id == made.id
    assert "adequacy" in [one.name for one in assay.calibrations()]

    metric = {"name": "calibrated", "params": {"calibration": "adequacy@1"}}
    done = scored(assay, dataset="rated", system="b", samples=rated(90), metrics=["chrf", metric])
    score = next(one for one in done.scores if one.name == "calibrated")
    assert "calibration:adequacy@1" in score.signature
    assert f"digest:{made.params['digest']}" in score.signature
    knots = np.array(made.params["function"]["knots"])
    for sample in assay.all_samples(done.id):
        value = known(sample.scores["chrf"])
        if made.method == "isotonic":
            wanted = np.interp(value, knots[:, 0], knots[:, 1])
        else:
            wanted = np.poly1d(np.polyfit(knots[:, 0], knots[:, 1], 1))(value)
        assert known(sample.scores["calibrated"]) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("request_", "param", "said"),
    [
        ({"score": "chrff"}, "score", "chrf"),
        ({"score": "distinct_2"}, "score", "of a set"),
        ({"ratings": "grades"}, "ratings", "grade"),
        ({"ratings": "\u202e<b>\n" + "x" * 150}, "ratings", "grade"),
        ({"evaluation": "eval_none"}, "evaluation", "eval_none"),
        ({"name": "a@2"}, "name", "without"),
    ],
)
def test_what_cannot_be_fitted_is_told(
    assay: Client, evaluation: str, request_: dict[str, str], param: str, said: str
) -> None:
    asked: dict[str, Any] = {"name": "no", "evaluation": evaluation, "score": "chrf"}
    asked |= {"ratings": "grade"} | request_
    with pytest.raises(AssayError) as refused:
        assay.create_calibration(**asked)
    assert refused.value.param == param
    assert said in str(refused.value)


def test_ratings_that_are_few_alike_or_no_numbers_are_refused(assay: Client) -> None:
    samples = rated(40)
    for at, one in enumerate(samples):
        one["metadata"] |= {"same": 3, "mixed": "good" if at == 7 else at}
        if at < 5:
            one["metadata"]["few"] = at
    done = scored(assay, dataset="unrated", samples=samples, metrics=["chrf"])
    for field, code in (("same", "all_alike"), ("mixed", "no_rating"), ("few", "too_few_ratings")):
        with pytest.raises(AssayError) as refused:
            assay.create_calibration("no", done.id, "chrf", ratings=field)
        assert (refused.value.code, refused.value.status) == (code, 422)


def test_an_unknown_calibration_is_refused_with_the_nearest(assay: Client, evaluation: str) -> None:
    assay.create_calibration("fluency", evaluation, "length", ratings="grade")
    metric = {"name": "calibrated", "params": {"calibration": "fluence"}}
    with pytest.raises(AssayError, match="fluency") as refused:
        assay.evaluate(system="x", samples=rated(5), metrics=[metric])
    assert refused.value.param == "metrics[0].params.calibration"
    named = {"name": "calibrated", "params": {"calibration": "fluency"}}
    assert 0 < known(assay.score(named, rated(1))["calibrated"].value) < 6


NAMED = {"metric": "calibrated", "params": {"calibration": "adequacy-reward"}}


@pytest.fixture(scope="module")
def fitted(assay: Client, evaluation: str) -> dict[str, Any]:
    made = assay.create_calibration(
        "adequacy-reward", evaluation, "chrf", ratings="grade", method="linear"
    )
    return dict(made.params)


def test_a_stored_reward_stays_the_version_that_it_was(
    live: Live, assay: Client, evaluation: str, fitted: dict[str, Any]
) -> None:
    made = assay.create_reward("adequate", [NAMED])
    kept = made.rewards[0]["params"]
    assert kept["calibration"] == "adequacy-reward@1"
    assert kept["digest"] == fitted["digest"]
    other = assay.create_calibration(
        "adequacy-reward", evaluation, "chrf", ratings="grade", method="isotonic"
    )
    assert other.version == 2
    asked = {"query": WORDS[:2], "labels": [TEXT, TEXT]}
    earned = httpx.post(f"{live.base}/get_reward/adequate", json=asked, timeout=60).json()
    samples = [{"output": one, "references": [TEXT]} for one in WORDS[:2]]
    first = {"name": "calibrated", "params": {"calibration": "adequacy-reward@1"}}
    assert earned["rewards"] == assay.score(first, samples)["calibrated"].per_sample
    assay.delete_reward("adequate")


@pytest.mark.slow  # a training process starts
def test_a_training_job_takes_the_name(assay: Client, fitted: dict[str, Any]) -> None:
    records = [{"id": str(at), "prompt": "Say", "references": [TEXT]} for at in range(8)]
    assay.create_dataset("calibrated-prompts", records, kind="prompts")
    more = {"num_generations": 2, "max_completion_length": 8, "rewards": [NAMED]}
    options = QUICK | {"max_steps": 2} | more
    job = start(assay, "grpo", dataset="calibrated-prompts", options=options, evaluation=None)
    done = finished(assay, job)
    assert done["status"] == "succeeded", done["error"]
    kept = done["options"]["rewards"][0]["params"]
    assert kept["calibration"].startswith("adequacy-reward@")
    assert kept["function"]["knots"]


@pytest.mark.parametrize("place", ["rewards", "options.rewards", "metrics"])
def test_a_name_that_is_nowhere_is_told(assay: Client, fitted: dict[str, Any], place: str) -> None:
    params = {"calibration": "adequacy-rewart"}
    reward = {"metric": "calibrated", "params": params}
    options = QUICK | OPTIONS["grpo"] | {"rewards": [reward]}
    path, body = {
        "rewards": ("/v1/rewards", {"name": "none", "rewards": [reward]}),
        "options.rewards": ("/v1/training_jobs", job_body("grpo", options=options)),
        "metrics": (
            "/v1/suites",
            {"name": "none", "metrics": [{"name": "calibrated", "params": params}]},
        ),
    }[place]
    if place == "options.rewards":
        upload_datasets(assay)
    with pytest.raises(AssayError, match="adequacy-reward") as refused:
        assay.request("POST", path, body)
    assert refused.value.param == f"{place}[0].params.calibration"


def test_a_suite_of_ones_own_takes_the_name(assay: Client, fitted: dict[str, Any]) -> None:
    params = {"calibration": "adequacy-reward"}
    assay.create_suite("people", [{"name": "calibrated", "params": params}])
    done = scored(assay, dataset="by-suite", samples=rated(20), metrics=[], suite="people")
    (score,) = done.scores
    assert "calibration:adequacy-reward@" in score.signature


def test_a_calibration_that_is_not_named_is_asked_for(assay: Client) -> None:
    with pytest.raises(AssayError, match="name a calibration") as refused:
        assay.score("calibrated", rated(1))
    assert refused.value.param == "metrics[0].params.calibration"
