"""Rejection sampling: the best of several outputs, as a dataset to train on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import AssayError, Client
from service.db.engine import connect
from service.errors import ApiError
from service.evaluations import best as rejection
from service.evaluations import store as evaluations
from service.evaluations.best import put_best
from service.evaluations.schemas import BestIn
from service.settings import get_settings
from tests.service.scored import scored
from tests.service.texts import samples

SAMPLES: list[dict[str, Any]] = [
    {"id": "a", "prompt": "7?", "references": ["да, простое"], "metadata": {"lang": "ru"}},
    {"id": "b", "prompt": "8?", "references": ["no"]},
    {"id": "c", "prompt": "9?", "references": ["no"]},
]
OUTPUTS = {"a": ["нет", "да, простое", "да"], "b": ["yes", "no way"], "c": [" ", "maybe"]}
METRICS = ["token_f1", {"name": "perplexity", "params": {"model": "tiny-language"}}]


@pytest.fixture(scope="module")
def evaluation(assay: Client) -> str:
    drawn = [one | {"outputs": OUTPUTS[one["id"]]} for one in SAMPLES]
    done = scored(assay, dataset="drawn", samples=drawn, metrics=METRICS)
    return str(done.id)


def best(assay: Client, evaluation: str, **asked: Any) -> dict[str, str]:
    made = assay.best_outputs(evaluation, "best", **asked)
    assert made.kind == "sft"
    return {one["id"]: one["completion"] for one in assay.records(made.id)}


def test_the_best_output_of_each_sample(assay: Client, evaluation: str) -> None:
    """By token F1: 1 for the same tokens, 2/3 for one of two with the one that is asked for; of
    equal ones the first that is not blank."""
    made = assay.best_outputs(evaluation, "best", "token_f1")
    assert list(assay.records(made.id)) == [
        {"id": "a", "prompt": "7?", "completion": "да, простое", "metadata": {"lang": "ru"}},
        {"id": "b", "prompt": "8?", "completion": "no way"},
        {"id": "c", "prompt": "9?", "completion": "maybe"},
    ]
    assert assay.best_outputs(evaluation, "best", "token_f1").version == made.version
    assert best(assay, evaluation, score="token_f1", at_least=0.9) == {"a": "да, простое"}
    assert set(best(assay, evaluation, score="token_f1", at_least=0.6)) == {"a", "b"}


def test_a_name_keeps_its_kind(assay: Client, evaluation: str, tmp_path: Path) -> None:
    """Else evaluations on the name would get records that they cannot use. So on every route."""
    records = [{"prompt": "7?", "completion": "да"}]
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(records[0]))
    assay.best_outputs(evaluation, "kept-kind", "token_f1")
    asked: list[Callable[[], object]] = [
        lambda: assay.best_outputs(evaluation, "drawn", "token_f1"),
        lambda: assay.create_dataset("drawn", records, "sft"),
        lambda: assay.upload_dataset("drawn", file, kind="sft"),
    ]
    for ask in asked:
        with pytest.raises(AssayError, match="'drawn' is a dataset of kind eval") as refused:
            ask()
        assert (refused.value.code, refused.value.param) == ("wrong_kind", "name")
    with pytest.raises(AssayError, match="kind sft") as refused:
        assay.evaluate(system="x", dataset="kept-kind", samples=samples(2), metrics=["token_f1"])
    assert refused.value.param == "dataset"


def test_where_less_is_better_the_least_is_best(assay: Client, evaluation: str) -> None:
    alone = [
        {"id": f"{one['id']}{at}", "prompt": one["prompt"], "output": text, "references": ["x"]}
        for one in SAMPLES
        for at, text in enumerate(OUTPUTS[one["id"]])
        if text.strip()
    ]
    done = scored(assay, dataset="alone", samples=alone, metrics=METRICS)
    values = {one.id: one.scores["perplexity"] for one in assay.samples(done.id, limit=100)}
    want = {}
    for sample in SAMPLES:
        own = [name for name in values if name.startswith(sample["id"])]
        least = min(own, key=lambda name: values[name] or 0.0)
        want[sample["id"]] = OUTPUTS[sample["id"]][int(least[1:])]
    assert best(assay, evaluation, score="perplexity") == want


def test_more_outputs_than_a_request_can_wait_for_are_refused(
    database_url: str, evaluation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that settles evidence in the API is bounded, and the answer says by what."""
    body = BestIn(name="best", score="token_f1")
    engine = connect(database_url)
    settings = get_settings()
    with engine.connect() as db:
        found = evaluations.get(db, evaluation)
        assert found is not None
        assert put_best(db, settings, found, body)[0].size == 3
        monkeypatch.setattr(rejection, "MOST_OUTPUTS", 6)
        with pytest.raises(ApiError, match="has 7 outputs") as error:
            put_best(db, settings, found, body)
    engine.dispose()
    assert (error.value.status, error.value.code) == (409, "too_many_outputs")


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"score": "token_f2"}, "unknown_score", "score"),
        ({"score": "token_f1", "at_least": 2.0}, "no_outputs", "at_least"),
    ],
)
def test_what_cannot_be_chosen_is_told(
    assay: Client, evaluation: str, asked: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(AssayError) as error:
        best(assay, evaluation, **asked)
    assert (error.value.code, error.value.param) == (code, param)
