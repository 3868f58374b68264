"""The questions that a judge is asked about an output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.errors import InputError
from metrics.core.metric import Item
from metrics.judging.asking import of_ending
from metrics.judging.params import JudgeParams
from metrics.judging.templates import InvalidRubric, frame, is_whole, render

ORDERS = ("given", "swapped")  # the output first, or second


@dataclass(frozen=True, slots=True)
class Question:
    """One question; `item`, `criterion` and `order` are its place among all."""

    item: int
    criterion: int
    order: int
    name: str
    text: str
    compares: bool

    @property
    def order_name(self) -> str | None:
        """Which of two responses stood first; None where one is judged alone."""
        return ORDERS[self.order] if self.compares else None


def questions(items: Sequence[Item], params: JudgeParams) -> list[Question]:
    """All questions about the items. Raises InputError where one cannot be asked."""
    compares = params.mode == "pairwise"
    found = []
    for at, item in enumerate(items):
        other = compared_with(item, params)
        for criterion, (name, rubric) in enumerate(params.questions.items()):
            for order in range(2 if compares else 1):
                pair = (item.output, other) if order == 0 else (other, item.output)
                text = _text(item, pair, rubric, params)
                found.append(Question(at, criterion, order, name, text, compares))
    return found


def compared_with(item: Item, params: JudgeParams) -> str:
    """The other response; empty where the output is judged alone. Raises InputError for none."""
    if params.mode != "pairwise":
        return ""
    if params.against is None:
        return item.references[0]
    if item.opponent is None:
        message = "outputs of another system are compared with in evaluations alone"
        raise InputError(message, "params.against")
    return item.opponent


def _text(item: Item, pair: tuple[str, str], rubric: str, params: JudgeParams) -> str:
    compares = params.mode == "pairwise"
    # a reference that is compared with would be told by its name
    hidden = compares and params.against is None
    values: dict[str, object] = {
        "prompt": item.prompt or "",
        "references": () if hidden else item.references,
        **({"first": pair[0], "second": pair[1]} if compares else {"output": item.output}),
    }
    ending = of_ending(params)
    known = values | {name: ending[name] for name in ("low", "high", "labels")}
    try:
        criterion = render(rubric, **known)
        if is_whole(rubric):
            return f"{criterion}\n\n{frame(params.language, 'ending', **ending)}"
        return frame(params.language, params.mode, criterion=criterion, **values, **ending)
    except InvalidRubric as error:
        field = "params.criteria" if params.criteria else "params.rubric"
        raise InputError(str(error), field) from None
