"""Outputs of a shard are generated and stored: texts, or the answers of a protocol's conversations.

`replies` is where a model is asked: all that goes to a `ChatModel` goes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from inference.chat import ChatModel, Reply, Request
from inference.local_chat import LocalChat
from inference.protocol import DType, Generation
from inference.protocols.asking import asked
from inference.protocols.conversation import turns_of, with_system
from inference.protocols.declaration import Protocol
from inference.protocols.react import calculator
from inference.protocols.search import Corpus, text_of
from inference.protocols.styles import Conversation, Outcome, Tools, converse
from inference.remote.remote_chat import RemoteChat
from service.datasets import store as datasets
from service.datasets.store import Content
from service.evaluations import outputs, usages
from service.evaluations.details import details
from service.evaluations.protocols import examples_of
from service.evaluations.store import Evaluation
from service.jobs.context import Context
from service.models.replies import Payer, StoredReplies

Tell = Callable[[int], None]


def generate(
    context: Context, row: Evaluation, records: Sequence[Content], start: int, progress: Tell
) -> None:
    """Generate and store the outputs that are not stored. A model that runs here makes all at once,
    for one batch plan; one behind a URL is asked for those that lack.

    start  index of the first record
    """
    with context.engine.begin() as db:
        have = outputs.read(db, row.id, start, start + len(records))
    if row.model is None or len(have) == len(records):
        return
    chat, options, reuse = _chat(context, row.model, row.generation or {})
    places = list(range(start, start + len(records)))
    payer = None
    if isinstance(chat, RemoteChat):
        places = [at for at in places if at not in have]
        payer = Payer(row.id, start)
        chat = _paying(context, chat, row, payer, reuse)
        progress(len(have))
    wanted = [records[at - start] for at in places]
    if row.protocol is not None:
        protocol = Protocol.model_validate(row.protocol)
        talks = _conversations(context, protocol, wanted, options)
        found = outcomes(chat, talks, progress)
    else:
        found = _plain(chat, wanted, options, progress)
    if isinstance(context.models.replies, StoredReplies):
        context.models.replies.flush()  # what was paid for is counted
    with context.engine.begin() as db:
        _keep(db, row, chat, dict(zip(places, found, strict=True)))
        if payer is not None:
            usages.end(db, payer, _answered(found))


def _keep(
    db: Connection, row: Evaluation, chat: ChatModel, found: Mapping[int, Sequence[Outcome]]
) -> None:
    """Store outcomes by their records' indices; traces where a protocol has made them."""
    traces = None
    if row.protocol is not None:
        traces = {at: storable([one.trace() for one in each]) for at, each in found.items()}
    outputs.keep(
        db,
        row.id,
        {at: storable([one.answer for one in each]) for at, each in found.items()},
        traces,
        {at: storable([_details(chat, one) for one in each]) for at, each in found.items()},
    )


def replies(
    model: ChatModel, requests: Sequence[Request], progress: Tell
) -> Iterator[tuple[int, list[Reply]]]:
    """The replies to each request, with its index, as they come."""
    yield from enumerate(model.reply(requests, progress))


def outcomes(
    model: ChatModel, conversations: Sequence[Conversation], progress: Tell
) -> list[list[Outcome]]:
    """What each conversation comes to; in each round all that are not at their end are answered."""
    waiting = {at: next(each) for at, each in enumerate(conversations)}
    found: dict[int, list[Outcome]] = {}
    while waiting:
        places = list(waiting)
        for number, got in replies(model, [waiting[at] for at in places], progress):
            at = places[number]
            try:
                waiting[at] = conversations[at].send(got)
            except StopIteration as end:
                found[at] = end.value
                del waiting[at]
    return [found[at] for at in range(len(conversations))]


def storable(value: Any) -> Any:
    """Text that PostgreSQL can hold: a model may well write NUL, or half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {name: storable(inner) for name, inner in value.items()}
    return [storable(inner) for inner in value] if isinstance(value, list) else value


def _plain(
    chat: ChatModel, records: Sequence[Content], options: Generation, progress: Tell
) -> list[list[Outcome]]:
    """Without a protocol: replies as they are."""
    if isinstance(chat, LocalChat) and not any(record.get("messages") for record in records):
        found = chat.complete([record["prompt"] for record in records], options, progress)
    else:
        plain = replace(options, system=None)  # is among the turns
        requests = [
            Request(with_system(turns_of(record), options.system), plain) for record in records
        ]
        got = dict(replies(chat, requests, progress))
        found = [got[at] for at in range(len(records))]
    return [[Outcome(reply.text, reply.text, replies=(reply,)) for reply in each] for each in found]


def _paying(
    context: Context, chat: RemoteChat, row: Evaluation, payer: Payer, reuse: bool
) -> RemoteChat:
    """The model, asked at the evaluation's expense."""
    kept = context.models.replies
    with context.engine.begin() as db:
        usages.begin(db, payer)
    if not isinstance(kept, StoredReplies):
        return chat.scoped(payer.scope, reuse)
    paid, most = kept.paid_by(payer), row.budget
    budget = usages.StoredBudget(context.engine, paid, most) if most is not None else None
    return chat.scoped(payer.scope, reuse, paid, budget)


def _details(chat: ChatModel, outcome: Outcome) -> dict[str, Any]:
    taken = details(outcome.replies, together=bool(outcome.draws))
    if isinstance(chat, LocalChat):
        taken.pop("latency_s", None)  # a batch's, and nobody's own
    return taken


def _answered(found: Sequence[list[Outcome]]) -> int:
    """Replies that were had, once each."""
    return sum(reply.error is None for each in found for one in each for reply in one.replies)


def _chat(
    context: Context, model: str, asked_for: Mapping[str, Any]
) -> tuple[ChatModel, Generation, bool]:
    """The model; the options, with `chat` False where it has no template and none is asked for;
    whether replies of other evaluations will do."""
    given = dict(asked_for)
    dtype: DType = given.pop("dtype", "float32")
    reuse = bool(given.pop("reuse", False))
    options = replace(Generation(), **given | {"stop": tuple(given.get("stop") or ())})
    chat = context.models.chat(model, dtype, by_engine=True)
    if options.chat is None and isinstance(chat, LocalChat) and not chat.has_template:
        options = replace(options, chat=False)
    return chat, options, reuse


def _conversations(
    context: Context, protocol: Protocol, records: Sequence[Content], options: Generation
) -> list[Conversation]:
    with context.engine.begin() as db:
        examples = examples_of(db, protocol)
    turns = asked(protocol, records, examples, options.system)
    tools = _tools(context, protocol)
    options = replace(options, system=None)  # is among the turns
    return [converse(protocol, each, options, tools) for each in turns]


def _tools(context: Context, protocol: Protocol) -> Tools:
    found: dict[str, Callable[[str], str]] = {}
    for tool in protocol.style.tools or ():
        if tool.dataset is None:
            found[tool.name] = calculator
            continue
        with context.engine.begin() as db:
            texts = [text_of(record) for record in datasets.read_records(db, tool.dataset)]
        found[tool.name] = partial(Corpus(texts).found, top=tool.top)
    return found
