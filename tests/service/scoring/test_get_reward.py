"""POST /get_reward, as OpenRLHF asks it: the values of POST /v1/score; rewards stored by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import AssayError, Client
from tests.service.live import Live

PROMPTS = ["<|start|>user\nThe capital of France?", "<|start|>user\nAnd of Italy?"]
OUTPUTS = ["Paris", "Milan"]
ASKED = {
    "query": [f"{prompt}{output}<|end|>" for prompt, output in zip(PROMPTS, OUTPUTS, strict=True)],
    "prompts": PROMPTS,
    "labels": ["Paris", "Rome"],
}


def ask(live: Live, body: dict[str, Any], **query: str) -> httpx.Response:
    return httpx.post(f"{live.base}/get_reward", params=query, json=body, timeout=120)


def test_rewards_compare_outputs_with_labels(live: Live) -> None:
    found = ask(live, ASKED, metric="exact_match", end="<|end|>").json()
    assert found["rewards"] == found["scores"] == [1.0, 0.0]
    assert found["extra_logs"] == {"exact_match": [1.0, 0.0]}
    kept = ask(live, ASKED, metric="exact_match").json()
    assert kept["rewards"] == [0.0, 0.0]  # what ends the turn is part of the output


def test_rewards_are_those_of_a_reward_model(live: Live, assay: Client) -> None:
    params = {"model": "tiny-reward", "chat": False}
    found = ask(live, ASKED, metric="reward", params=json.dumps(params), end="<|end|>").json()
    samples = [
        {"prompt": prompt, "output": output}
        for prompt, output in zip(PROMPTS, OUTPUTS, strict=True)
    ]
    scores = assay.score([{"name": "reward", "params": params}], samples)
    assert found["rewards"] == pytest.approx(scores["reward"]["per_sample"])


@pytest.mark.parametrize(
    ("query", "more", "param"),
    [
        ({}, {}, "metric"),
        ({"metric": "exact_mach"}, {}, "metrics[0]"),
        ({"metric": "exact_match", "params": "{"}, {}, "params"),
        ({"metric": "exact_match", "score": "other"}, {}, "score"),
        ({"metric": "exact_match"}, {"labels": ["Paris"]}, "labels"),
        ({"metric": "distinct_n"}, {}, "metric"),
    ],
)
def test_what_is_wrong_is_named(
    live: Live, query: dict[str, str], more: dict[str, Any], param: str
) -> None:
    refused = ask(live, ASKED | more, **query)
    assert refused.status_code == 422
    assert refused.json()["error"]["param"].startswith(param)


async def ask_as_openrlhf(
    urls: list[str], queries: list[str], prompts: list[str], labels: list[Any]
) -> list[dict[str, Any]]:
    """The requests of OpenRLHF 0.9 (`SingleTurnAgentExecutor._fetch_rewards_via_http`): a part of
    the queries for each URL, three lists, and no query where there are more URLs than queries."""
    size = (len(queries) + len(urls) - 1) // len(urls)

    async def post(at: int, url: str) -> dict[str, Any]:
        part = slice(at * size, min((at + 1) * size, len(queries)))
        body = {"query": queries[part], "prompts": prompts[part], "labels": labels[part]}
        answer = await client.post(url, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async with httpx.AsyncClient(timeout=120) as client:
        return await asyncio.gather(*(post(at, url) for at, url in enumerate(urls)))


@pytest.fixture
def stored(assay: Client) -> Iterator[Client]:
    """A client whose stored rewards end with the test."""
    yield assay
    for one in assay.rewards():
        assay.delete_reward(one.name)


def test_a_stored_reward_is_a_weighted_sum(live: Live, stored: Client) -> None:
    terms: list[dict[str, Any]] = [
        {"metric": "exact_match", "params": {"normalization": "none"}, "weight": 2.0},
        {"metric": "length", "params": {"unit": "characters"}, "weight": -0.5},
        {"metric": "exact_match", "weight": 0.25},
    ]
    stored.create_reward("capital", terms, ends=["<|end|>"])
    url = f"{live.base}/get_reward/capital"
    asked = (ASKED["query"], PROMPTS, ["paris", "Milan"])
    (found,) = asyncio.run(ask_as_openrlhf([url], *asked))
    assert found["rewards"] == found["scores"] == [0.25 - 2.5, 2.0 - 2.5 + 0.25]
    logs = {"exact_match": [0.0, 1.0], "length": [5.0, 5.0], "exact_match#2": [1.0, 1.0]}
    assert found["extra_logs"] == logs


def test_of_two_urls_the_second_is_asked_for_nothing(live: Live, stored: Client) -> None:
    stored.create_reward("capital", [{"metric": "exact_match"}], ends=["<|end|>"])
    urls = [f"{live.base}/get_reward/capital"] * 2
    found = asyncio.run(ask_as_openrlhf(urls, ASKED["query"][:1], PROMPTS[:1], ["Paris"]))
    assert [one["rewards"] for one in found] == [[1.0], []]
    assert found[1] == {"rewards": [], "scores": [], "extra_logs": {}}


def test_numbers_are_labels_and_an_empty_text_is_none(live: Live, stored: Client) -> None:
    stored.create_reward("number", [{"metric": "exact_match"}])
    asked = {"query": ["72", "0.5", "7"], "labels": [72, 0.5, [7, "seven"]]}
    found = httpx.post(f"{live.base}/get_reward/number", json=asked, timeout=120).json()
    assert found["rewards"] == [1.0, 1.0, 1.0]
    asked = {"query": ["72"], "labels": [""]}
    refused = httpx.post(f"{live.base}/get_reward/number", json=asked, timeout=120)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "labels[0]")


def test_what_has_no_value_earns_what_the_reward_says(
    live: Live, stored: Client, tiny_judge: Path
) -> None:
    judge = {"model": tiny_judge.name, "likelihoods": False, "max_new_tokens": 1}
    stored.create_reward("judged", [{"metric": "judge", "params": judge, "unmeasured": -1.0}])
    stored.create_reward("strict", [{"metric": "judge", "params": judge}])
    asked = {"query": ["Hi? Hello!"], "prompts": ["Hi?"]}
    found = httpx.post(f"{live.base}/get_reward/judged", json=asked, timeout=120).json()
    assert found["rewards"] == [-1.0]
    refused = httpx.post(f"{live.base}/get_reward/strict", json=asked, timeout=120)
    assert refused.status_code == 422
    assert "unmeasured" in refused.json()["error"]["message"]


def test_the_bare_url_asks_for_the_default(live: Live, stored: Client) -> None:
    assert ask(live, ASKED).json()["error"]["param"] == "metric"
    stored.create_reward("default", [{"metric": "exact_match"}], ends=["<|end|>"])
    assert ask(live, ASKED).json()["rewards"] == [1.0, 0.0]
    assert ask(live, ASKED, score="chrf").status_code == 422  # of which metric?


def test_a_stored_reward_stays_as_it_is(stored: Client) -> None:
    terms = [{"metric": "chrf"}]
    made = stored.create_reward("mine", terms)
    assert stored.create_reward("mine", terms) == made == stored.reward("mine")
    assert [one.name for one in stored.rewards()] == ["mine"]
    with pytest.raises(AssayError) as refused:
        stored.create_reward("mine", [{"metric": "bleu"}])
    assert (refused.value.status, refused.value.code) == (409, "reward_exists")
    assert stored.delete_reward("mine").deleted
    with pytest.raises(AssayError, match="POST /v1/rewards") as gone:
        stored.reward("mine")
    assert (gone.value.status, gone.value.code) == (404, "reward_not_found")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "a/b", "rewards": [{"metric": "chrf"}]}, "name"),
        ({"name": "a", "rewards": []}, "rewards"),
        ({"name": "a", "rewards": [{"metric": "chrff"}]}, "rewards[0].metric"),
        ({"name": "a", "rewards": [{"metric": "chrf", "name": "f"}]}, "rewards[0].name"),
        ({"name": "a", "rewards": [{"metric": "distinct_n"}]}, "rewards[0].metric"),
        ({"name": "a", "rewards": [{"metric": "chrf", "wight": 2}]}, "rewards[0].wight"),
        (
            {"name": "a", "rewards": [{"metric": "chrf", "params": {"beta": "x"}}]},
            "rewards[0].params.beta",
        ),
        (
            {"name": "a", "rewards": [{"metric": "reward", "params": {"model": "none"}}]},
            "rewards[0].params.model",
        ),
        ({"name": "a", "rewards": [{"metric": "chrf"}], "ends": [""]}, "ends[0]"),
    ],
)
def test_a_wrong_reward_is_not_stored(assay: Client, body: dict[str, Any], param: str) -> None:
    with pytest.raises(AssayError) as refused:
        assay.request("POST", "/v1/rewards", body)
    assert (refused.value.status, refused.value.param) == (422, param)
    assert not assay.rewards()
