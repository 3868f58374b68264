"""Boards are computed when an evaluation lands, stored, and say what they show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, select

from assay import AssayError, Client
from service.db.board_tables import boards
from service.db.tables import evaluations
from service.jobs.context import Context
from service.jobs.queue import waits
from service.leaderboards import jobs
from service.leaderboards.moments import moment
from service.leaderboards.routes import MOST_AT_ONCE, get_leaderboard
from service.leaderboards.schemas import Leaderboard
from service.models.resources import Resources
from service.settings import Settings
from tests.known import known
from tests.service.scored import scored
from tests.service.stored import create, statements, succeed
from tests.service.texts import samples

RECORDS = [
    {"id": str(n + 1), "prompt": "?", "references": [f"The vote of {n} was postponed to May."]}
    for n in range(12)
]
Add = Callable[[str, int], str]


@pytest.fixture
def settings(fresh_url: str) -> Settings:
    return Settings(database_url=SecretStr(fresh_url))


@pytest.fixture
def add(engine: Engine) -> Add:
    """Lets an evaluation of a system land, whose outputs are the first words of the references."""

    def land(system: str, words: int) -> str:
        with engine.begin() as db:
            evaluation = create(db, system, RECORDS, ["chrf"])
            succeed(db, evaluation, RECORDS, ["chrf"], words)
            return evaluation

    return land


def read(
    engine: Engine, settings: Settings, limit: int = 1000, after: str | None = None
) -> Leaderboard:
    with engine.begin() as db:
        return get_leaderboard("votes", db, settings, "chrf", limit=limit, after=after)


def stored_at(engine: Engine) -> datetime | None:
    with engine.begin() as db:
        found: datetime | None = db.scalar(select(func.max(boards.c.computed_at)))
    return found


def test_a_landing_has_the_board_computed_once(
    engine: Engine, settings: Settings, add: Add
) -> None:
    add("one", 3)
    evaluation = add("two", 5)
    with engine.begin() as db:
        dataset = known(
            db.scalar(select(evaluations.c.dataset_id).where(evaluations.c.id == evaluation))
        )
        assert waits(db, "board.update", dataset=dataset)
    assert stored_at(engine) is None
    context = Context(Resources(settings, "cpu"))
    jobs.update(context, dataset)
    computed = known(stored_at(engine))
    jobs.update(context, dataset)  # again: nothing has landed
    taken, board = statements(
        engine, lambda db: get_leaderboard("votes", db, settings, "chrf", limit=1000)
    )
    assert taken <= 5
    assert known(board.computed_at) == stored_at(engine) == computed
    assert [row.system for row in board.rows] == ["two", "one"]
    add("three", 7)
    assert [row.system for row in read(engine, settings).rows] == ["three", "two", "one"]
    assert known(stored_at(engine)) > computed


def test_a_large_board_says_what_is_not_in_it_yet_and_comes_in_pages(
    engine: Engine, settings: Settings, add: Add
) -> None:
    for at in range(MOST_AT_ONCE + 1):
        add(f"system {at:03}", 1 + at % 7)
    first = read(engine, settings, limit=60)
    assert (first.size, first.pending, len(first.rows)) == (MOST_AT_ONCE + 1, 0, 60)
    assert first.has_more
    rest = read(engine, settings, after=first.last_id)
    assert not rest.has_more
    shown = [row.evaluation for row in [*first.rows, *rest.rows]]
    assert len(set(shown)) == len(shown) == first.size
    assert [row.rank for row in [*first.rows, *rest.rows]] == sorted(
        row.rank for row in [*first.rows, *rest.rows]
    )
    add("late", 7)
    late = read(engine, settings)
    assert (late.pending, late.size) == (1, first.size)
    assert "not in it yet" in late.warnings[-1]
    with engine.begin() as db:
        assert waits(db, "board.update", dataset=late.dataset_id)
    jobs.update(Context(Resources(settings, "cpu")), late.dataset_id)
    now = read(engine, settings)
    assert (now.pending, now.size) == (0, first.size + 1)
    assert now.warnings == ["only 12 samples: ranks and p-values are rough"]


def test_a_board_as_it_stood(assay: Client) -> None:
    first = scored(assay, system="old", dataset="past", samples=samples(8), metrics=["chrf"])
    between = known(assay.evaluation(first.id).finished_at)
    scored(assay, system="new", dataset="past", samples=samples(8, worse=True), metrics=["chrf"])
    then = assay.leaderboard("past", "chrf", at=between.isoformat())
    assert [row.system for row in then.rows] == ["old"]
    assert then.at == between
    today = datetime.now(UTC).date().isoformat()
    assert len(assay.leaderboard("past", "chrf", at=today).rows) == 2
    with pytest.raises(AssayError, match="nothing had landed by") as early:
        assay.leaderboard("past", "chrf", at="2001-01-01")
    assert (early.value.status, early.value.param) == (404, "at")
    with pytest.raises(AssayError, match="is no date") as wrong:
        assay.leaderboard("past", "chrf", at="yesterday")
    assert (wrong.value.status, wrong.value.param) == (422, "at")
    scored(assay, system="newest", dataset="past", samples=samples(9), metrics=["chrf"])
    then = assay.leaderboard("past", "chrf", at=between.isoformat())  # of the version of that time
    assert (then.version, [row.system for row in then.rows]) == (1, ["old"])
    assert moment("2026-11-24").isoformat() == "2026-11-24T23:59:59.999999+00:00"
    assert moment("2026-11-24T12:00:00 01:00").isoformat() == "2026-11-24T12:00:00+01:00"


def test_a_row_tells_how_sure_its_rank_is(assay: Client) -> None:
    for system, worse in (("good", False), ("good-too", False), ("bad", True)):
        given = samples(64, worse=worse)
        scored(assay, system=system, dataset="surely", samples=given, metrics=["chrf"])
    whole = assay.leaderboard("surely", "chrf")
    assert [row.tie_band for row in whole.rows] == [1, 1, 2]
    assert [row.p_first for row in whole.rows] == [0.5, 0.5, 0.0]
    assert [row.rank_interval_step_down for row in whole.rows] == [(1, 2), (1, 2), (3, 3)]
    assert known(whole.rows[1].p_vs_next_step_down) < 0.05
    assert known(whole.rows[1].p_vs_next) > 0
    assert [row.n_common for row in whole.rows] == [64, 64, 64]
    assert "Holm over 3 pairs" in known(whole.tests)
    (told,) = whole.warnings
    assert "the same outputs on every sample" in told
    pages = assay.leaderboard("surely", "chrf", limit=2)
    assert [row.system for row in pages.rows] == ["good", "good-too"]
    assert pages.has_more


def test_a_board_over_clusters(assay: Client) -> None:
    for system, worse in (("good", False), ("bad", True)):
        given = [
            one | {"metadata": {"passage": str(at // 4)}}
            for at, one in enumerate(samples(32, worse=worse))
        ]
        scored(assay, system=system, dataset="passages", samples=given, metrics=["chrf"])
    plain = assay.leaderboard("passages", "chrf")
    board = assay.leaderboard("passages", "chrf", cluster="passage")
    assert (plain.cluster, board.cluster, board.clusters) == (None, "passage", 8)
    assert [row.n_common for row in board.rows] == [8, 8]
    assert "over clusters (passage)" in known(board.tests)
    assert "only 8 clusters" in board.warnings[0]
    assert known(board.rows[0].p_vs_next) > known(plain.rows[0].p_vs_next)
    assert board.rows[0].interval != plain.rows[0].interval
    with pytest.raises(AssayError, match="passage") as unknown:
        assay.leaderboard("passages", "chrf", cluster="passages")
    assert (unknown.value.status, unknown.value.param) == (422, "cluster")


def test_intervals_over_clusters_are_those_of_an_evaluation_that_names_them(assay: Client) -> None:
    """Percentiles of two clusters' replicates are far too narrow, and of one have no width."""
    given = [
        one | {"metadata": {"half": str(at % 2), "all": "same"}}
        for at, one in enumerate(samples(32, worse=True))
    ]
    plain = {"dataset": "halves", "samples": given, "metrics": ["chrf"]}
    scored(assay, system="plain", **plain)
    named = scored(assay, system="named", cluster="half", **plain)
    assert {row.system: row.design_effect for row in assay.leaderboard("halves", "chrf").rows} == {
        "plain": None,
        "named": known(named.scores[0].design_effect),
    }
    rows = assay.leaderboard("halves", "chrf", cluster="half").rows
    assert [row.design_effect for row in rows] == [named.scores[0].design_effect] * 2
    assert [row.interval for row in rows] == [named.scores[0].interval] * 2
    alone = assay.leaderboard("halves", "chrf", cluster="all").rows
    assert [row.interval for row in alone] == [None, None]
