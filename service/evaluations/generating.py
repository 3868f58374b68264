"""Outputs of a shard are generated and stored: texts, or the answers of a protocol's conversations.

`replies` is where a model is asked: all that goes to a `ChatModel` goes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from inference.chat import ChatModel, Reply, Request
from inference.local_chat import LocalChat
from inference.protocol import DType, Generation
from inference.protocols.asking import asked
from inference.protocols.conversation import turns_of, with_system
from inference.protocols.declaration import Protocol
from inference.protocols.react import calculator
from inference.protocols.search import Corpus, text_of
from inference.protocols.styles import Conversation, Outcome, Tools, converse
from service.datasets import store as datasets
from service.datasets.store import Content
from service.evaluations import outputs
from service.evaluations.protocols import examples_of
from service.evaluations.store import Evaluation
from service.jobs.context import Context

Tell = Callable[[int], None]


def generate(
    context: Context, row: Evaluation, records: Sequence[Content], start: int, progress: Tell
) -> None:
    """Generate and store the outputs that are not stored; all at once, for one batch plan.

    start  index of the first record
    """
    with context.engine.begin() as db:
        have = outputs.read(db, row.id, start, start + len(records))
    if row.model is None or len(have) == len(records):
        return
    given = dict(row.generation or {})
    dtype: DType = given.pop("dtype", "float32")
    options = replace(Generation(), **given | {"stop": tuple(given.get("stop") or ())})
    if row.protocol is not None:
        chat, options = _chat(context, row.model, dtype, options)
        protocol = Protocol.model_validate(row.protocol)
        talks = _conversations(context, protocol, records, options)
        found = outcomes(chat, talks, progress)
        texts = [[one.answer for one in each] for each in found]
        traces = [[one.trace() for one in each] for each in found]
    else:
        texts, traces = _texts(context, row.model, dtype, records, options, progress), None
    with context.engine.begin() as db:
        outputs.keep(
            db,
            row.id,
            {start + at: storable(each) for at, each in enumerate(texts)},
            None
            if traces is None
            else {start + at: storable(each) for at, each in enumerate(traces)},
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


def _texts(
    context: Context,
    model: str,
    dtype: DType,
    records: Sequence[Content],
    options: Generation,
    progress: Tell,
) -> list[list[str]]:
    """Without a protocol: replies as they are."""
    if not any(record.get("messages") for record in records):
        language = context.models.language(model, dtype)
        return language.generate([record["prompt"] for record in records], options, progress)
    chat, options = _chat(context, model, dtype, options)
    asked_ = [Request(with_system(turns_of(record), options.system), options) for record in records]
    found = dict(replies(chat, asked_, progress))
    return [[reply.text for reply in found[at]] for at in range(len(records))]


def _chat(
    context: Context, model: str, dtype: DType, options: Generation
) -> tuple[ChatModel, Generation]:
    """The model, and the options with `chat` False where it has no template and none is asked
    for."""
    chat = context.models.chat(model, dtype)
    if options.chat is None and isinstance(chat, LocalChat) and not chat.has_template:
        options = replace(options, chat=False)
    return chat, options


def _conversations(
    context: Context, protocol: Protocol, records: Sequence[Content], options: Generation
) -> list[Conversation]:
    with context.engine.begin() as db:
        examples = examples_of(db, protocol)
    turns = asked(protocol, records, examples, options.system)
    tools = _tools(context, protocol)
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
