"""A model behind a URL answers like one that runs here, whatever its server does."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from inference.chat import Message, Reply, Request
from inference.errors import Cancelled, UnknownModel
from inference.pool import ModelPool
from inference.protocol import Generation
from inference.remote.client import Patience
from inference.remote.errors import (
    AddressRefused,
    EndpointError,
    KeyRefused,
    ModelRefused,
    QuotaSpent,
    Unreachable,
)
from inference.remote.hooks import MemoryReplies
from inference.remote.registered import Registered
from inference.remote.remote_chat import RemoteChat
from tests.checkout import ROOT
from tests.faulty_server import KEY, FaultyServer, faulty_server

QUICK = Patience(first_s=0.01, longest_s=0.02)
ONE = Request((Message("user", "hello"),))


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as made:
        yield made


def chat_with(
    server: FaultyServer, model: str = "good", patience: Patience = QUICK, **more: Any
) -> RemoteChat:
    given: dict[str, Any] = {"key": SecretStr(KEY), "private": True, "timeout_s": 5.0} | more
    return RemoteChat(Registered("gpt", server.url, model, **given), patience=patience)


def one_reply(chat: RemoteChat, request: Request = ONE) -> Reply:
    replies = chat.reply([request])
    assert [len(one) for one in replies] == [1]
    return replies[0][0]


def test_a_reply_says_what_it_took(server: FaultyServer) -> None:
    chat = chat_with(server, input_price=3.0, output_price=10.0)
    reply = one_reply(chat)
    assert (reply.text, reply.finish_reason) == ("You said: hello", "stop")
    assert (reply.input_tokens, reply.output_tokens) == (1, 3)
    assert reply.cost == pytest.approx((1 * 3.0 + 3 * 10.0) / 1e6)
    assert (reply.model, reply.fingerprint) == ("served-1", "fp_1")
    assert reply.latency_s is not None
    assert 0 < reply.latency_s < 5
    assert not reply.cached


def test_what_is_sent(server: FaultyServer) -> None:
    options = Generation(
        max_new_tokens=7, temperature=0.5, top_p=0.9, top_k=3, stop=("\n",), seed=4, system="Be."
    )
    extra = {"response_format": {"type": "json_object"}}
    chat = chat_with(server, extra_body={"max_tokens": None, "max_completion_tokens": 9})
    chat.reply([Request((Message("user", "hello"),), options, extra)])
    sent = server.asked[0]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "good",
        "messages": [{"role": "system", "content": "Be."}, {"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "stop": ["\n"],
        "seed": 4,
        "response_format": {"type": "json_object"},
        "max_completion_tokens": 9,
    }


def test_draws_have_seeds_of_their_own(server: FaultyServer) -> None:
    options = Generation(temperature=1.0, num_outputs=3, seed=5)
    replies = chat_with(server).reply([replace(ONE, options=options)])[0]
    seeds = [one.body["seed"] for one in server.asked]
    assert len(set(seeds)) == 3
    assert 5 in seeds
    assert len({one.text for one in replies}) == 3


def test_equal_requests_are_paid_for_once_where_they_give_the_same(server: FaultyServer) -> None:
    replies = chat_with(server).reply([ONE, ONE])
    assert len(server.asked) == 1
    assert [one[0].cached for one in replies] == [False, True]
    server.asked.clear()
    drawn = replace(ONE, options=Generation(temperature=1.0))
    chat = chat_with(server)
    chat.reply([drawn, drawn])
    assert len({one.body["seed"] for one in server.asked}) == 2
    chat.reply([drawn])
    assert len(server.asked) == 3


def test_what_was_paid_for_is_not_paid_again(server: FaultyServer) -> None:
    replies = MemoryReplies()
    chat = chat_with(server)
    drawn = replace(ONE, options=Generation(temperature=1.0, num_outputs=2))
    first = chat.scoped("eval_1", replies=replies).reply([ONE, drawn])
    again = chat.scoped("eval_1", replies=replies).reply([ONE, drawn])
    assert len(server.asked) == 3
    assert [[one.text for one in row] for row in first] == [
        [one.text for one in row] for row in again
    ]
    assert all(one.cached for row in again for one in row)
    other = chat.scoped("eval_2", replies=replies).reply([ONE, drawn])
    assert [[one.cached for one in row] for row in other] == [[True], [False, False]]
    reused = chat.scoped("eval_2", reuse=True, replies=replies)
    assert not reused.reply([drawn])[0][0].cached  # kept for their evaluations only
    assert reused.reply([drawn])[0][0].cached


@pytest.mark.parametrize("fault", ["broken", "html_503", "reset", "cut", "error_body_502", "rate"])
def test_what_may_pass_is_tried_again(server: FaultyServer, fault: str) -> None:
    server.retry_after = "0"
    server.plan = [fault, fault]
    assert one_reply(chat_with(server)).text == "You said: hello"
    assert len(server.asked) == 3
    assert len({one.headers["idempotency-key"] for one in server.asked}) == 1


@pytest.mark.parametrize("fault", ["rate", "rate_date"])
def test_a_server_is_asked_again_when_it_says(server: FaultyServer, fault: str) -> None:
    server.plan = [fault]
    server.retry_after = "0.5"
    began = time.monotonic()
    assert one_reply(chat_with(server)).error is None
    assert 0.45 <= time.monotonic() - began < 4  # dates have whole seconds


@pytest.mark.parametrize(
    ("fault", "said", "times"),
    [
        ("broken", "status 500: it broke; it was asked 6 times", 6),
        ("html_503", "status 503", 6),
        ("reset", "the connection broke", 6),
        ("cut", "the connection broke", 6),
        ("html", "HTML page", 1),
        ("malformed", "no JSON", 1),
        ("nested", "no JSON", 1),
        ("list", "no object", 1),
        ("empty", "empty", 1),
        ("error_body", "provider failed", 1),
        ("no_choices", "no choices", 1),
        ("no_message", "no message", 1),
        ("no_content", "no content", 1),
        ("too_long", "maximum context length", 1),
    ],
)
def test_a_request_that_fails_fails_alone(
    server: FaultyServer, fault: str, said: str, times: int
) -> None:
    chat = chat_with(server, fault)
    reply = one_reply(chat)
    assert reply.text == ""
    assert said in (reply.error or "")
    assert len(reply.error or "") < 500
    assert (reply.error or "").isprintable()
    assert len(server.asked) == times
    one_reply(chat)
    assert len(server.asked) == 2 * times  # an error is not kept


def test_an_answer_that_can_be_read_is_not_asked_for_again(server: FaultyServer) -> None:
    server.plan = ["cut_at_the_end"]
    assert one_reply(chat_with(server)).text == "You said: hello"
    assert len(server.asked) == 1


def test_a_late_answer_is_asked_for_once_more(server: FaultyServer) -> None:
    reply = one_reply(chat_with(server, "late", timeout_s=0.2))
    assert reply.error == "no answer within 0.2 s; it was asked 2 times"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("refused_key", KeyRefused),
        ("unknown_model", ModelRefused),
        ("spent", QuotaSpent),
        ("moved", EndpointError),
    ],
)
def test_what_all_requests_would_meet_ends_the_work(
    server: FaultyServer,
    fault: str,
    error: type[EndpointError],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    chat = chat_with(server, fault, concurrency=2)
    with pytest.raises(error) as raised:
        chat.reply([Request((Message("user", str(number)),)) for number in range(20)])
    assert len(server.asked) <= 2
    assert KEY not in f"{raised.value!r} {raised.value} {caplog.text} {chat.model!r}"


def test_what_came_before_the_end_is_kept(server: FaultyServer) -> None:
    server.plan = ["good", "good", "refused_key"]
    chat = chat_with(server, concurrency=1)
    requests = [Request((Message("user", str(number)),)) for number in range(5)]
    with pytest.raises(KeyRefused):
        chat.reply(requests)
    assert [one[0].cached for one in chat.reply(requests)] == [True, True, False, False, False]
    assert len(server.asked) == 6


def test_nobody_waits_for_what_is_wanted_no_more(server: FaultyServer) -> None:
    server.retry_after = "60"
    server.plan = ["rate", "refused_key"]
    requests = [Request((Message("user", str(number)),)) for number in range(2)]
    began = time.monotonic()
    with pytest.raises(KeyRefused):
        chat_with(server, concurrency=2).reply(requests)
    assert time.monotonic() - began < 10


def test_a_server_that_has_died_is_not_asked_for_ever() -> None:
    with faulty_server() as server:
        patience = replace(QUICK, server=2, give_up=10)
        chat = chat_with(server, patience=patience, concurrency=4)
    requests = [Request((Message("user", str(number)),)) for number in range(10_000)]
    with pytest.raises(Unreachable, match="cannot be reached"):
        chat.reply(requests)
    assert chat.client.requests < 50


def test_a_key_in_a_servers_words_is_not_shown(server: FaultyServer) -> None:
    server.plan = ["error_body"]
    chat = chat_with(server, key=SecretStr("provider"))
    assert "provider" not in (one_reply(chat).error or "provider")


@pytest.mark.parametrize("fault", ["refusal", "filtered", "filtered_400"])
def test_a_refusal_is_flagged_and_no_text(server: FaultyServer, fault: str) -> None:
    reply = one_reply(chat_with(server, fault))
    assert reply.text == ""
    assert reply.error is None
    assert reply.refusal
    assert (reply.finish_reason == "content_filter") is (fault != "refusal")


@pytest.mark.parametrize("fault", ["reasoning", "think"])
def test_reasoning_stands_apart(server: FaultyServer, fault: str) -> None:
    reply = one_reply(chat_with(server, fault))
    assert (reply.text, reply.reasoning) == ("4", "2 and 2")


def test_text_can_be_stored(server: FaultyServer) -> None:
    assert one_reply(chat_with(server, "nul")).text == "a\ufffdb\ufffd"


def test_concurrency_is_bounded_and_progress_is_told(server: FaultyServer) -> None:
    server.seconds = 0.02
    told: list[int] = []
    requests = [Request((Message("user", str(number)),)) for number in range(30)]
    replies = chat_with(server, concurrency=5).reply(requests, told.append)
    assert [one[0].text for one in replies] == [f"You said: {number}" for number in range(30)]
    assert server.most == 5
    assert sum(told) == 30


def test_rates_are_bounded(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.remote.hooks.MINUTE", 0.5)
    requests = [Request((Message("user", str(number)),)) for number in range(5)]
    began = time.monotonic()
    chat_with(server, requests_per_minute=2).reply(requests)
    assert time.monotonic() - began >= 1.0


def test_a_cancelled_call_stops_asking(server: FaultyServer) -> None:
    server.seconds = 0.05

    def cancelled(_: int) -> None:
        raise Cancelled("stop")

    chat = chat_with(server, concurrency=2)
    with pytest.raises(Cancelled):
        chat.reply([Request((Message("user", str(number)),)) for number in range(50)], cancelled)
    time.sleep(0.2)
    assert len(server.asked) < 10
    assert one_reply(chat).error is None  # the connections still work


def test_labels_have_the_first_tokens_log_probabilities(server: FaultyServer) -> None:
    chat = chat_with(server)
    found = chat.choices([ONE, Request((Message("user", "other"),))], ["A", "B", "C"])
    assert found is not None
    assert found.shape == (2, 3)
    both = math.log(math.exp(-1.5) + math.exp(-3.0))  # " B" and "B.", and not "Beer"
    assert found[0, :2] == pytest.approx([-0.25, both])
    assert math.isnan(found[0, 2])
    assert len(server.asked) == 2
    assert chat_with(server, "think").choices([ONE], ["A"]) is None


def test_a_label_of_several_tokens_counts_by_its_beginning(server: FaultyServer) -> None:
    chat = chat_with(server)
    found = chat.choices([ONE], ["хорошо", "плохо"])
    assert found is not None
    assert found[0] == pytest.approx([-2.0, -2.5])
    alike = chat.choices([ONE], ["хорошо", "плохо", "плачевно"])
    assert alike is not None
    assert alike[0, 0] == pytest.approx(-2.0)
    assert np.isnan(alike[0, 1:]).all(), "it may be either"


def test_an_address_that_may_not_be_called_ends_the_work(server: FaultyServer) -> None:
    with pytest.raises(AddressRefused, match="private"):
        chat_with(server, private=False).reply([ONE])
    assert not server.asked


def test_the_pool_hands_out_registered_models(server: FaultyServer, tmp_path: Path) -> None:
    registry = {"gpt": chat_with(server).model}
    pool = ModelPool([], tmp_path, registered=registry.get)
    chat = pool.chat("gpt")
    assert chat.reply([ONE])[0][0].text == "You said: hello"
    assert pool.chat("gpt") is chat
    before = pool.identity("gpt")
    registry["gpt"] = replace(registry["gpt"], extra_body={"reasoning_effort": "low"})
    assert pool.chat("gpt") is not chat
    assert pool.identity("gpt") == pool.chat("gpt").identity != before
    assert not pool.chat("gpt").reply([ONE])[0][0].cached
    with pytest.raises(UnknownModel, match="behind a URL"):
        pool.language("gpt")


def test_a_thousand_requests_take_about_as_long_as_the_server() -> None:
    """`benchmarks.remote` holds it to 1.3 times; here other tests run beside it."""
    command = [sys.executable, "-m", "tests.faulty_server", "0.05"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            model = Registered(
                "m", process.stdout.readline().strip(), "m", concurrency=64, private=True
            )
            requests = [Request((Message("user", str(number)),)) for number in range(1000)]
            began = time.monotonic()
            replies = RemoteChat(model).reply(requests)
            assert time.monotonic() - began < 10 * 1000 / 64 * 0.05
            assert all(one[0].error is None for one in replies)
        finally:
            process.kill()
