"""Answers on arenas, as frozen objects."""

from __future__ import annotations

from datetime import datetime

from assay.models import Answer


class Arena(Answer):
    """Models that answer whatever people ask, two at a time. `battles` have two answers, `votes`
    were voted on; `failed`: a model gave no answer; `url` is that of their page."""

    id: str
    name: str
    models: list[str]
    max_tokens: int
    temperature: float
    system: str | None
    language: str
    instructions: str
    battles: int
    votes: int
    failed: int
    url: str
    created_at: datetime


class DeletedArena(Answer):
    """What is gone, with its battles and votes."""

    id: str
    deleted: bool


class Sides(Answer):
    """Whose answers were "a" and "b"."""

    a: str
    b: str


class BattleError(Answer):
    """Why there are no answers."""

    code: str
    message: str


class BattleTurn(Answer):
    """What was asked, and both answers to it."""

    prompt: str
    a: str
    b: str


class Battle(Answer):
    """Two answers to a prompt, `a` and `b`: texts by programs. `models` are told once there is a
    vote. `earlier`: turns before this one; `turn` counts the prompts before it, `error` says why
    one of them, or the battle, has no answers."""

    id: str
    arena: str
    status: str
    prompt: str
    a: str | None
    b: str | None
    turn: int
    earlier: list[BattleTurn]
    choice: str | None
    models: Sides | None
    error: BattleError | None
    created_at: datetime


class BattleMessage(Answer):
    """A message of a conversation, by a user or an assistant."""

    role: str
    content: str


class ArenaVote(Answer):
    """A vote, in the layout of LMArena's logs: `winner` is model_a, model_b, tie or tie (bothbad),
    `judge` a digest of who voted, `turn` the number of questions, `tstamp` seconds since 1970."""

    id: str
    model_a: str
    model_b: str
    winner: str
    judge: str | None
    conversation_a: list[BattleMessage]
    conversation_b: list[BattleMessage]
    turn: int
    tstamp: float


class ArenaModel(Answer):
    """What votes say of a model: `strength` in log-odds, of mean 0, `elo` the same on the scale of
    chess; ranks are None while votes do not connect all models."""

    model: str
    votes: int
    wins: int
    ties: int
    losses: int
    both_bad: int
    strength: float | None
    interval: tuple[float, float] | None
    elo: float | None
    win_rate: float | None
    win_rate_interval: tuple[float, float] | None
    rank: int | None
    rank_interval: tuple[int, int] | None


class ArenaBoard(Answer):
    """Models by all votes so far, the best first; `components`: groups that votes connect."""

    arena: str
    votes: int
    voters: int
    prompts: int
    level: float
    models: list[ArenaModel]
    connected: bool
    components: list[list[str]]
    warnings: list[str]
