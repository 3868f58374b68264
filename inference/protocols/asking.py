"""Records as conversations: template, examples, what the style adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inference.chat import Message
from inference.errors import InputError
from inference.protocols import react
from inference.protocols.conversation import Record, turns_of, with_system
from inference.protocols.declaration import MARKER, Protocol
from inference.protocols.few_shot import Pool, answer_of, value_of
from inference.protocols.template import TemplateFault, render, variables


def asked(
    protocol: Protocol,
    records: Sequence[Record],
    examples: Sequence[Record] = (),
    system: str | None = None,
) -> list[tuple[Message, ...]]:
    """The conversation of each record, up to where the model answers.

    protocol  resolved
    examples  the records of its `few_shot.dataset`
    system    goes before what else a system message says

    Raises InputError, its field below the protocol, naming the first record that cannot be asked.
    """
    pool = Pool(examples, protocol.few_shot) if protocol.few_shot is not None else None
    chosen = [pool.chosen(record) if pool is not None else [] for record in records]
    used = sorted({index for each in chosen for index in each})
    questions = _questions(protocol, [*records, *(examples[index] for index in used)])
    place = {index: len(records) + at for at, index in enumerate(used)}
    shown = {index: _example(protocol, examples[index], questions[place[index]]) for index in used}
    tools = [tool.name for tool in protocol.style.tools or ()]
    said = react.instructions(tools) if protocol.style.name == "react" else None
    found = []
    for at, record in enumerate(records):
        turns = turns_of(record, questions[at])
        if protocol.style.instruction:
            last = turns[-1]
            text = f"{last.content}\n\n{protocol.style.instruction}"
            turns = [*turns[:-1], replace(last, content=text)]
        first = int(turns[0].role == "system")
        before = [turn for index in chosen[at] for turn in shown[index]]
        turns = [*turns[:first], *before, *turns[first:]]
        found.append(with_system(turns, system, said))
    return found


def _questions(protocol: Protocol, records: Sequence[Record]) -> list[str | None]:
    if protocol.template is None:
        return [None] * len(records)
    try:
        return [*render(protocol.template, [variables(record) for record in records])]
    except TemplateFault as fault:
        of = ""
        if fault.row is not None:
            record = records[fault.row]
            of = f" at the record {record.get('id')!r}, which has {', '.join(variables(record))}"
        raise InputError(f"{fault.message}{of}", "template") from None


def _example(protocol: Protocol, example: Record, question: str | None) -> list[Message]:
    """An example's turns, the answer last. Raises InputError for one that lacks a part."""
    few_shot, style = protocol.few_shot, protocol.style
    if few_shot is None:
        return []
    turns = [turn for turn in turns_of(example, question) if turn.role != "system"]
    answered = not turns or turns[-1].role == "assistant"  # a conversation to train on
    if answered or (question is None and not turns[-1].content):
        message = f"the example {example.get('id')!r} has no prompt"
        raise InputError(message, "few_shot.dataset")
    answer = answer_of(example, few_shot)
    if style.worked is not None:
        reasoning = value_of(example, style.worked)
        if reasoning is None:
            message = f"the example {example.get('id')!r} has no {style.worked!r}"
            raise InputError(message, "style.worked")
        answer = f"{reasoning}\n{_marker(protocol)} {answer}"
    elif style.name == "react":
        answer = f"{_marker(protocol)} {answer}"
    return [*turns, Message("assistant", answer)]


def _marker(protocol: Protocol) -> str:
    if protocol.style.name == "react":
        return "Final Answer:"
    return protocol.taken.marker or MARKER
