"""POST /get_reward, as OpenRLHF asks it: the values of POST /v1/score."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from assay import Client
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
