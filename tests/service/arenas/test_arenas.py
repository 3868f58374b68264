"""Arenas over HTTP: two answers to a prompt, blind; a vote; a board."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pyarrow
import pyarrow.parquet
import pytest
from sqlalchemy import update

from assay import Arena, AssayError, Battle, Client
from metrics.statistics.strengths import strengths
from metrics.statistics.votes import Votes
from service.arenas import boards, exports, store
from service.arenas.schemas import ArenaVoteOut
from service.db.arena_tables import arena_battles
from service.db.engine import connect
from tests.faulty_server import FaultyServer, faulty_server
from tests.service.live import Live
from tests.waiting import until

WORTH = {"weak": 1, "fair": 2, "fine": 3}  # how many words each says


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with faulty_server(text=lambda body: "word " * WORTH.get(body["model"], 0)) as made:
        yield made


@pytest.fixture(autouse=True)
def reset(server: FaultyServer) -> None:
    server.asked.clear()
    server.seconds = 0.0


@pytest.fixture(scope="module")
def models(assay: Client, server: FaultyServer) -> Iterator[list[str]]:
    names = [*WORTH, "refused_key", "nul", "silent", "null_content"]
    for name in names:
        assay.create_model(f"far-{name}", server.url, name)
    yield [f"far-{name}" for name in WORTH]
    for arena in assay.arenas():
        assay.delete_arena(arena.id)
    for name in names:
        assay.delete_model(f"far-{name}")


def better(battle: Battle) -> str:
    """The choice of somebody who wants many words."""
    assert battle.a is not None
    assert battle.b is not None
    return "a" if len(battle.a) > len(battle.b) else "b"


def said(error: pytest.ExceptionInfo[AssayError]) -> tuple[int | None, str | None, str | None]:
    return error.value.status, error.value.code, error.value.param


def test_an_arena_from_its_first_prompt_to_its_board(
    assay: Client, models: list[str], server: FaultyServer
) -> None:
    arena = assay.create_arena("words", models, max_tokens=9, system="Be brief.", language="ru")
    assert "Спросите что угодно" in arena.instructions
    empty = assay.arena_board(arena.id)
    assert (empty.votes, empty.connected, empty.warnings) == (0, False, ["no votes yet"])
    assert [one.strength for one in empty.models] == [None] * 3
    cast, sides = [], set()
    for at in range(20):
        battle = assay.create_battle(arena.id, f"Say something {at % 10}")
        assert (battle.status, battle.models, battle.choice) == ("open", None, None)
        assert "far-" not in battle.model_dump_json()
        choice = "both_bad" if at % 10 == 9 else better(battle)
        voted = assay.vote_on_battle(arena.id, battle.id, choice, voter=f"person {at % 5}")
        assert voted.models is not None
        told = [WORTH[voted.models[side].removeprefix("far-")] for side in "ab"]
        assert [voted.a, voted.b] == ["word " * words for words in told]
        cast.append((voted.models.a, voted.models.b, choice))
        sides.add(told[0] > told[1])
        assert assay.arena_board(arena.id).votes == at + 1
    assert sides == {True, False}
    _is_what_was_voted(assay, arena, cast)
    sent = server.asked[0].body
    assert [one["content"] for one in sent["messages"]] == ["Be brief.", "Say something 0"]
    assert (sent["max_tokens"], sent["temperature"]) == (9, 0.7)
    with pytest.raises(AssayError, match=arena.id) as used:
        assay.update_model(models[0], model="another")
    assert said(used) == (409, "model_in_use", "model")
    shown = assay.arena(arena.id)
    assert (shown.battles, shown.votes, shown.failed) == (20, 20, 0)
    assert arena.id in {one.id for one in assay.arenas()}
    assert assay.delete_arena(arena.id).deleted
    with pytest.raises(AssayError) as gone:
        assay.battle(arena.id, battle.id)
    assert said(gone) == (404, "arena_not_found", "arena")


def _is_what_was_voted(assay: Client, arena: Arena, cast: Sequence[tuple[str, str, str]]) -> None:
    """The board, against counts and strengths of the votes as they were told."""
    board = assay.arena_board(arena.id)
    assert [one.model for one in board.models] == ["far-fine", "far-fair", "far-weak"]
    assert [one.rank for one in board.models] == [1, 2, 3]
    assert (board.connected, board.components) == (True, [arena.models])
    assert (board.voters, board.prompts) == (5, 10)
    wins = Counter((a if choice == "a" else b) for a, b, choice in cast if choice != "both_bad")
    bad = Counter(name for a, b, choice in cast if choice == "both_bad" for name in (a, b))
    outcome = [{"a": 1, "b": -1}.get(choice, 0) for _, _, choice in cast]
    place = [[arena.models.index(one) for one in pair[:2]] for pair in cast]
    votes = Votes.of(
        arena.models,
        [one[0] for one in place],
        [one[1] for one in place],
        outcome,
        annotators=[f"person {at % 5}" for at in range(20)],
        items=[f"prompt {at % 10}" for at in range(20)],
    )
    expected = strengths(votes)
    for row in board.models:
        at = arena.models.index(row.model)
        assert (row.wins, row.both_bad, row.ties) == (wins[row.model], bad[row.model], row.both_bad)
        assert row.votes == row.wins + row.ties + row.losses
        assert row.win_rate == pytest.approx((row.wins + row.ties / 2) / row.votes)
        assert row.strength == pytest.approx(expected.values[at], abs=1e-9)
        assert row.interval == pytest.approx([expected.low[at], expected.high[at]], abs=1e-9)
        assert row.rank_interval is not None
        assert row.rank is not None
        assert row.rank_interval[0] <= row.rank <= row.rank_interval[1]


def test_a_vote_counts_once_and_is_final(assay: Client, models: list[str], live: Live) -> None:
    arena = assay.create_arena("once", models, temperature=0)
    battle = assay.create_battle(arena.id, "Hi?", idempotency_key="battle of once")
    assert assay.create_battle(arena.id, "Hi?", idempotency_key="battle of once") == battle
    url = f"{live.base}/v1/arenas/{arena.id}/battles/{battle.id}/vote"

    def vote(at: int) -> tuple[int, str]:
        answer = httpx.post(url, json={"choice": "ab"[at % 2]}, timeout=60)
        return answer.status_code, answer.json().get("choice") or answer.json()["error"]["code"]

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(vote, range(16)))
    (stands,) = (choice for status, choice in answers if status == 200)
    assert answers == {(200, stands): 8, (409, "voted_already"): 8}
    with pytest.raises(AssayError) as another:
        assay.vote_on_battle(arena.id, battle.id, stands, voter="somebody else")
    assert said(another) == (409, "voted_already", "choice")
    assert assay.battle(arena.id, battle.id).choice == stands
    assert assay.arena_board(arena.id).votes == 1


def test_a_model_that_fails_costs_no_battle_and_rests(assay: Client, models: list[str]) -> None:
    arena = assay.create_arena("faults", [*models[:2], "far-refused_key"])
    failed: list[AssayError] = []
    for _ in range(6):
        try:
            battle = assay.create_battle(arena.id, "Hi?")
        except AssayError as error:
            failed.append(error)
            continue
        voted = assay.vote_on_battle(arena.id, battle.id, better(battle))
        assert voted.models is not None
        assert {voted.models.a, voted.models.b} == set(models[:2])
    assert [(one.status, one.code) for one in failed] == [(422, "key_refused")]
    assert "'far-refused_key' gave no answer" in str(failed[0])
    shown = assay.arena(arena.id)
    assert (shown.battles, shown.votes, shown.failed) == (5, 5, 1)
    board = assay.arena_board(arena.id)
    assert (board.votes, board.connected) == (5, False)
    assert board.components == [models[:2], ["far-refused_key"]]
    assert [one.rank for one in board.models] == [None] * 3
    assert any("no votes on far-refused_key" in warning for warning in board.warnings)


@pytest.mark.parametrize("silent", ["far-silent", "far-null_content"])
def test_an_empty_answer_is_none(assay: Client, models: list[str], silent: str) -> None:
    arena = assay.create_arena("empty", [models[0], silent])
    with pytest.raises(AssayError, match=f"'{silent}' gave no answer: ") as failed:
        assay.create_battle(arena.id, "Hi?")
    assert said(failed) == (422, "empty_answer", None)
    shown = assay.arena(arena.id)
    assert (shown.battles, shown.failed) == (0, 1)


def test_a_model_here_fights_one_that_writes_what_no_database_holds(
    assay: Client, models: list[str]
) -> None:
    arena = assay.create_arena("mixed", ["far-nul", "tiny-language"], max_tokens=4)
    battle = assay.create_battle(arena.id, "Hi?")
    voted = assay.vote_on_battle(arena.id, battle.id, "tie")
    assert voted.models is not None
    answers = {voted.models.a: voted.a, voted.models.b: voted.b}
    assert answers["far-nul"] == "a\ufffdb\ufffd"
    assert answers["tiny-language"]


def test_a_battle_goes_on_and_each_model_sees_its_own_answers(
    assay: Client, models: list[str], server: FaultyServer
) -> None:
    arena = assay.create_arena("turns", models, system="Be brief.")
    battle = assay.create_battle(arena.id, "One?")
    first = (battle.a, battle.b)
    server.asked.clear()
    again = assay.create_turn(arena.id, battle.id, "Two?", idempotency_key="two")
    assert assay.create_turn(arena.id, battle.id, "Two?", idempotency_key="two") == again
    assert (again.status, again.prompt, again.turn, again.models) == ("open", "Two?", 1, None)
    assert [(one.prompt, one.a, one.b) for one in again.earlier] == [("One?", *first)]
    histories = [one.body["messages"] for one in server.asked]
    assert [[turn["content"] for turn in one[:2]] for one in histories] == [
        ["Be brief.", "One?"]
    ] * 2
    assert [one[-1]["content"] for one in histories] == ["Two?"] * 2
    assert sorted(one[2]["content"] for one in histories) == sorted(map(str, first))
    answers = {one.body["model"]: one.body["messages"][2]["content"] for one in server.asked}
    assert all(text == "word " * WORTH[name] for name, text in answers.items())
    server.plan = ["refused_key", "refused_key"]
    with pytest.raises(AssayError, match="a model gave no answer to that prompt") as failed:
        assay.create_turn(arena.id, battle.id, "Three?", idempotency_key="no turn")
    assert (failed.value.status, failed.value.code) == (422, "key_refused")
    assert "far-" not in str(failed.value)
    stands = assay.battle(arena.id, battle.id)
    assert (stands.status, stands.prompt, stands.turn) == ("open", "Two?", 2)
    assert stands.error is not None
    server.plan.clear()
    voted = assay.vote_on_battle(arena.id, battle.id, better(again))
    assert voted.models is not None
    assert "gave no answer" in voted.model_dump_json()
    assert [one.prompt for one in voted.earlier] == ["One?"]
    with pytest.raises(AssayError) as late:
        assay.create_turn(arena.id, battle.id, "Four?")
    assert said(late) == (409, "battle_voted", "battle")
    shown = assay.arena(arena.id)
    assert (shown.battles, shown.votes, shown.failed) == (1, 1, 0)


def test_votes_leave_and_come_back_as_a_project(
    assay: Client, models: list[str], live: Live, tmp_path: Path
) -> None:
    """What the files say, once imported, is what the board says."""
    arena = assay.create_arena("leaves", models)
    for at in range(9):
        battle = assay.create_battle(arena.id, f'Question {at}, "quoted"\nand 日本?')
        if at == 0:
            battle = assay.create_turn(arena.id, battle.id, "And?")
        choice = "both_bad" if at == 8 else better(battle) if at % 4 else "tie"
        assay.vote_on_battle(arena.id, battle.id, choice, voter=f"v{at % 3}" if at else None)
    votes = list(assay.arena_votes(arena.id))
    assert [one.turn for one in votes] == [2] + [1] * 8
    assert [one.content for one in votes[0].conversation_a][::2] == [
        'Question 0, "quoted"\nand 日本?',
        "And?",
    ]
    assert (votes[0].judge, len({one.judge for one in votes})) == (None, 4)
    assert votes[8].winner == "tie (bothbad)"
    assert "v1" not in {one.judge for one in votes}
    board = assay.arena_board(arena.id)
    strengths_of = {one.model: one.strength for one in board.models}
    for ending in ("jsonl", "csv", "parquet"):
        path = assay.export_arena_votes(arena.id, tmp_path / f"votes.{ending}")
        made = assay.import_votes(f"from {ending}", path)
        assert (made.left_out, made.progress.votes, made.progress.annotators) == ({}, 9, 4)
        analysis = assay.annotation_analysis(made.id)
        found = {one.system: one.strength for one in analysis.systems}
        assert found == pytest.approx(strengths_of, abs=1e-6)
    url = f"{live.base}/v1/arenas/{arena.id}/votes"
    part = httpx.get(url, params={"format": "jsonl", "after": votes[1].id, "limit": 3}).text
    assert [orjson.loads(line)["id"] for line in part.splitlines()] == [
        one.id for one in votes[2:5]
    ]
    assert httpx.get(url, params={"format": "csv", "after": "battle_0"}).status_code == 422
    rows = [ArenaVoteOut.model_validate(one.model_dump()) for one in votes]
    split = [rows[at : at + 2] for at in range(0, 9, 2)]
    whole = b"".join(exports.as_parquet(iter(split)))
    table = pyarrow.parquet.read_table(pyarrow.BufferReader(whole))
    assert table.to_pylist() == [one.model_dump() for one in rows]


def test_a_battle_has_an_end(database_url: str, assay: Client, models: list[str]) -> None:
    arena = assay.create_arena("long", models)
    battle = assay.create_battle(arena.id, "Hi?")
    engine = connect(database_url)

    def after(turns: int, length: int) -> None:
        earlier = [{"prompt": "x" * length, "a": "", "b": ""}] * turns
        change = update(arena_battles).where(arena_battles.c.id == battle.id)
        with engine.begin() as db:
            db.execute(change.values(earlier=earlier))

    after(4, 100_000)
    with pytest.raises(AssayError, match="over 500000") as long:
        assay.create_turn(arena.id, battle.id, "x" * 100_000)
    assert said(long) == (422, "battle_too_long", "prompt")
    after(19, 1)
    with pytest.raises(AssayError, match="20 turns") as many:
        assay.create_turn(arena.id, battle.id, "x")
    assert said(many) == (409, "too_many_turns", "battle")
    engine.dispose()


def test_nobody_votes_before_both_have_answered(
    assay: Client, models: list[str], server: FaultyServer, live: Live
) -> None:
    arena = assay.create_arena("late", models)
    server.seconds = 2.0
    url = f"{live.base}/v1/arenas/{arena.id}/battles"
    hurried = httpx.post(url, json={"prompt": "Hi?"}, headers={"prefer": "wait=1"}, timeout=60)
    assert (hurried.status_code, hurried.json()["error"]["code"]) == (503, "timed_out")
    id = hurried.json()["error"]["message"].rpartition("/")[2]
    running = assay.battle(arena.id, id)
    assert (running.status, running.a, running.b) == ("running", None, None)
    with pytest.raises(AssayError) as early:
        assay.vote_on_battle(arena.id, id, "a")
    assert said(early) == (409, "battle_not_open", "battle")
    until(lambda: assay.battle(arena.id, id).status == "open", 20)


@pytest.mark.slow
def test_a_killed_process_costs_no_battle(
    assay: Client, models: list[str], server: FaultyServer, live: Live
) -> None:
    import psutil

    arena = assay.create_arena("killed", models)
    server.seconds = 3.0
    found: list[Battle] = []
    asking = threading.Thread(target=lambda: found.append(assay.create_battle(arena.id, "Hi?")))
    asking.start()
    until(lambda: len(server.asked) == 2, 20)
    for compute in psutil.Process(live.processes[1].pid).children():  # the worker's
        compute.kill()
    asking.join(90)
    assert found[0].status == "open"
    assert assay.vote_on_battle(arena.id, found[0].id, better(found[0])).status == "voted"


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"models": ["tiny-language"]}, "too_short", "models"),
        ({"models": ["tiny-language"] * 2}, "same_model", None),
        ({"models": ["tiny-language", "tiny-langage"]}, "unknown_model", "models[1]"),
        ({"models": ["tiny-reward", "tiny-language"]}, "wrong_model_kind", "models[0]"),
        ({"max_tokens": 0}, "greater_than_equal", "max_tokens"),
        ({"language": "de"}, "literal_error", "language"),
    ],
)
def test_an_arena_that_cannot_be_is_refused(
    live: Live, given: dict[str, Any], code: str, param: str | None
) -> None:
    body = {"name": "bad", "models": ["tiny-language", "builtin/smollm2-135m-instruct"]} | given
    answer = httpx.post(f"{live.base}/v1/arenas", json=body, timeout=60)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (422, code, param)


def test_bad_prompts_and_votes_are_refused(assay: Client, models: list[str], live: Live) -> None:
    arena = assay.create_arena("bad", models)
    url = f"{live.base}/v1/arenas/{arena.id}/battles"
    for prompt in ("", " \n\t", "a\x00", "x" * 100_001, 5, None):
        answer = httpx.post(url, json={"prompt": prompt}, timeout=60)
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "prompt")
    other = assay.create_arena("other", models)
    battle = assay.create_battle(other.id, "Hi?")
    for arena_id, choice, status, param in (
        (arena.id, "a", 404, "battle"),
        ("arena_0", "a", 404, "arena"),
        (other.id, "c", 422, "choice"),
    ):
        with pytest.raises(AssayError) as refused:
            assay.vote_on_battle(arena_id, battle.id, choice)
        assert (refused.value.status, refused.value.param) == (status, param)


def test_votes_that_connect_no_groups_rank_nobody() -> None:
    names = ["a1", "a2", "b1", "b2", "b3"]
    arena = store.Arena("arena_1", "x", names, 1, 0.0, None, "en", b"", datetime.now(UTC))
    draws = np.random.default_rng(5)
    cast = []
    for at in range(400):
        group = names[:2] if at % 2 else names[2:]
        first, second = draws.permutation(group)[:2].tolist()
        choice: Any = "a" if draws.random() < (0.8 if first < second else 0.2) else "b"
        cast.append(store.VoteRow(f"battle_{at}", first, second, choice, None, str(at)))
    board = boards.computed(arena, cast)
    assert (board.connected, board.components) == (False, [names[2:], names[:2]])
    assert [one.model for one in board.models] == ["b1", "b2", "b3", "a1", "a2"]
    assert {one.rank for one in board.models} == {None}
    assert all(one.interval is not None for one in board.models)
    assert any("2 groups" in warning for warning in board.warnings)
