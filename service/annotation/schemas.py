"""Annotation projects, as they are asked for and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from service.http.fields import Name, Schema, Text

Form = Literal["pairwise", "likert", "best_worst", "label", "edit"]
Language = Literal["en", "ru"]
AnnotatorKind = Literal["person", "model"]
Annotators = Literal["people", "models", "all"]
Letter = Annotated[str, Field(pattern="^[a-h]$")]
Share = Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)]


def _number(value: object) -> object:
    """Files have ratings as text and as 4.0, and nobody has them as `true`."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "is true or false: a rating is a whole number")
    return value


Rating = Annotated[int, Field(ge=-1000, le=1000), BeforeValidator(_number)]

LONGEST_SCALE = 101  # points: from 0 to 100
OUTPUTS = {"pairwise": 2, "likert": 1, "label": 1, "edit": 1}  # of an item; best_worst: its size


def check_scale(scale: tuple[int, int] | None) -> None:
    """Raises an error of the model for a scale that goes down, and one that is too long."""
    if scale is not None and not scale[0] < scale[1] < scale[0] + LONGEST_SCALE:
        message = f"scale: from the least rating to a greater one, {LONGEST_SCALE} at most"
        raise PydanticCustomError("bad_scale", message)


class CriterionIn(Schema):
    """What outputs are judged by. `scale`: the least and the greatest rating, both allowed."""

    name: Name
    scale: tuple[Rating, Rating] | None = Field(default=None, description="of likert, as [1, 5]")
    description: Text | None = None
    anchors: dict[Text, Text] = Field(
        default_factory=dict, max_length=20, description="what ratings mean, as {'1': 'useless'}"
    )

    @model_validator(mode="after")
    def _a_scale(self) -> Self:
        check_scale(self.scale)
        return self


class ExpectedIn(Schema):
    """The right answer to a gold question, in the order of its `outputs`: `a` is the first."""

    choice: Literal["a", "b", "tie"] | None = None
    ratings: dict[Name, Rating] | None = None
    best: Letter | None = None
    worst: Letter | None = None
    label: Name | None = None
    text: Text | None = None


class GoldIn(Schema):
    """A question whose answer is known: it is put to everybody, and tells who pays attention."""

    prompt: Text | None = None
    outputs: Annotated[list[Text], Field(min_length=1, max_length=8)]
    expected: ExpectedIn


class ExampleIn(Schema):
    """A question with its answer, for the instructions."""

    prompt: Text | None = None
    outputs: Annotated[list[Text], Field(min_length=1, max_length=8)]
    expected: ExpectedIn
    why: Text | None = Field(default=None, description="of the answer, in a sentence")


class AnnotationProjectIn(Schema):
    """What people are to judge, and how. Nobody sees which system an output is of."""

    name: Name
    evaluations: Annotated[list[Name], Field(min_length=1, max_length=50)]
    form: Form = Field(
        description="pairwise: which of two outputs is better; likert: ratings by criteria; "
        "best_worst: the best and the worst of several; label: one of `labels`; edit: a better text"
    )
    criteria: Annotated[list[CriterionIn], Field(max_length=20)] = Field(default_factory=list)
    labels: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)
    ties: bool = Field(True, description="of pairwise: may both be equally good")
    overlap: Annotated[int, Field(ge=1, le=100)] = Field(3, description="votes on each item")
    items: Literal["all", "most_informative"] | Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        "all",
        description="or how many, drawn at random; most_informative: all, and as each is given "
        "out, one of the two systems whose order is least known",
    )
    tuple_size: Annotated[int, Field(ge=3, le=8)] = Field(4, description="outputs of best_worst")
    equal_outputs: Literal["drop", "control"] = Field(
        "drop", description="pairs of equal texts: left out, or shown: a tie is expected"
    )
    gold: Annotated[list[GoldIn], Field(max_length=1000)] = Field(default_factory=list)
    gold_rate: Share = Field(0.1, description="share of what is shown that is gold, while it lasts")
    repeats: Share = Field(0.0, description="share of what is shown that the person judged before")
    per_annotator: Annotated[int, Field(ge=1, le=100_000)] = Field(
        100, description="votes of a person at most, gold and repeats among them"
    )
    lease_minutes: Annotated[int, Field(ge=1, le=1440)] = Field(
        15, description="for which an item is kept for whoever has it open"
    )
    examples: Annotated[list[ExampleIn], Field(max_length=20)] = Field(default_factory=list)
    language: Language = "en"
    instructions: Text | None = Field(None, description="Markdown; null: made from the above")
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(None, description="null: at random")

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "name": "which is more helpful",
                    "evaluations": ["eval_a", "eval_b"],
                    "form": "pairwise",
                    "criteria": [{"name": "helpfulness"}],
                    "items": 100,
                }
            ]
        }
    }


class SystemOut(BaseModel):
    """A system that is judged, by its evaluation; `dataset` is an id. Systems of imported votes
    have neither."""

    system: str
    evaluation: str | None = None
    dataset: str | None = None


class AnnotationProgressOut(BaseModel):
    """How far a project is. `wanted`: votes, over all items; `held`: being judged now."""

    items: int
    wanted: int
    votes: int
    held: int
    annotators: int


class AnnotationProjectOut(BaseModel):
    """A project. `definition` is as it was asked for, without the gold questions; `left_out` tells
    why there is no item of some outputs, and of how many."""

    id: str
    object: str = "annotation_project"
    name: str
    form: Form
    status: Literal["open", "closed"]
    definition: dict[str, Any]
    systems: list[SystemOut]
    gold: int
    controls: int
    left_out: dict[str, int]
    seed: int
    progress: AnnotationProgressOut
    instructions: str
    completion_code: str
    created_at: datetime
    closed_at: datetime | None


class DeletedAnnotationProjectOut(BaseModel):
    """What is gone, with its items and votes. `published`: evaluations that keep the scores which
    were made of the votes, as they are now: nobody can renew them any more."""

    id: str
    object: str = "annotation_project"
    deleted: bool = True
    published: list[str]


class VoteOut(BaseModel):
    """A vote. `answer` is in the order of `systems` (`a` is the first), whatever was seen where;
    `shown`: which of them stood first, second, …. `agrees`: with what is expected of gold and
    controls, with the first vote of repeats. Gold questions have no systems. `imported`: it was
    cast elsewhere; `undone_at`: it was taken back, and does not count. `prompt`, `outputs` and what
    is `expected` of them: where texts are asked for."""

    id: str
    object: str = "vote"
    item: str
    kind: Literal["item", "control", "gold", "repeat"]
    dataset: str | None
    sample: str | None
    systems: list[str]
    annotator: str
    annotator_kind: AnnotatorKind
    answer: dict[str, Any]
    shown: list[int]
    agrees: bool | None
    comment: str | None
    seconds: float | None
    imported: bool
    created_at: datetime
    undone_at: datetime | None
    prompt: str | None
    outputs: list[str] | None
    expected: dict[str, Any] | None


class SkipOut(BaseModel):
    """An item that an annotator gave back; they do not get it again."""

    id: str
    object: str = "skip"
    item: str
    dataset: str | None
    sample: str | None
    systems: list[str]
    annotator: str
    reason: str | None
    created_at: datetime
