"""kill -9 of the API while people vote: no vote lost, none twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from sqlalchemy import Engine, update

from assay import Client
from service.arenas import store
from service.db.arena_tables import arena_battles
from tests.service.live import Live
from tests.waiting import until

pytestmark = pytest.mark.slow

BATTLES, PEOPLE, PATIENCE = 150, 8, 60.0


def test_a_killed_api_loses_no_vote_and_counts_none_twice(api_alone: Live, engine: Engine) -> None:
    """Two people vote otherwise on each battle, and repeat what was not answered: one of them was
    first, however often either was cut off."""
    with engine.begin() as db:
        asked = {"max_tokens": 1, "temperature": 0.0, "language": "en"}
        arena = store.create(db, {"name": "killed", "models": ["one", "two"], **asked})
        for _ in range(BATTLES):
            store.begin(db, arena, "Hi?", ("one", "two"))
        rows = db.execute(update(arena_battles).values(answer_a="a", answer_b="b").returning("*"))
        battles = [row.id for row in rows]
    answers: dict[tuple[str, str], int] = {}
    broken: list[str] = []

    def vote(person: int) -> None:
        choice = "ab"[person % 2]
        with httpx.Client(
            base_url=f"{api_alone.base}/v1/arenas/{arena}/battles", timeout=10
        ) as http:
            for battle in battles[person // 2 :: PEOPLE // 2]:
                body = {"choice": choice, "voter": f"person {person}"}
                ends = time.monotonic() + PATIENCE
                while time.monotonic() < ends:
                    try:
                        answers[battle, choice] = http.post(f"{battle}/vote", json=body).status_code
                        break
                    except httpx.TransportError:
                        broken.append(battle)
                        time.sleep(0.1)

    def more_than(count: int) -> bool:
        return len(answers) > count

    with ThreadPoolExecutor(PEOPLE) as pool:
        voting = [pool.submit(vote, person) for person in range(PEOPLE)]
        for _ in range(2):
            until(partial(more_than, len(answers) + BATTLES // 2), PATIENCE)
            api_alone.processes[-1].kill()  # SIGKILL
            api_alone.processes[-1].wait()
            api_alone.api()
        for one in voting:
            one.result()
    assert broken
    with Client(api_alone.base) as assay:
        board = assay.arena_board(arena)
        stored = list(assay.arena_votes(arena))
    assert [one.id for one in stored] == sorted(battles)
    assert (board.votes, board.voters) == (BATTLES, PEOPLE)
    for row in stored:
        stands = row.winner.removeprefix("model_")
        told = {choice: answers[row.id, choice] for choice in "ab"}
        assert told == {choice: 200 if choice == stands else 409 for choice in "ab"}
