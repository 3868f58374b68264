"""arena.answer: one model's answer in a battle."""

from __future__ import annotations

from dataclasses import replace

from inference.chat import ChatModel, Message, Reply, Request
from inference.errors import Cancelled, ReportedError
from inference.local_chat import LocalChat
from inference.protocol import Generation
from service import faults
from service.arenas import store
from service.arenas.store import Arena, Battle, Side
from service.evaluations.generating import storable
from service.jobs import counters
from service.jobs.context import Context
from service.jobs.model_counters import ModelCounters

MOST_SHOWN = 200_000  # characters of an answer


def answer(context: Context, battle: str, side: Side, turn: int = 0) -> None:
    """Ask the model of one side, unless it has answered, the battle has failed, or is at another
    turn. Another attempt draws the same, by the battle's seed."""
    with context.engine.begin() as db:
        row = store.find(db, battle)
        arena = store.get(db, row.arena_id) if row is not None else None
    if row is None or arena is None or row.turn != turn:
        return
    if row.status != "running" or row.answer(side) is not None:
        return
    usage = ModelCounters(context)
    try:
        reply = _asked(context, arena, row, side)
    except ReportedError as error:
        if isinstance(error, Cancelled) or faults.is_outside(error):
            raise
        _fail(context, row, side, 422, error.code, error.message)
        return
    if reply.error is not None:
        _fail(context, row, side, 422, "request_failed", reply.error)
        return
    said = reply.text or reply.refusal or ""
    if not said.strip():
        _fail(context, row, side, 422, "empty_answer", "what it wrote is empty")
        return
    with context.engine.begin() as db:
        store.answer(db, row, side, storable(said)[:MOST_SHOWN])
        counters.add(db, usage.spent())  # last: its rows stay locked until the commit


def answer_failed(context: Context, battle: str, side: Side, reason: str, turn: int = 0) -> None:
    """No attempt is left."""
    with context.engine.begin() as db:
        row = store.find(db, battle)
    if row is not None and row.turn == turn:
        _fail(context, row, side, 503, "generation_failed", reason)


def _asked(context: Context, arena: Arena, row: Battle, side: Side) -> Reply:
    chat: ChatModel = context.models.chat(row.model(side), by_engine=True)
    options = Generation(
        max_new_tokens=arena.max_tokens,
        temperature=arena.temperature,
        seed=row.seed,
    )
    if isinstance(chat, LocalChat) and not chat.has_template:
        options = replace(options, chat=False)
    before = (Message("system", arena.system),) if arena.system is not None else ()
    for one in row.earlier:
        before = (*before, Message("user", one["prompt"]), Message("assistant", one[side]))
    turns = (*before, Message("user", row.prompt))
    return chat.reply([Request(turns, options)], lambda _: context.advance())[0][0]


def _fail(context: Context, row: Battle, side: Side, status: int, code: str, message: str) -> None:
    """Tell who waits; whose fault it is, a view tells where there is nothing left to vote on."""
    said = f"{row.model(side)!r} gave no answer: {message}"
    error = {"status": status, "code": code, "message": storable(said)}
    with context.engine.begin() as db:
        store.fail(db, row, row.model(side), error)
