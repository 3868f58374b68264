"""A model is asked about items: its answers, or why there are none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from inference.chat import ChatModel
from inference.errors import InputError
from metrics.judging.asking import Draw, ask
from metrics.judging.templates import InvalidRubric
from service.annotation.answers import agrees, order
from service.annotation.items_store import Item
from service.annotation.judgements_store import Judgement
from service.annotation.store import Project
from service.annotators.questions import Options, Question, answered, questions
from service.evaluations.generating import storable

LONGEST_REASON, LONGEST_COMMENT = 300, 4000  # characters that are kept
PASSING = ("no answer", "over budget")
NO_TEXT = "its texts are not known"


def judged(
    chat: ChatModel,
    project: Project,
    annotator: str,
    options: Options,
    items: Sequence[Item],
    advance: Callable[[], None],
) -> list[Judgement]:
    """What the model says of each item, in order. `advance` is called between questions."""
    shown = [order(project.seed, annotator, one.id, len(one.outputs)) for one in items]
    said: list[list[tuple[Question, Draw]]] = [[] for _ in items]
    groups: dict[int, list[int]] = defaultdict(list)
    for at, one in enumerate(items):
        if any(text.strip() for text in one.outputs):
            groups[len(one.outputs)].append(at)
    for outputs, places in groups.items():
        for question in questions(project, options, outputs):
            advance()
            texts = [_text(question, project, items[at], shown[at]) for at in places]
            for at, draw in zip(places, _draws(chat, question, texts), strict=True):
                said[at].append((question, draw))
    return [
        _judgement(project, *each, keep=options.reasons)
        for each in zip(items, shown, said, strict=True)
    ]


def nobody_answers(made: Sequence[Judgement]) -> str | None:
    """Why there is no answer, where a server gave none to anything."""
    return made[0].reason if made and all(one.passing for one in made) else None


def _text(question: Question, project: Project, item: Item, shown: Sequence[int]) -> str | Draw:
    try:
        return question.text(project, item, shown)
    except InvalidRubric as error:
        return Draw("", kind="refused", reason=str(error))


def _draws(chat: ChatModel, question: Question, texts: Sequence[str | Draw]) -> list[Draw]:
    """The model's answers to those texts that could be asked."""
    asked = [text for text in texts if isinstance(text, str)]
    try:
        heard = iter([one.draws[0] for one in ask(chat, asked, question.params)] if asked else [])
    except InputError as error:  # it can take none of them
        heard = iter([Draw("", kind="refused", reason=error.message)] * len(asked))
    return [next(heard) if isinstance(text, str) else text for text in texts]


def _judgement(
    project: Project,
    item: Item,
    shown: list[int],
    said: Sequence[tuple[Question, Draw]],
    *,
    keep: bool,
) -> Judgement:
    """The answers to an item's questions together.

    keep  what it said, which is more than the answer
    """
    if not said:
        return Judgement(item.id, shown, reason=NO_TEXT)
    comment = storable("\n".join(draw.said for _, draw in said))[:LONGEST_COMMENT] or None
    for question, draw in said:
        if draw.kind is not None:
            reason = f"{question.name}: {draw.kind}, {draw.reason}"
            return _skipped(item, shown, reason, comment, passing=draw.kind in PASSING)
    try:
        values = [(question, question.said(draw.value)) for question, draw in said]
        answer = answered(project, shown, values)
    except ValueError as error:
        return _skipped(item, shown, f"unreadable, {error}", comment)
    right = agrees(answer, item.expected)
    return Judgement(item.id, shown, answer, agrees=right, comment=comment if keep else None)


def _skipped(
    item: Item, shown: list[int], reason: str, comment: str | None, *, passing: bool = False
) -> Judgement:
    why = storable(reason)[:LONGEST_REASON]
    return Judgement(item.id, shown, reason=why, comment=comment, passing=passing)
