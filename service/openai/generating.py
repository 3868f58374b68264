"""Completions for requests that wait together: each is answered, or given piece by piece, as soon
as it is known."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.engine import Engine, Row, TokenLogprob, Written, decoded, encoded, rendered
from inference.errors import InputError
from service.db import worker_requests
from service.db.worker_requests import Pending
from service.jobs.context import Context
from service.openai import store

LOOK_EVERY = 0.5  # seconds between two looks at who still waits
TELL_EVERY = 0.03  # seconds between two pieces of a streamed answer
LEAST_LOGPROB = -9999.0  # JSON has no infinity
SEED_STEP = 0x9E3779B97F4A7C15  # between the seeds of a request's choices

Likelihood = list[Any]  # token's text, its log-probability, [text, log-probability] of the top


@dataclass(slots=True)
class Given:
    """What the client of a streamed choice has already, perhaps from an earlier attempt."""

    ids: list[int] = field(default_factory=list)
    characters: int = 0
    echoed: bool = False
    finished: bool = False


@dataclass(slots=True)
class Asked:
    """A request with its rows: those of a prompt's choices stand together."""

    id: str
    request: Mapping[str, Any]
    rows: list[Row]
    prompts: list[str]  # of each row, where it is echoed
    likelihoods: list[list[Likelihood]]  # of each row's prompt, where they are told
    given: list[Given]
    first: int = 0  # index of its first row among all
    done: bool = False


def prepare(engine: Engine, request: Mapping[str, Any], given: Sequence[Any]) -> list[Row]:
    """The rows of a request; `given` are the token ids that were streamed of each.

    Raises InputError for a prompt that is empty, too long or of unknown tokens.
    """
    rows: list[Row] = []
    for prompt in request["prompts"]:
        ids = _ids(engine, prompt, request)
        most = request["max_tokens"]
        room = engine.max_length - len(ids)
        if room < max(most or 0, 0 if most == 0 else 1):
            message = (
                f"{engine.identity.name!r} has {engine.max_length} positions in all, and this asks "
                f"for {len(ids)} of the prompt and {most or 1} new ones"
            )
            raise ContextTooLong(message, "messages" if "turns" in prompt else "prompt")
        for _ in range(request["n"]):
            at = len(rows)
            rows.append(
                Row(
                    ids=ids,
                    max_new_tokens=room if most is None else most,
                    temperature=request["temperature"],
                    top_p=request["top_p"],
                    top_k=request["top_k"],
                    seed=(request["seed"] + at * SEED_STEP) % 2**63,
                    stop=tuple(request["stop"]),
                    top=request["top"],
                    written=given[at] if at < len(given) else (),
                )
            )
    return rows


class ContextTooLong(InputError):
    """The prompt and its continuation do not fit."""

    code = "context_length_exceeded"


def _ids(engine: Engine, prompt: Mapping[str, Any], request: Mapping[str, Any]) -> list[int]:
    if "turns" in prompt:
        return rendered(engine, prompt["turns"], request["variables"])
    if "text" in prompt:
        ids = encoded(engine, prompt["text"], special=True)
        if not ids:
            raise InputError("the prompt is empty: the model has no token to begin with", "prompt")
        return ids
    return checked(engine, prompt["ids"], "prompt")


def checked(engine: Engine, ids: Sequence[int], param: str) -> list[int]:
    """Token ids that the model has. Raises InputError for others."""
    if ids and max(ids) >= engine.vocabulary:
        message = f"there is no token {max(ids)}: the model has {engine.vocabulary}"
        raise InputError(message, param)
    return list(ids)


