"""Texts that a server embeds: each asked for once, and kept; a failure is told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from inference.errors import Cancelled, InputError
from inference.remote.asking import watched
from inference.remote.embeddings import RemoteEmbeddings
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
    assert len(server.asked) == 3
    assert server.asked[0].body == {
        "model": "good",
        "input": "banana",
        "encoding_format": "float",
        "dimensions": 5,
    }
    model.of(["queue", "banana"])
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("fault", "why"),
    [("no_choices", "no embedding"), ("too_long", "context length"), ("html", "1 of 2 texts")],
)
def test_what_fails_is_told_and_the_rest_is_kept(
    server: FaultyServer, model: RemoteEmbeddings, fault: str, why: str
) -> None:
    server.plan += ["good", fault]
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
