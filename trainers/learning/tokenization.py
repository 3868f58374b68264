"""From a dataset's records to token ids, with a mask of what is learned, within the limits.

    {"messages": [{"role", "content"}, …]}     every turn of the assistant is an answer
                                               (trainers.learning.conversations)
    {"prompt", "completion"}                   a user's and an assistant's turn, where there is a
                                               chat template; else the one right after the other
    {"text"}                                   all of it is an answer, an end token added

A `rationale` goes before the (last) answer, between tags. Tokens are those of inference: what
comes before an answer is read as a prompt alone would be. Nothing to be learned gets lost: a chat
template that drops it (many drop reasoning) is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from trainers.job.errors import TrainingError
from trainers.job.options import Options
from trainers.job.run import Run
from trainers.learning.conversations import Segment, contents, exchanges
from trainers.learning.parallel import mapped


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
    """A record's, in order: one, or one an answer where the chat template rewrites earlier turns.

    Raises TrainingError naming a record that cannot be rendered.
    """
    chat = templated(tokenizer, chat)

    def read(at: int, record: Mapping[str, Any]) -> list[Row]:
        return record_rows(record, f"records[{at}]", tokenizer, chat, tag)

    return [row for found in mapped(read, records) for row in found]


def record_rows(
    record: Mapping[str, Any], where: str, tokenizer: Any, chat: bool, tag: str
) -> list[Row]:
    """One record's, whichever of the three forms it has."""
    rationale = record.get("rationale") or ""
    thought = {f"{where}.rationale": rationale}
    if record.get("text") is not None:
        ids, answer = tokens([(record["text"], True)], tokenizer, special=True)
        return [_ended(Row(ids, answer, f"{where}.text"), tokenizer)]
    if record.get("messages") is not None:
        place = f"{where}.messages"
        messages = [dict(message) for message in record["messages"]]
        learned = contents(messages, place)
        if rationale:
            messages[-1]["content"] = reasoned(messages[-1]["content"], rationale, tag)
            learned.setdefault(len(messages) - 1, {}).update(thought)
        sequences = exchanges(messages, tokenizer, place, learned, tag)
        return [Row(*tokens(one, tokenizer, special=False), place) for one in sequences]
    return [completion_row(record, where, tokenizer, chat, tag)]


def completion_row(
    record: Mapping[str, Any], where: str, tokenizer: Any, chat: bool, tag: str = ""
) -> Row:
    """Of a prompt and its completion, the rationale before it inside the tag."""
    prompt, text = record["prompt"], record["completion"]
    rationale = record.get("rationale") or ""
    place = f"{where}.completion"
    learned = {1: {place: text, f"{where}.rationale": rationale}}
    if rationale:
        text = reasoned(text, rationale, tag)
    if chat:
        messages = [_turn("user", prompt), _turn("assistant", text)]
        (segments,) = exchanges(messages, tokenizer, place, learned, tag)
        return Row(*tokens(segments, tokenizer, special=False), place)
    pair = [(prompt, False), (text, True)]
    return _ended(Row(*tokens(pair, tokenizer, special=True), place), tokenizer)


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
    parts = [read(text, special and at == 0) for at, (text, _) in enumerate(segments)]
    whole = read("".join(text for text, _ in segments), special)
    if [token for part in parts for token in part] != whole:
        parts = _cut(whole, segments, lambda text: read(text, special)) or parts
    flags = [flag for part, (_, flag) in zip(parts, segments, strict=True) for _ in part]
    return [token for part in parts for token in part], flags


def _cut(
    whole: list[int], segments: Sequence[Segment], read: Callable[[str], list[int]]
) -> list[list[int]] | None:
    """The whole's tokens by segment; None where one reaches across an edge. For tokenizers that
    read a text otherwise than its continuation (a space put before it): every beginning is read."""
    edges = [0]
    for text in accumulate(text for text, _ in segments):
        head = read(text)
        if whole[: len(head)] != head:
            return None
        edges.append(len(head))
    return [whole[first:last] for first, last in pairwise(edges)]


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
