"""Stored results: read at once, whatever the number of systems; of earlier versions, not tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, Engine

from metrics.core.evidence import Evidence
from metrics.core.result import Result, conclude
from metrics.pair_accuracy import METRIC, NO_INTERVAL, pair_row
from service.errors import ApiError
from service.evaluations import plans
from service.gates.admission import admit_gate
from service.gates.schemas import BaselineIn, GateIn, RuleIn
from service.leaderboards.comparisons import create_comparison
from service.leaderboards.paired import GONE
from service.leaderboards.routes import get_leaderboard
from service.leaderboards.schemas import ComparisonIn, ResultOut
from service.settings import Settings
from tests.service.stored import create, keep, statements, succeed

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


PAIRS = METRIC.bind({"model": "m"})
SCORES_BEFORE = 4  # of version 1: pair_overconfidence came later


def of_version(version: int, seed: int) -> Result:
    """As that version has concluded it, of a model that ranks two of three pairs right."""
    draw, ids = np.random.default_rng(seed), [str(one["id"]) for one in RECORDS]
    margins = draw.choice([-1.0, 1.0, 2.0], (len(ids), 1))
    evidence = Evidence.of_rows(np.stack([pair_row(one) for one in margins]), [0] * len(ids))
    parts = {"name": PAIRS.name, "version": str(version)}
    found = conclude(PAIRS, evidence, np.arange(len(ids)), ids, parts, replicates=100)
    if version == METRIC.version or found.per_sample is None or found.replicates is None:
        return found
    own, drawn = found.per_sample[:, :SCORES_BEFORE], found.replicates[:, :SCORES_BEFORE]
    return replace(found, scores=found.scores[:SCORES_BEFORE], per_sample=own, replicates=drawn)


def test_results_of_an_earlier_version_are_shown_and_not_tested(
    engine: Engine, fresh_url: str
) -> None:
    settings = Settings(database_url=SecretStr(fresh_url))

    def add(db: Connection, system: str, version: int) -> str:
        made = create(db, system, RECORDS, [PAIRS.name])
        plans.complete(db, made, 0, resolved=PAIRS.dump())
        keep(db, made, [of_version(version, len(system))])
        return made

    def compared(db: Connection, *ids: str) -> dict[str, ResultOut]:
        answer = create_comparison(ComparisonIn(evaluations=list(ids)), db, settings)
        return {one.name: one for one in answer.results}

    with engine.begin() as db:
        before, older = add(db, "before", 1), add(db, "older than", 1)
        now, newer = add(db, "now", 2), add(db, "newer than that", 2)
        found = compared(db, before, now)
        assert len(found) == SCORES_BEFORE
        assert {one.p_value for one in found.values()} == {None}
        assert all("version: 1 / 2" in (one.error or "") for one in found.values())
        found = compared(db, before, older)
        assert [one.error for one in found.values()] == [GONE] * SCORES_BEFORE
        assert None not in {one.a for one in found.values()}
        found = compared(db, now, newer)
        error = found.pop("pair_calibration_error")
        assert (error.error, error.difference, error.p_value) == (NO_INTERVAL, None, None)
        assert None not in {error.a, error.b}
        assert None not in {one.p_value for one in found.values()}
        board = get_leaderboard("votes", db, settings, error.name)
        assert {row.system for row in board.rows} == {"now", "newer than that"}
        assert board.warnings[0] == f"no pair is tested: {NO_INTERVAL}"
        gate = GateIn(
            name="sure",
            dataset="votes",
            baseline=BaselineIn(evaluation=now),
            rules=[RuleIn(score=error.name, max_drop=0.1)],
        )
        with pytest.raises(ApiError, match="has no test"):
            admit_gate(db, settings, gate)