class Generating:
    """Requests of one model on their way to answers."""

    def __init__(self, context: Context, engine: Engine) -> None:
        self.context = context
        self.engine = engine
        self.asked: list[Asked] = []
        self.unwanted: set[int] = set()  # rows
        self.looked = self.told = time.monotonic()
        self._texts: dict[int, str] = {}

    def take(self, pending: Pending) -> None:
        """Add a request. Raises InputError for one that cannot be answered."""
        request = pending.request
        given = self._given(pending.id, request) if request["stream"] else []
        rows = prepare(self.engine, request, [one.ids for one in given])
        given = given or [Given() for _ in rows]
        first = sum(len(one.rows) for one in self.asked)
        asked = Asked(pending.id, request, rows, [], [], given, first)
        if request["echo"]:
            prompts = [one for one in request["prompts"] for _ in range(request["n"])]
            asked.prompts = [
                prompt.get("text") or storable(decoded(self.engine, row.ids))
                for prompt, row in zip(prompts, rows, strict=True)
            ]
        self.asked.append(asked)

    def run(self) -> None:
        """Until each is answered, or nobody waits for it."""
        self._look_back()
        rows = [row for one in self.asked for row in one.rows]
        found = self.engine.generate(rows, self.tell)
        self.tell(found, last=True)

    def tell(self, found: Sequence[Written], last: bool = False) -> Collection[int]:
        """After each step: what is done is answered, what is streamed is given."""
        self.context.advance()
        now = time.monotonic()
        ended = [one for one in self.asked if not one.done and self._has_ended(one, found)]
        if now - self.told >= TELL_EVERY or ended or last:
            self.told = now
            self._write(found, ended)
        if now - self.looked >= LOOK_EVERY:
            self.looked = now
            self._look()
        return self.unwanted

    def _has_ended(self, one: Asked, found: Sequence[Written]) -> bool:
        return all(written.finish is not None for written in _of(one, found))

    def _write(self, found: Sequence[Written], ended: Sequence[Asked]) -> None:
        streamed = [
            (one, self._pieces(one, found))
            for one in self.asked
            if one.request["stream"] and not one.done
        ]
        pieces = [(one, some) for one, some in streamed if some]
        if not pieces and not ended:
            return
        with self.context.engine.begin() as db:
            for one, some in pieces:
                store.write(db, one.id, some)
            for one in ended:
                worker_requests.answer(db, one.id, self._answer(one, found))
                one.done = True

    def _look(self) -> None:
        """Give up what nobody waits for."""
        waiting = [one for one in self.asked if not one.done]
        with self.context.engine.connect() as db:
            wanted = worker_requests.those_wanted(db, [one.id for one in waiting])
        for one in waiting:
            if one.id not in wanted:
                one.done = True
                self.unwanted |= {one.first + at for at in range(len(one.rows))}

    def _look_back(self) -> None:
        """The likelihoods of the prompts that are echoed with theirs."""
        wanted = [one for one in self.asked if one.request["echo"] and one.rows[0].top is not None]
        rows = [row.ids for one in wanted for row in one.rows]
        if not rows:
            return
        most = max(row.top or 0 for one in wanted for row in one.rows)
        found = self.engine.logprobs(rows, most)
        at = 0
        for one in wanted:
            for row in one.rows:
                first: Likelihood = [self._text(row.ids[0]), None, []]
                rest = [self._likelihood(each, row.top or 0) for each in found[at]]
                one.likelihoods.append([first, *rest])
                at += 1

    def _pieces(self, one: Asked, found: Sequence[Written]) -> list[dict[str, Any]]:
        """What the client has not been given yet; notes that it was."""
        pieces: list[dict[str, Any]] = []
        for at, written in enumerate(_of(one, found)):
            given = one.given[at]
            if one.prompts and not given.echoed:
                given.echoed = True
                tokens = one.likelihoods[at] if one.likelihoods else None
                pieces.append(
                    {"index": at, "echo": True, "text": one.prompts[at]}
                    | {"tokens": tokens, "ids": [], "finish": None}
                )
            text = storable(written.text[given.characters :])
            ids = written.ids[len(given.ids) :]
            ends = written.finish is not None and not given.finished
            if not (text or ends or (ids and one.rows[at].top is not None)):
                continue
            tokens = self._tokens(one, at, written, len(given.ids))
            pieces.append(
                {"index": at, "text": text, "ids": ids, "tokens": tokens, "finish": written.finish}
            )
            given.ids = [*given.ids, *ids]
            given.characters += len(text)
            given.finished = ends
        return pieces

    def _given(self, request_id: str, request: Mapping[str, Any]) -> list[Given]:
        """What an attempt before this one has streamed."""
        given = [Given() for _ in range(len(request["prompts"]) * request["n"])]
        after = 0
        with self.context.engine.connect() as db:
            while events := store.written(db, request_id, after):
                after = events[-1].sequence
                for piece in (one for event in events for one in event.data["pieces"]):
                    one = given[piece["index"]]
                    if piece.get("echo"):
                        one.echoed = True
                        continue
                    one.ids += piece["ids"]
                    one.characters += len(piece["text"])
                    one.finished = one.finished or piece["finish"] is not None
        return given

    def _answer(self, one: Asked, found: Sequence[Written]) -> dict[str, Any]:
        written = _of(one, found)
        prompts = sum(len(row.ids) for row in one.rows[:: one.request["n"]])
        usage = {"prompt": prompts, "completion": sum(len(each.ids) for each in written)}
        if one.request["stream"]:
            return {"usage": usage}
        choices = []
        for at, each in enumerate(written):
            tokens = self._tokens(one, at, each, 0)
            if one.likelihoods and tokens is not None:
                tokens = [*one.likelihoods[at], *tokens]
            text = (one.prompts[at] if one.prompts else "") + storable(each.text)
            choices.append({"text": text, "tokens": tokens, "finish": each.finish})
        return {"choices": choices, "usage": usage}

    def _tokens(self, one: Asked, at: int, written: Written, since: int) -> list[Likelihood] | None:
        top = one.rows[at].top
        if top is None:
            return None
        return [self._likelihood(each, top) for each in written.logprobs[since:]]

    def _likelihood(self, one: TokenLogprob, top: int) -> Likelihood:
        likeliest = [[self._text(id), max(value, LEAST_LOGPROB)] for id, value in one.top[:top]]
        return [self._text(one.id), max(one.logprob, LEAST_LOGPROB), likeliest]

    def _text(self, id: int) -> str:
        if id not in self._texts:
            self._texts[id] = storable(decoded(self.engine, [id]))
        return self._texts[id]


def storable(text: str) -> str:
    """Without NUL, which a model may write and PostgreSQL cannot store; as long as before."""
    return text.replace("\x00", "\ufffd")


def _of(one: Asked, found: Sequence[Written]) -> Sequence[Written]:
    return found[one.first : one.first + len(one.rows)]
