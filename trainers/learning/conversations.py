"""Conversations through the chat template, in segments: what is learned, and what comes before.

An answer stands behind the prompt that an evaluation would ask with, so that a model learns what it
is to write there and nothing else. Most templates go on from what they have rendered: such a
conversation is one sequence, with every answer in it. Some render a turn otherwise once another one
follows (Qwen3 leaves out the reasoning of earlier turns): then every answer is a sequence of its
own, behind what the model would see.

A prompt may open the model's thought, `<think>`. The answer begins inside of it then: with the
reasoning, or with the end of an empty thought. Where the template would drop that reasoning (those
of DeepSeek-R1's distilled models do), it is put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.errors import InputError
from inference.templates import Value, with_values
from trainers.job.errors import TrainingError

Message = Mapping[str, str]
Segment = tuple[str, bool]  # text, and whether it is an answer
Learned = Mapping[int, Mapping[str, str]]  # by turn: texts by their place in the record

THOUGHT = "think"  # what templates that know of reasoning call it


@dataclass(frozen=True, slots=True)
class Turn:
    """An answer, its end mark included, and all that the model sees before it."""

    prompt: str
    answer: str


def exchanges(
    messages: Sequence[Message],
    tokenizer: Any,
    where: str,
    learned: Learned | None = None,
    tag: str = THOUGHT,
) -> list[list[Segment]]:
    """The segments of one sequence, or of one an answer. Two or three renderings a turn.

    learned  of each turn of the assistant, the texts that have to stand in it, by their place in
             the record; None: what it says
    tag      of a thought that the generation prompt may have opened

    Raises TrainingError for a template that renders what comes before an answer otherwise once the
    answer is there, and for one that leaves out what is to be learned.
    """
    learned = learned or contents(messages, where)
    found = [
        _turn(messages[:at], message, learned[at], tokenizer, where, tag)
        for at, message in enumerate(messages)
        if message["role"] == "assistant"
    ]
    text = _render(messages, tokenizer, where)
    segments: list[Segment] = []
    done = 0
    for turn in found:
        upto = len(turn.prompt) + len(turn.answer)
        if text[:upto] != turn.prompt + turn.answer:
            return [[(turn.prompt, False), (turn.answer, True)] for turn in found]
        segments += [(turn.prompt[done:], False), (turn.answer, True)]
        done = upto
    return [[*segments, (text[done:], False)]]


def contents(messages: Sequence[Message], where: str) -> dict[int, dict[str, str]]:
    """What each turn of the assistant says, by its place."""
    return {
        at: {f"{where}[{at}].content": message["content"]}
        for at, message in enumerate(messages)
        if message["role"] == "assistant"
    }


def with_defaults(tokenizer: Any, settings: Mapping[str, Value]) -> None:
    """Gives the chat template's variables values, which hold unless a caller gives others.

    They become part of the template, and so of every checkpoint: it is asked as it was trained.
    Raises TrainingError for a variable that the template does not read.
    """
    if not settings:
        return
    try:
        tokenizer.chat_template = with_values(tokenizer.chat_template, settings)
    except InputError as error:
        raise TrainingError(error.code, error.message, f"options.{error.field}") from None


def _turn(
    before: Sequence[Message],
    message: Message,
    learned: Mapping[str, str],
    tokenizer: Any,
    where: str,
    tag: str,
) -> Turn:
    prompt = _render(before, tokenizer, where, add_generation_prompt=True)
    after = _render([*before, message], tokenizer, where)
    goes_on = after.startswith(prompt)
    if goes_on and not _lost(learned, after[len(prompt) :]):
        return Turn(prompt, after[len(prompt) :])
    begun = _render(before, tokenizer, where)
    rendered = after.removeprefix(begun)
    if goes_on and not _lost(learned, rendered):  # what the prompt has written is part of the turn
        return Turn(prompt, after[len(prompt) :])
    for name in {tag, THOUGHT} - {""}:
        if prompt.rstrip().endswith(f"<{name}>"):
            thought = _in_thought(message["content"], name, rendered)
            if thought:
                return Turn(prompt, thought)
    lost = _lost(learned, rendered)
    if lost:
        raise TrainingError(
            "chat_template",
            f"{lost}: the chat template leaves it out, and it would not be learned (many drop "
            "the reasoning of a turn): leave it out, set chat to false, or use a model whose "
            "template keeps it",
            lost,
        )
    raise TrainingError(
        "chat_template",
        f"{where}: the chat template rewrites earlier turns (what comes before turn {len(before)} "
        "reads otherwise once it is answered): set chat to false, chat_template_kwargs that fit "
        "the answers, or use a model whose template keeps it",
        where,
    )


def _in_thought(content: str, tag: str, rendered: str) -> str | None:
    """The answer as it goes on from inside a thought, with what the template puts behind it; None
    where the template does not render it."""
    thought, closed, answer = content.rpartition(f"</{tag}>")
    place = rendered.rfind(answer.strip())
    if not answer.strip() or place < 0:
        return None
    end = rendered[place + len(answer.strip()) :]
    said = thought.removeprefix(f"<{tag}>").lstrip() if closed else "\n"
    return f"{said}</{tag}>\n\n{answer.strip()}{end}"


def _lost(parts: Mapping[str, str], rendered: str) -> str | None:
    """The place of the first part that is not rendered; templates may change white space."""
    squeezed = "".join(rendered.split())
    missing = (where for where, part in parts.items() if "".join(part.split()) not in squeezed)
    return next(missing, None)


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
