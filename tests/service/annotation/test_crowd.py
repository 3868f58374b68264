"""200 annotators at once, and kill -9 of the API among them: nothing beyond the overlap, no vote
lost, none twice."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import Engine, text

from tests.service.annotation.crowd import Crowd
from tests.service.annotation.people import Study, evaluations_of
from tests.service.live import Live

pytestmark = pytest.mark.slow

PEOPLE, ITEMS, OVERLAP = 200, 100, 3


def check(study: Study, crowd: Crowd, engine: Engine) -> None:
    """Each item was voted on as often as its overlap says, by others each time, and every vote that
    was answered is there, once."""
    votes = study.votes()
    assert set(Counter(one["item"] for one in votes).values()) == {OVERLAP}
    assert len(votes) == ITEMS * OVERLAP
    assert len({(one["item"], one["annotator"]) for one in votes}) == len(votes)
    with engine.connect() as db:
        stored = db.execute(text("SELECT slot_id FROM annotation_votes")).scalars().all()
    assert len(stored) == len(set(stored))
    assert set(crowd.voted) == set(stored)
    assert crowd.refused == []
    assert study.get()["progress"]["held"] == 0


def test_two_hundred_at_once(api_alone: Live, engine: Engine) -> None:
    study = Study(api_alone.base, evaluations_of(engine, ITEMS), overlap=OVERLAP)
    tokens = [study.annotator(str(at))["token"] for at in range(PEOPLE)]
    crowd = Crowd(api_alone.base, pause=0.0)
    asyncio.run(crowd.work(tokens, votes=100))
    check(study, crowd, engine)


def test_a_killed_api_loses_no_vote_and_counts_none_twice(api_alone: Live, engine: Engine) -> None:
    study = Study(api_alone.base, evaluations_of(engine, ITEMS), overlap=OVERLAP)
    tokens = [study.annotator(str(at))["token"] for at in range(40)]
    crowd = Crowd(api_alone.base, pause=0.05)

    async def killed() -> None:
        working = asyncio.create_task(crowd.work(tokens, votes=100))
        for _ in range(2):
            before = len(crowd.voted)
            while len(crowd.voted) < before + 40 and not working.done():
                await asyncio.sleep(0.01)
            api_alone.processes[-1].kill()  # SIGKILL
            api_alone.processes[-1].wait()
            await asyncio.to_thread(api_alone.api)
        await working

    asyncio.run(killed())
    assert crowd.broken > 0
    check(study, crowd, engine)
