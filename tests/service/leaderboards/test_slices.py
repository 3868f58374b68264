"""Slices that contradict the whole, and defined boards that a landing computes."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, insert, select

from service.datasets import store as datasets
from service.db.tables import scores
from service.jobs.context import Context
from service.leaderboards import board_results, defined_store, jobs
from service.leaderboards import store as leaderboards
from service.leaderboards.boards import compute
from service.leaderboards.boards_store import BoardKey
from service.leaderboards.slices import Slice, reversed_pairs
from service.models.resources import Resources
from service.settings import Settings
from tests.known import known
from tests.service.stored import create, succeed

RECORDS = [
    {
        "id": str(n + 1),
        "prompt": "?",
        "references": [f"The vote of {n} was postponed to May."],
        "metadata": {"hard": n % 3 == 0},
    }
    for n in range(12)
]


@pytest.fixture
def settings(fresh_url: str) -> Settings:
    return Settings(database_url=SecretStr(fresh_url))


def landed(db: Connection, system: str, words: int, **slices: float) -> str:
    """An evaluation with these values of the slices of `hard`."""
    evaluation = create(db, system, RECORDS, ["chrf"])
    succeed(db, evaluation, RECORDS, ["chrf"], words)
    row = db.execute(select(scores).where(scores.c.evaluation_id == evaluation)).one()._asdict()
    for value, own in slices.items():
        db.execute(insert(scores).values(row | {"slice": f"hard={value}", "value": own}))
    return evaluation


def test_simpsons_paradox_is_pointed_out(engine: Engine, settings: Settings) -> None:
    with engine.begin() as db:
        landed(db, "above", 6, true=10.0, false=50.0)
        landed(db, "below", 4, true=20.0, false=60.0)
        landed(db, "apart", 2, true=15.0, false=40.0)
        version = datasets.require(db, "votes")
        board = compute(db, settings, version, BoardKey(version.id, "chrf"))
    assert [row.system for row in board.rows] == ["above", "below", "apart"]
    (told,) = [one for one in board.warnings if "Simpson" in one]
    assert "above is above below: on the whole, but below on every slice of hard" in told
    assert "apart" not in told


def test_values_that_a_slice_contradicts_are_counted_anew(
    engine: Engine, settings: Settings
) -> None:
    with engine.begin() as db:
        landed(db, "one", 3, true=10.0)  # which its rows do not give
        dataset = datasets.require(db, "votes").id
        over = Slice.read(db, dataset, "hard=true")
        rows = leaderboards.board(db, dataset, "chrf", "hard=true", None)
        for _ in range(2):  # as the scores of a front do
            own = board_results.read(db, settings, dataset, rows, over)
            assert (own.paired, known(own.over).unlike) == ([None], 1)
            assert any(one.startswith("1 of 1 systems") for one in own.warnings(rows))


def test_a_reversal_is_one_on_every_slice() -> None:
    whole = np.array([3.0, 2.0, 1.0])
    parts = np.array([[1.0, 2.0, 0.0], [4.0, 5.0, np.nan]])
    assert reversed_pairs(whole, parts).tolist() == [[0, 1]]
    assert not len(reversed_pairs(whole, parts[:1]))
    assert not len(reversed_pairs(whole, np.stack([whole, whole])))


def test_a_landing_computes_the_defined_boards_of_its_dataset(
    engine: Engine, settings: Settings
) -> None:
    part = {"dataset": "votes", "score": "chrf", "slice": None, "weight": 1.0}
    with engine.begin() as db:
        landed(db, "one", 3)
        defined_store.create(db, "mine", {"parts": [part], "aggregate": "mean"})
        dataset = datasets.require(db, "votes").id
    jobs.update(Context(Resources(settings, "cpu")), dataset)
    with engine.begin() as db:
        assert '"system":"one"' in known(known(defined_store.find(db, "mine")).content)
