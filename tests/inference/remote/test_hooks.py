"""What a process had out when it was killed, or dropped, is written down."""

from __future__ import annotations

import asyncio

import pytest

from inference.remote.hooks import Need, Unanswered

NEEDS = [Need(tokens, tokens / 4) for tokens in (10, 40, 20, 30)]


class Written:
    """The sums of what was written down, beside replies that are kept."""

    def __init__(self) -> None:
        self.times = self.requests = self.tokens = self.kept = 0
        self.cost = 0.0
        self.unanswered = Unanswered(NEEDS, lambda: self.kept, self.add)

    def add(self, count: int, need: Need) -> None:
        self.times += 1
        self.requests += count
        self.tokens += need.tokens
        self.cost += need.cost

    def settled(self) -> tuple[int, int, float]:
        self.add(*self.unanswered.settle())
        return self.sums

    @property
    def sums(self) -> tuple[int, int, float]:
        return self.requests, self.tokens, self.cost


async def request(written: Written, seconds: float = 0.01, kept: bool = True) -> None:
    async with written.unanswered.requests():
        assert written.requests >= 1
        await asyncio.sleep(seconds)
    written.kept += kept


def test_the_most_that_were_out_at_once_are_written_down_before_they_go() -> None:
    written = Written()

    async def work() -> None:
        await request(written)
        assert written.sums == (1, 40, 10.0)
        await asyncio.gather(*(request(written) for _ in range(3)))

    asyncio.run(work())
    assert written.sums == (3, 90, 22.5)
    assert written.times <= 3  # those that come together are written down together
    assert written.settled() == (0, 0, 0.0)


def test_those_that_go_together_count_each() -> None:
    written = Written()

    async def work() -> None:
        async with written.unanswered.requests(3):
            assert written.sums == (3, 90, 22.5)
        written.kept += 3

    asyncio.run(work())
    assert written.settled() == (0, 0, 0.0)


def test_what_was_answered_counts_until_it_is_kept() -> None:
    written = Written()

    async def work() -> None:
        await request(written, kept=False)
        await request(written)

    asyncio.run(work())
    assert written.requests == 2
    assert written.settled() == (1, 40, 10.0)


def test_what_is_dropped_stays_and_what_fails_does_not() -> None:
    written = Written()

    async def fails() -> None:
        async with written.unanswered.requests():
            raise ValueError

    async def work() -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - its own
            await fails()
        dropped = asyncio.create_task(request(written, seconds=60))
        await asyncio.sleep(0.05)
        dropped.cancel()

    asyncio.run(work())
    assert written.settled() == (1, 40, 10.0)


def test_nothing_is_sent_that_cannot_be_written_down() -> None:
    def broken(count: int, need: Need) -> None:
        raise OSError("the disk is full")

    unanswered = Unanswered(NEEDS, lambda: 0, broken)

    async def sent() -> None:
        async with unanswered.requests():
            raise AssertionError("sent")

    with pytest.raises(OSError, match="full"):
        asyncio.run(sent())
    assert unanswered.settle() == (0, Need(0, 0.0))
