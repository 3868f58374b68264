"""What a job pays for, over its attempts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from inference.remote.hooks import Need
from trainers.job.ledger import Ledger, Spent
from trainers.job.options import Budget


def test_what_was_out_when_an_attempt_was_killed_is_charged(tmp_path: Path) -> None:
    def ledger(attempt: int) -> Ledger:
        return Ledger(tmp_path, "job_1", Budget(requests=4, tokens=100), attempt)

    async def sent(by: Ledger) -> None:
        async with by.out():  # and its reply is never kept
            assert ledger(2).spent() == Spent(1, 7)  # were it killed now

    needs = [Need(5), Need(7), Need(3)]
    first = ledger(1)
    assert first.hold(needs, lambda: None) == 3
    asyncio.run(sent(first))
    second = ledger(2)
    assert second.hold([*needs, Need(1)], lambda: None) == 3
    second.release()
    assert "requests 1 of 4, tokens 7 of 100" in second.told()
    first.release()
    assert second.spent() == Spent(1, 7)  # nothing gives it back
