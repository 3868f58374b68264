"""From a dataset's records to token ids, with a mask of what is learned, within the limits.

    {"messages": [{"role", "content"}, …]}     every turn of the assistant is an answer
    {"prompt", "completion"}                   a user's and an assistant's turn, where there is a
                                               chat template; else the one right after the other
    {"text"}                                   all of it is an answer, an end token added

A `rationale` goes before the (last) answer, between tags. Tokens are those of inference: what
comes before an answer is read as a prompt alone would be. Nothing to be learned gets lost: a chat
template that drops it (many drop reasoning) is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from trainers.job.errors import TrainingError
from trainers.job.options import Options
from trainers.job.run import Run

Message = Mapping[str, str]
Segment = tuple[str, bool]  # text, and whether it is an answer
Learned = dict[int, dict[str, str]]  # by turn: texts by their place in the record


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence.

    answer  of each token, whether it is part of an answer
    where   the record and field it comes from, for messages: `records[17].completion`
    """

    ids: list[int]
    answer: list[bool]
    where: str

    def cut(self, limit: int) -> Row:
        """The first `limit` tokens."""
        return Row(self.ids[:limit], self.answer[:limit], self.where)


def rows(
    records: Sequence[Mapping[str, Any]], tokenizer: Any, chat: bool | None, tag: str = "think"
) -> list[Row]:
    """A row a record, in order. Raises TrainingError naming a record that cannot be rendered."""
    chat = templated(tokenizer, chat)
    return [
        row(record, f"records[{at}]", tokenizer, chat, tag) for at, record in enumerate(records)
    ]


def row(record: Mapping[str, Any], where: str, tokenizer: Any, chat: bool, tag: str) -> Row:
    """One record's, whichever of the three forms it has."""
    rationale = record.get("rationale") or ""
    thought = {f"{where}.rationale": rationale}
    if record.get("text") is not None:
        ids, answer = tokens([(record["text"], True)], tokenizer, special=True)
        return _ended(Row(ids, answer, f"{where}.text"), tokenizer)
    if record.get("messages") is not None:
        messages = [dict(message) for message in record["messages"]]
        learned = _contents(messages, f"{where}.messages")
        if rationale:
            messages[-1]["content"] = reasoned(messages[-1]["content"], rationale, tag)
            learned.setdefault(len(messages) - 1, {}).update(thought)
        segments = turns(messages, tokenizer, f"{where}.messages", learned)
        return Row(*tokens(segments, tokenizer, special=False), f"{where}.messages")
    prompt, answer_text = record["prompt"], record["completion"]
    learned = {1: {f"{where}.completion": answer_text} | thought}
    if rationale:
        answer_text = reasoned(answer_text, rationale, tag)
    if chat:
        messages = [_turn("user", prompt), _turn("assistant", answer_text)]
        segments = turns(messages, tokenizer, f"{where}.completion", learned)
        return Row(*tokens(segments, tokenizer, special=False), f"{where}.completion")
    pair = [(prompt, False), (answer_text, True)]
    return _ended(Row(*tokens(pair, tokenizer, special=True), f"{where}.completion"), tokenizer)


def templated(tokenizer: Any, chat: bool | None) -> bool:
    """Whether prompts go through the chat template. Raises TrainingError where there is none."""
    if chat and not tokenizer.chat_template:
        raise TrainingError("invalid_input", "the model has no chat template", "options.chat")
    return bool(tokenizer.chat_template) and chat is not False


def reasoned(answer: str, rationale: str, tag: str) -> str:
    """The answer with the reasoning that leads to it before it, as reasoning models write it."""
    return f"<{tag}>\n{rationale}\n</{tag}>\n\n{answer}"


def add_tags(tokenizer: Any, tag: str) -> list[int]:
    """Make the tags tokens of their own; returns the ids of those that were missing.

    They are ordinary tokens, not special ones: decoding keeps them, so that a reader of the output
    can tell the reasoning from the answer.
    """
    from tokenizers import AddedToken

    vocabulary = tokenizer.get_vocab()
    missing = [text for text in (f"<{tag}>", f"</{tag}>") if text not in vocabulary]
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in missing])
    return [int(token) for token in tokenizer.convert_tokens_to_ids(missing)]


def turns(
    messages: Sequence[Message], tokenizer: Any, where: str, learned: Learned | None = None
) -> list[Segment]:
    """The rendered conversation in segments: what the template adds for a turn of the assistant
    (its end mark included) is an answer, everything else is not.

    learned  of each such turn, the texts that have to stand in it, by their place in the record;
             None: what it says

    Raises TrainingError for a template that renders a conversation's beginning differently once
    it goes on: the model would then be asked for what it was not taught. So for one that leaves
    out what is to be learned.
    """
    learned = learned or _contents(messages, where)
    text = _render(messages, tokenizer, where)
    segments: list[Segment] = []
    done = 0
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _render(messages[:at], tokenizer, where, add_generation_prompt=True)
        after = _render(messages[: at + 1], tokenizer, where)
        if not (text.startswith(after) and after.startswith(before)):
            raise TrainingError(
                "chat_template",
                f"{where}: the chat template rewrites earlier turns (turn {at} reads otherwise in "
                "the whole conversation than at its end): give each answer as a record of its own",
                where,
            )
        lost = _lost(learned[at], text[len(before) : len(after)])
        if lost:  # what a generation prompt has written for the model, <think> say, is there
            begun = _render(messages[:at], tokenizer, where)
            lost = _lost(learned[at], after.removeprefix(begun))
        if lost:
            raise TrainingError(
                "chat_template",
                f"{lost}: the chat template leaves it out, and it would not be learned (many drop "
                "the reasoning of a turn): leave it out, set chat to false, or use a model whose "
                "template keeps it",
                lost,
            )
        segments += [(text[done : len(before)], False), (text[len(before) : len(after)], True)]
        done = len(after)
    return [*segments, (text[done:], False)]


