"""Texts that a server embeds: each asked for once, and kept; a failure is told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from inference.errors import Cancelled, InputError
from inference.remote.asking import watched
from inference.remote.embeddings import RemoteEmbeddings
from inference.remote.hooks import MemoryReplies
from inference.remote.registered import Registered
from inference.remote.remote_chat import RemoteChat
from tests.faulty_server import FaultyServer, faulty_server


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as made:
        yield made


@pytest.fixture
def model(server: FaultyServer) -> RemoteEmbeddings:
    extra = {"dimensions": 5}
    far = Registered("far", server.url, "good", private=True, extra_body=extra, concurrency=1)
    return RemoteEmbeddings(RemoteChat(far))


def test_texts_are_embedded_once(server: FaultyServer, model: RemoteEmbeddings) -> None:
    found = model.of(["banana", "", "banana", "queue"])
    assert found.dtype == np.float32
    assert found.tolist() == [[3, 0, 0, 0, 0], [0] * 5, [3, 0, 0, 0, 0], [0, 2, 0, 0, 2]]
    assert [one.body for one in server.asked] == [
        {
            "model": "good",
            "input": ["banana", " ", "queue"],
            "encoding_format": "float",
            "dimensions": 5,
        }
    ]
    model.of(["queue", "banana"])
    assert len(server.asked) == 1
    assert model.of(["one more"]).tolist() == [[0, 2, 0, 2, 0]]
    assert server.asked[-1].body["input"] == "one more"


def test_texts_go_in_lists_of_bounded_count_and_length(
    server: FaultyServer, model: RemoteEmbeddings
) -> None:
    texts = [f"text {'a' * at}" for at in range(70)]
    assert model.of(texts)[:, 0].tolist() == list(range(70))
    assert [len(one.body["input"]) for one in server.asked] == [32, 32, 6]
    server.asked.clear()
    long = [f"{at} {'a' * 20_000}" for at in range(5)]
    assert model.of([*long, "a" * 60_000])[:, 0].tolist() == [20_000] * 5 + [60_000]
    sizes = [len(one.body["input"]) for one in server.asked]
    assert sizes == [2, 2, 1 + len(long[4]) - 1, 60_000]  # the last two go alone, as texts


@pytest.mark.parametrize("name", ["two_texts", "no_index"])
def test_a_server_that_refuses_a_list_gets_halves(server: FaultyServer, name: str) -> None:
    far = Registered("far", server.url, name, private=True, input_price=1e6, concurrency=1)
    model = RemoteEmbeddings(RemoteChat(far))
    found = model.of([f"text {'a' * at}" for at in range(5)])
    assert found[:, 0].tolist() == list(range(5))
    inputs = [one.body["input"] for one in server.asked]
    counts = [len(one) if isinstance(one, list) else 1 for one in inputs]
    assert counts == ([5, 2, 3, 1, 2] if name == "two_texts" else [5, 2, 1, 1, 3, 1, 2, 1, 1])


def test_each_text_has_its_part_of_the_tokens(server: FaultyServer) -> None:
    far = Registered("far", server.url, "good", private=True, input_price=1e6)
    chat = RemoteChat(far)
    RemoteEmbeddings(chat).of(["a b c", "d e f g h", "i"])
    kept = list(chat.replies._kept.values()) if isinstance(chat.replies, MemoryReplies) else []
    assert sum(one.input_tokens or 0 for one in kept) == 9
    assert sum(one.cost or 0.0 for one in kept) == pytest.approx(9.0)


@pytest.mark.parametrize(
    ("fault", "why"),
    [("no_choices", "no embedding"), ("too_long", "context length"), ("html", "1 of 2 texts")],
)
def test_what_fails_is_told_and_the_rest_is_kept(
    server: FaultyServer, model: RemoteEmbeddings, fault: str, why: str
) -> None:
    server.plan += ["broken_list", "good", fault]
    with pytest.raises(InputError, match=why):
        model.of(["one", "two"])
    server.asked.clear()
    model.of(["one", "two"])
    assert [one.body["input"] for one in server.asked] == ["two"]


def test_whoever_watches_ends_the_work(server: FaultyServer, model: RemoteEmbeddings) -> None:
    def nobody_waits() -> None:
        raise Cancelled("nobody waits")

    server.seconds = 3.0
    with watched(nobody_waits), pytest.raises(Cancelled):
        model.of(["one", "two"])
    assert len(server.asked) <= 1
