"""What a model is asked of an item, with the words of the instructions that people read.

A question has one answer, in a word or a number: of pairwise which output is better, of likert one
rating for each criterion, of best_worst first the best and then the worst, of label the label.
Outputs are in an order of the annotator's own, as they are for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from metrics.judging.asking import of_ending
from metrics.judging.params import PAIR, JudgeParams
from metrics.judging.templates import frame
from service.annotation.annotate_schemas import VoteIn
from service.annotation.answers import LETTERS, TIE, Answer, of_vote
from service.annotation.instructions import instructions
from service.annotation.items_store import Item
from service.annotation.store import Project
from service.errors import ApiError, invalid

Asks = Literal["choice", "rating", "best", "worst", "label"]
WHOLE = "{:g} is no whole number"


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is asked; see `ModelAnnotatorIn`."""

    model: str
    reasons: bool = False
    max_new_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One of the questions that every item of a project is asked.

    criterion  of a rating, else empty
    labels     the answers, in the order of their values 0, 1, …; of ratings none
    """

    asks: Asks
    criterion: str
    labels: tuple[str, ...]
    params: JudgeParams

    @property
    def name(self) -> str:
        """What it is called where it has no answer."""
        return self.criterion or self.asks

    def text(self, project: Project, item: Item, shown: Sequence[int]) -> str:
        """The question. Raises InvalidRubric for one that is too long."""
        several = len(shown) > 1
        return frame(
            self.params.language,
            "annotate",
            instructions=instructions(project.definition).strip(),
            prompt=item.prompt,
            outputs=[
                (letter.upper() if several else "", item.outputs[place])
                for letter, place in zip(LETTERS, shown, strict=False)
            ],
            asks=self.asks,
            criterion=self.criterion,
            **of_ending(self.params),
        )

    def said(self, value: float) -> str | int:
        """The answer that a value stands for. Raises ValueError for a rating between two."""
        if self.asks == "rating":
            if value != int(value):
                raise ValueError(WHOLE.format(value))
            return int(value)
        label = self.labels[int(value)]
        if self.asks == "label":
            return label
        return label.lower() if label.lower() in LETTERS else TIE


def questions(project: Project, options: Options, outputs: int) -> list[Question]:
    """Those on an item with so many outputs. Raises 422 for edits, and for labels that no model is
    asked."""
    definition = project.definition
    if project.form == "edit":
        message = "a model judges texts; edits are people's: leave `model` out"
        raise invalid("edit_by_model", message, "model")
    if project.form == "likert":
        return [
            Question("rating", one["name"], (), _params(project, options, scale=one["scale"]))
            for one in definition["criteria"]
        ]
    if project.form == "label":
        return [_labelled("label", project, options, definition["labels"])]
    if project.form == "pairwise":
        labels = PAIR[definition["language"]]
        return [_labelled("choice", project, options, labels if definition["ties"] else labels[:2])]
    letters = [letter.upper() for letter in LETTERS[:outputs]]
    return [_labelled(asks, project, options, letters) for asks in ("best", "worst")]


def answered(
    project: Project, shown: Sequence[int], said: Sequence[tuple[Question, str | int]]
) -> Answer:
    """The answers to all questions on an item as a vote, in the order of the item's outputs. Raises
    ValueError where the best is the worst, too."""
    fields: dict[str, object] = {one.asks: value for one, value in said if one.asks != "rating"}
    if project.form == "likert":
        fields["ratings"] = {one.criterion: value for one, value in said}
    given = VoteIn.model_validate({"item": "of a model", **fields})
    try:
        return of_vote(project.form, project.definition, given, shown)
    except ApiError as error:
        raise ValueError(error.message) from None


def _labelled(asks: Asks, project: Project, options: Options, labels: Sequence[str]) -> Question:
    values = {label: float(at) for at, label in enumerate(labels)}
    return Question(asks, "", tuple(labels), _params(project, options, labels=values))


def _params(project: Project, options: Options, **answers: object) -> JudgeParams:
    try:
        return JudgeParams.model_validate(
            {
                "model": options.model,
                "mode": "score" if "scale" in answers else "label",
                "language": project.definition["language"],
                "reasons": options.reasons,
                "max_new_tokens": options.max_new_tokens,
                "likelihoods": False,
                **answers,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        message = f"a model cannot be asked for these answers: {first['msg']}"
        raise invalid("not_for_models", message, "model") from None
