"""Texts that a server reads: held to what it says when it writes, refused otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from inference.pool import ModelPool
from inference.remote.likelihood import RemoteLikelihood
from inference.remote.registered import Registered
from inference.remote.remote_chat import RemoteChat
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.run import score
from metrics.perplexity import METRIC
from tests.faulty_server import FaultyServer, faulty_server


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with faulty_server() as made:
        yield made


def registered(server: FaultyServer, model: str) -> Registered:
    return Registered("far", server.url, model, private=True)


def perplexity(
    server: FaultyServer, samples: list[Sample], model: str = "good", **params: Any
) -> Result:
    pool = ModelPool([], Path("/nowhere"), registered=lambda name: registered(server, model))
    (result,) = score(samples, [METRIC.bind({"model": "far", **params})], pool)
    return result


def test_tokens_have_what_the_server_says(server: FaultyServer) -> None:
    model = RemoteLikelihood(RemoteChat(registered(server, "good")))
    assert model.puts_first is False
    (tokens,) = model.read(["one three fifteen"])
    assert tokens == [("one", None), (" three", -0.75), (" fifteen", -1.0)]


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("wrong_echo", "others than those it had"),
        ("no_echo", "no log-probabilities"),
        ("unknown_model", "not served"),
    ],
)
def test_what_does_not_hold_is_refused(server: FaultyServer, model: str, why: str) -> None:
    (value, *_) = perplexity(server, [Sample("a", ("b c",))], model, add_bos=False).scores
    assert value.value is None
    assert why in str(value.error)


def test_perplexity_is_over_all_tokens(server: FaultyServer) -> None:
    samples = [Sample("a", ("one three",)), Sample("b", ("two fifteen six",)), Sample("c", ("",))]
    value, bits, *_ = perplexity(server, samples, add_bos=False).scores
    nll = 6 / 8 + 8 / 8 + 4 / 8
    assert value.value == pytest.approx(np.exp(nll / 3))
    assert bits.value == pytest.approx(nll / (9 + 15) / np.log(2))
    assert (value.n, value.missing) == (2, 1)


def test_a_prompt_is_read_and_not_counted(server: FaultyServer) -> None:
    samples = [Sample("a", (" three",), prompt="one two")]
    scores = perplexity(server, samples, add_bos=False, text="output_given_prompt").scores
    assert scores[0].value == pytest.approx(np.exp(6 / 8))


@pytest.mark.parametrize("params", [{}, {"window": 5}, {"chat": True}])
def test_what_a_server_cannot_do_is_said(server: FaultyServer, params: dict[str, Any]) -> None:
    (value, *_) = perplexity(server, [Sample("a", ("b c",))], **params).scores
    assert "add_bos false" in str(value.error) or "leave it out" in str(value.error)


def test_vllms_own_form_is_read(server: FaultyServer) -> None:
    from inference.remote.likelihood import _of_prompt

    told = [None, {"15": {"logprob": -0.5, "rank": 1, "decoded_token": " a"}}]
    assert _of_prompt(told) == [["", None], [" a", -0.5]]
    assert _of_prompt([{"15": {}}]) == []


def test_an_unknown_answer_raises_no_traceback(server: FaultyServer) -> None:
    model = RemoteLikelihood(RemoteChat(registered(server, "html")))
    with pytest.raises(InputError, match="HTML"):
        model.read(["a"])
