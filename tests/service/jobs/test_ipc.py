"""Messages between a worker and its compute process."""

from __future__ import annotations

import asyncio
import socket

import pytest

from service.jobs.ipc import Answer, Call, Database, Message, Stop, encode, read, receive

MESSAGES: list[Message] = [
    Database("postgresql://assay@/assay"),
    Call(7, 2, "evaluate.shard", {"evaluation": "eval_1", "shard": 3, "seconds": 0.5}),
    Stop(7, save=True),
    Answer("failed", "ValueError", "Ёлка\n", permanent=True),
    Answer("done"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(encode(message))
        assert receive(theirs) == message


def test_messages_in_parts_and_the_end() -> None:
    data = b"".join(map(encode, MESSAGES))

    async def body() -> list[Message | None]:
        stream = asyncio.StreamReader()

        async def feed() -> None:
            for byte in data + encode(MESSAGES[0])[:-1]:  # the last one is cut off
                stream.feed_data(bytes([byte]))
                await asyncio.sleep(0)
            stream.feed_eof()

        feeding = asyncio.create_task(feed())
        messages = [await read(stream) for _ in range(len(MESSAGES) + 1)]
        await feeding
        return messages

    assert asyncio.run(body()) == [*MESSAGES, None]


def test_a_channel_that_ends_within_a_message_has_ended() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(encode(MESSAGES[0])[:-1])
        assert receive(theirs) is None
        assert receive(theirs) is None
