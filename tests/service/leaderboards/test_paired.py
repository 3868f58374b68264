"""Stored results are read at once, whatever the number of systems that are compared."""

from __future__ import annotations

from pydantic import SecretStr
from sqlalchemy import Engine

from service.leaderboards.routes import get_leaderboard
from service.settings import Settings
from tests.service.stored import create, statements, succeed

RECORDS = [
    {"id": str(n + 1), "prompt": "?", "references": [f"The vote of {n} was postponed to May."]}
    for n in range(12)
]


def test_a_board_is_read_at_once(engine: Engine, fresh_url: str) -> None:
    settings = Settings(database_url=SecretStr(fresh_url))

    def add(system: str, words: int) -> None:
        with engine.begin() as db:
            evaluation = create(db, system, RECORDS, ["chrf"])
            succeed(db, evaluation, RECORDS, ["chrf"], words)

    add("one", 1)
    add("two", 2)
    few, _ = statements(engine, lambda db: get_leaderboard("votes", db, settings, "chrf"))
    for words in range(3, 8):
        add(f"{words} words", words)
    many, board = statements(engine, lambda db: get_leaderboard("votes", db, settings, "chrf"))
    assert few == many <= 24
    assert [row.system for row in board.rows] == [
        *("7 words", "6 words", "5 words", "4 words", "3 words", "two", "one")
    ]
    assert [row.rank for row in board.rows] == [1, 2, 3, 4, 5, 6, 7]
    assert all(row.p_vs_next is not None and row.p_vs_next < 0.05 for row in board.rows[:-1])