def _contents(messages: Sequence[Message], where: str) -> Learned:
    """What each turn of the assistant says, by its place."""
    return {
        at: {f"{where}[{at}].content": message["content"]}
        for at, message in enumerate(messages)
        if message["role"] == "assistant"
    }


def _lost(parts: Mapping[str, str], rendered: str) -> str | None:
    """The place of the first part that is not rendered; templates may change white space."""
    squeezed = "".join(rendered.split())
    missing = (where for where, part in parts.items() if "".join(part.split()) not in squeezed)
    return next(missing, None)


def tokens(
    segments: Sequence[Segment], tokenizer: Any, special: bool
) -> tuple[list[int], list[bool]]:
    """Ids of the segments one after the other, and of each whether it belongs to an answer.

    `special` adds what the tokenizer puts before a text. Where a token would reach across the
    edge of a segment, the segments are read one by one, as they are at inference.
    """

    def read(text: str, special: bool) -> list[int]:
        ids = tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
        return [int(token) for token in ids]

    segments = [segment for segment in segments if segment[0]]
    whole = read("".join(text for text, _ in segments), special)
    so_far, edges = "", [0]
    for text, _ in segments:
        so_far += text
        head = read(so_far, special)
        if whole[: len(head)] != head:
            break
        edges.append(len(head))
    else:
        answer = [
            is_answer
            for (_, is_answer), (first, last) in zip(segments, pairwise(edges), strict=True)
            for _ in range(last - first)
        ]
        return whole, answer
    parts = [read(text, special and at == 0) for at, (text, _) in enumerate(segments)]
    flags = [flag for part, (_, flag) in zip(parts, segments, strict=True) for _ in part]
    return [token for part in parts for token in part], flags


def fitting(whole: Sequence[Row], run: Run, options: Options, context: int) -> list[Row]:
    """The rows within `max_length` and the model's `context`; reports their lengths first.

    Raises TrainingError("too_long") naming the first longer row unless `truncate`, and always for
    a row of which nothing would be left to learn.
    """
    limit = check_lengths(
        [(row.where, len(row.ids)) for row in whole], run, options, context, "records"
    )
    cut = [row.cut(limit) for row in whole]
    for row, uncut in zip(cut, whole, strict=True):
        if any(row.answer[1:]):  # nothing comes before the first token that could predict it
            continue
        if any(uncut.answer[1:]):
            message = f"{row.where}: its answer lies wholly beyond {limit} tokens"
            raise TrainingError("too_long", message, row.where)
        raise TrainingError("invalid_data", f"{row.where}: no token to learn", row.where)
    return cut


def check_lengths(
    lengths: Sequence[tuple[str, int]], run: Run, options: Options, context: int, of: str
) -> int:
    """Reports (where, tokens) as the event "lengths" and returns the limit, in tokens.

    Raises TrainingError("too_long") naming the first that is longer, unless `truncate`.
    """
    if not lengths:
        raise TrainingError("invalid_data", "the dataset has no records", "dataset")
    limit = min(options.max_length, context)
    over = [(where, size) for where, size in lengths if size > limit]
    sizes = [size for _, size in lengths]
    report_lengths(sizes, limit, run, options, context, of)
    if over and not options.truncate:
        where, size = over[0]
        raise TrainingError(
            "too_long",
            f"{where} has {size} tokens, and {limit} fit (max_length {options.max_length}, the "
            f"model's context {context}); so with {len(over)} of {len(lengths)}, the longest of "
            f"{max(sizes)}. Set truncate to cut them, or a greater max_length",
            where,
        )
    return limit


def report_lengths(
    sizes: Sequence[int], limit: int, run: Run, options: Options, context: int, of: str
) -> None:
    """The event "lengths": how many tokens there are, and how many rows have more than `limit`."""
    median, p95 = np.percentile(sizes, [50, 95], method="higher")
    over = sum(size > limit for size in sizes)
    run.event(
        "lengths",
        of=of,
        rows=len(sizes),
        min=min(sizes),
        median=int(median),
        p95=int(p95),
        max=max(sizes),
        limit=limit,
        max_length=options.max_length,
        context=context,
        over=over,
        truncated=over if options.truncate else 0,
    )


def _ended(row: Row, tokenizer: Any) -> Row:
    """With the end token, which the model learns to write."""
    end = tokenizer.eos_token_id
    if end is None or (row.ids and row.ids[-1] == end):
        return row
    return Row([*row.ids, end], [*row.answer, True], row.where)


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _render(
    messages: Sequence[Message], tokenizer: Any, where: str, add_generation_prompt: bool = False
) -> str:
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise TrainingError(
            "chat_template", f"{where}: the model has no chat template for a conversation", where
        )
    try:
        text = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except TemplateError as error:  # many want the roles to alternate
        message = f"{where}: the chat template refuses the conversation: {error}"
        raise TrainingError("chat_template", message, where) from error
    return str(text)
