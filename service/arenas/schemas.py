"""Arenas, battles and boards, as they are asked for and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from service.http.fields import Name, Schema, Text

Language = Literal["en", "ru"]
Choice = Literal["a", "b", "tie", "both_bad"]
Status = Literal["running", "open", "voted", "failed"]
Winner = Literal["model_a", "model_b", "tie", "tie (bothbad)"]
Interval = tuple[float, float] | None

LONGEST_PROMPT = 100_000  # characters


def _said(value: str) -> str:
    if value.isspace():
        raise PydanticCustomError("blank", "is blank: say something")
    return value


Prompt = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=LONGEST_PROMPT),
    AfterValidator(_said),
    Field(json_schema_extra={"pattern": r"\S"}),
]


class ArenaIn(Schema):
    """Models that are to answer whatever people ask, two at a time."""

    name: Name
    models: Annotated[list[Name], Field(min_length=2, max_length=50)] = Field(
        description="any that can be chatted with: registered ones behind URLs, folders, builtin "
        "ones, checkpoints"
    )
    max_tokens: Annotated[int, Field(ge=1, le=8192)] = Field(256, description="of an answer")
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = Field(
        0.7, description="0: greedy"
    )
    system: Prompt | None = Field(None, description="said to each model before the prompt")
    language: Language = Field("en", description="of the instructions for voters")

    model_config = {
        "json_schema_extra": {
            "examples": [{"name": "which to ship", "models": ["gpt", "ckpt_01"], "max_tokens": 200}]
        }
    }

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise PydanticCustomError("same_model", "models: one of them is there twice")
        return self


class ArenaOut(BaseModel):
    """An arena. `battles` have two answers, `votes` were voted on; `failed`: a model gave no
    answer. `instructions`: Markdown, for voters; `url`: of the page on which they ask and vote."""

    object: str = "arena"
    id: str
    name: str
    models: list[str]
    max_tokens: int
    temperature: float
    system: str | None
    language: Language
    instructions: str
    battles: int
    votes: int
    failed: int
    url: str
    created_at: datetime


class DeletedArenaOut(BaseModel):
    """What is gone, with its battles and votes."""

    id: str
    deleted: bool = True


class BattleIn(Schema):
    """What two models are asked, at first or after their answers."""

    prompt: Prompt


class SidesOut(BaseModel):
    """Whose answers were "a" and "b"."""

    a: str
    b: str


class BattleErrorOut(BaseModel):
    """Why there are no answers."""

    code: str
    message: str


class BattleTurnOut(BaseModel):
    """What was asked, and both answers to it."""

    prompt: str
    a: str
    b: str


class BattleOut(BaseModel):
    """Two answers to a prompt: text by programs, to be shown as plain text. `models` are told once
    there is a vote, `choice`.

    status   running: a model has still to answer; open: vote, or go on; voted; failed: see `error`
    turn     how many prompts came before this one; one that was not answered is among them
    earlier  turns before this one, of which each model has seen its own answers
    error    why there is no battle; of an open one: why the last prompt has no answers
    """

    object: str = "arena_battle"
    id: str
    arena: str
    status: Status
    prompt: str
    a: str | None
    b: str | None
    turn: int
    earlier: list[BattleTurnOut]
    choice: Choice | None
    models: SidesOut | None
    error: BattleErrorOut | None
    created_at: datetime


class BattleVoteIn(Schema):
    """Which answer is better; `voter`: who says so, of which a digest is kept."""

    choice: Choice
    voter: Name | None = Field(
        None, description="by which votes of one person are known as such; null: somebody else"
    )

    model_config = {"json_schema_extra": {"examples": [{"choice": "a", "voter": "ada"}]}}


class BattleMessageOut(BaseModel):
    """A message of a conversation."""

    role: Literal["user", "assistant"]
    content: str


class ArenaVoteOut(BaseModel):
    """A vote, in the layout of LMArena's logs.

    id            of the battle
    winner        model_a, model_b, tie, or tie (bothbad)
    judge         a digest of who voted, the same in one arena; null: nobody was named
    conversation  all that was said to and by each model, without the arena's system message
    turn          how many questions there are
    tstamp        of the vote, in seconds since 1970
    """

    id: str
    model_a: str
    model_b: str
    winner: Winner
    judge: str | None
    conversation_a: list[BattleMessageOut]
    conversation_b: list[BattleMessageOut]
    turn: int
    tstamp: float


class ArenaModelOut(BaseModel):
    """What an arena's votes say of a model.

    strength   log-odds, of mean 0; `elo` is the same on the scale of chess, 1000 the mean
    win_rate   share of its votes that it won, ties half
    ties       `both_bad`, which are among them, included
    rank       from 1, the best; the rank interval is what differences leave open, all models at
               once; null while votes do not connect all models
    """

    model: str
    votes: int
    wins: int
    ties: int
    losses: int
    both_bad: int = 0
    strength: float | None = None
    interval: Interval = None
    elo: float | None = None
    win_rate: float | None = None
    win_rate_interval: Interval = None
    rank: int | None = None
    rank_interval: tuple[int, int] | None = None


class ArenaBoardOut(BaseModel):
    """The models of an arena, the best first. `components`: groups of models that votes connect,
    and strengths compare, the largest first; `connected`: there is one alone. A vote of nobody in
    particular is a voter's own."""

    object: str = "arena_board"
    arena: str
    votes: int
    voters: int
    prompts: int
    level: float
    models: list[ArenaModelOut]
    connected: bool
    components: list[list[str]]
    warnings: list[str]
