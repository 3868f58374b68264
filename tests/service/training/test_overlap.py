"""Held-out samples that are trained on: counted at POST, in whatever form a record has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay import AssayError, Client
from service.training.overlap import digests, near_copies
from tests.service.live import Live
from tests.service.training.requests import HELD_OUT, QUICK, job_body

HELD = [
    {"id": "a", "prompt": "Столица России?", "references": ["Москва"]},
    {"id": "b", "prompt": "Is  7 prime?\n", "references": ["Yes"]},
    {"id": "c", "prompt": "Caf\u00e9?", "references": ["Oui"]},
    {"id": "d", "prompt": "New?", "references": ["Yes"]},
]
PAIRS = [{"prompt": one, "chosen": "Yes.", "rejected": "No."} for one in ("is 7 PRIME?", "Old?")]
TALK = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "столица россии?"},
    {"role": "assistant", "content": "New?"},
]


@pytest.fixture(scope="module")
def assay(
    new_database: Any, data_dir: Path, models_root: Path, tiny_language_model: Path
) -> Iterator[Client]:
    """Nobody works: what is told here is told at POST."""
    made = Live(new_database(), data_dir, model_roots=str(models_root))
    made.api()
    with made.client() as client:
        client.create_dataset("held", HELD, kind="eval")
        client.create_dataset("pairs", PAIRS, kind="preference")
        client.create_dataset("talk", [{"messages": TALK}, {"text": "Cafe\u0301?"}], kind="sft")
        client.create_dataset("other", [{"text": "Something else."}], kind="sft")
        yield client
    made.close()


@pytest.mark.parametrize(
    ("method", "dataset", "shared"),
    [("dpo", "pairs", ["b"]), ("sft", "talk", ["a", "c"]), ("sft", "other", [])],
)
def test_shared_samples_are_told_at_post(
    assay: Client, method: str, dataset: str, shared: list[str]
) -> None:
    body = job_body(
        method, dataset=dataset, options=QUICK, evaluation=HELD_OUT | {"dataset": "held"}
    )
    made = assay.request("POST", "/v1/training_jobs", body)
    expected = {"dataset": "held@1", "samples": 4, "shared": len(shared), "ids": shared}
    expected |= {"near": 0, "near_ids": []}
    assert made["report"]["overlap"] == expected
    told = assay.request("GET", f"/v1/training_jobs/{made['id']}/events")["data"]
    assert [one["data"] for one in told if one["type"] == "overlap"] == [expected] * bool(shared)
    said = [one for one in made["warnings"] if "held-out" in one]
    assert len(said) == bool(shared)
    assert all(f"{len(shared)} are in the training data" in one for one in said)


def test_one_record_and_copies_are_told_at_post(assay: Client) -> None:
    copies = [{"id": str(at), "text": "Same.", "metadata": {"at": at}} for at in range(3)]
    assay.create_dataset("one", copies[:1], kind="sft")
    assay.create_dataset("copies", copies, kind="sft")
    assay.create_dataset("some", [*copies, {"id": "x", "text": "Other."}], kind="sft")
    told = {}
    for name in ("one", "copies", "some", "talk"):
        body = job_body("sft", dataset=name, evaluation=None)
        made = assay.request("POST", "/v1/training_jobs", body)
        events = assay.request("GET", f"/v1/training_jobs/{made['id']}/events")["data"]
        assert [one["type"] for one in events].count("repeated_data") == len(made["warnings"])
        told[name] = (made["report"]["data"], made["warnings"])
    assert told["one"][0] == {"records": 1, "distinct": 1}
    assert "one record" in told["one"][1][0]
    assert "3 copies of one record" in told["copies"][1][0]
    assert told["some"][0] == {"records": 4, "distinct": 2}
    assert "of 4 training records 2 repeat others" in told["some"][1][0]
    assert told["talk"] == ({"records": 2, "distinct": 2}, [])


def test_a_held_out_sample_that_is_nearly_in_the_training_data_is_told(assay: Client) -> None:
    long = "A train leaves Moscow at nine and another leaves Kazan at ten: where do they meet?"
    assay.create_dataset("problems", [{"id": "t", "prompt": long, "references": ["?"]}], "eval")
    near = long.replace("nine", "eight")
    assay.create_dataset("nearly", [{"text": f"Homework. {near}"}, {"text": "No."}], kind="sft")
    body = job_body("sft", dataset="nearly", evaluation=HELD_OUT | {"dataset": "problems"})
    made = assay.request("POST", "/v1/training_jobs", body)
    assert made["report"]["overlap"] | {"near": 1, "near_ids": ["t"]} == made["report"]["overlap"]
    assert "1 nearly so" in made["warnings"][0]


def test_near_copies() -> None:
    template = "Answer the following question in a single short word and nothing else: "
    held = {str(at): [f"{template.lower()}{word}"] for at, word in enumerate("abcdefgh")}
    held["long"] = ["the quick brown fox jumps over the lazy dog and then sleeps"]
    held["zh"] = ["从北京到上海的火车几点出发"]
    assert near_copies(held, [template + "z"]) == []  # a template is no copy
    assert near_copies(
        held, ["a quick brown fox jumps over the lazy dog and then sleeps well"]
    ) == ["long"]
    assert near_copies(held, ["the quick brown fox", "over the lazy dog and"]) == []  # of one text
    assert near_copies(held, ["请问从北京到上海的火车几点出发？"]) == ["zh"]


def test_without_an_evaluation_there_is_nothing_to_overlap(assay: Client) -> None:
    body = job_body("sft", dataset="talk", evaluation=None)
    assert "overlap" not in assay.request("POST", "/v1/training_jobs", body)["report"]


def test_jobs_are_found_by_what_was_written_on_them(assay: Client) -> None:
    given = [
        ("a", "sft", "talk", {"team": "search", "run": 1, "draft": True}),
        ("б", "dpo", "pairs", {"team": "поиск", "run": 2}),
        ("a", "dpo", "pairs", {}),
    ]
    made = [
        assay.train(
            method=method,
            model="tiny-language",
            dataset=dataset,
            name=name,
            metadata=metadata,
            options=QUICK,
        )
        for name, method, dataset, metadata in given
    ]
    assert [(one.name, one.metadata) for one in made] == [(one[0], one[3]) for one in given]

    def found(**filters: Any) -> list[int]:
        ids = [one.id for one in made]
        return [ids.index(one.id) for one in assay.training_jobs(**filters) if one.id in ids]

    assert found(name="a") == [2, 0]
    assert found(name="a", method="dpo") == [2]
    assert found(metadata="team=поиск") == found(metadata="run=2") == [1]
    assert found(metadata="draft=true") == [0]
    assert found(metadata={"team": "поиск", "run": 2}) == [1]
    assert found(metadata={"draft": True}, status="queued") == [0]
    assert found(metadata={"team": "поиск", "draft": True}) == []
    with pytest.raises(AssayError, match="did you mean 'dpo'") as error:
        found(method="dop")
    assert (error.value.status, error.value.param) == (422, "method")
    for wrong in ("team", "=x", ""):
        with pytest.raises(AssayError, match="is not key=value") as error:
            found(metadata=wrong)
        assert (error.value.status, error.value.param) == (422, "metadata")
    assert found(status="running") == found(metadata="team=") == found(metadata="a' OR 1=1") == []
    keys = {str(index): 1 for index in range(33)}
    with pytest.raises(AssayError) as refused:
        assay.train(method="sft", model="tiny-language", dataset="talk", metadata=keys)
    assert refused.value.param == "metadata"


def test_answers_are_no_questions() -> None:
    asked = digests({"messages": TALK})
    assert asked == digests({"prompt": "HELLO"}) | digests({"prompt": "Столица  РОССИИ?"})
    assert digests({}) == set()
