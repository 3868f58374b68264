"""Datasets as they come and go, and what their records hold, by the dataset's kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from metrics.programs.layouts import as_text
from service.errors import MOST_ERRORS, ApiError, ErrorDetail, detail, invalid
from service.field_names import told
from service.http.fields import DatasetName, Json, Name, Schema, Text, Texts

Kind = Literal["eval", "code", "sft", "preference", "labelled", "prompts"]


class Message(Schema):
    """A turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


# of programs, for pass_at_k: source, or JSON, which is stored as its text
Tests = Annotated[
    Text,
    BeforeValidator(as_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {}},
                {"type": "object", "additionalProperties": True},
            ],
            "description": "Python source that runs after the program; or pairs of input and "
            'output: [{"input": …, "output": …}], {"inputs": […], "outputs": […]} with "fn_name" '
            "where a function is called; or a list of assert statements",
        }
    ),
]
Messages = Annotated[list[Message], Field(fail_fast=True, min_length=1)]


class Record(Schema):
    """What a sample is apart from outputs: what is asked, as text or as the `messages` of a
    conversation, and what outputs are compared with."""

    id: Name | None = None  # default: its place in the list, from 1
    prompt: Text | None = None
    messages: Messages | None = None  # the last is the user's; metrics read them as one text
    references: Texts = Field(default_factory=list)
    tests: Tests | None = None
    metadata: Json = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.messages is None:
            return self
        if self.prompt is not None:
            raise PydanticCustomError("two_prompts", "give `prompt` or `messages`, not both")
        if self.messages[-1].role != "user":
            message = (
                "the last of the messages has to be the user's: an answer to compare with goes "
                "into `references`"
            )
            raise PydanticCustomError("no_question", message)
        if any(turn.role == "system" for turn in self.messages[1:]):
            message = "a system message stands first or nowhere"
            raise PydanticCustomError("late_system", message)
        return self

    def record(self, index: int) -> dict[str, Any]:
        """What a dataset stores of it."""
        stored: dict[str, Any] = {"id": self.id or str(index + 1)}
        if self.prompt is not None:
            stored["prompt"] = self.prompt
        if self.messages is not None:
            stored["messages"] = [turn.model_dump() for turn in self.messages]
        if self.references:
            stored["references"] = self.references
        if self.tests is not None:
            stored["tests"] = self.tests
        if self.metadata:
            stored["metadata"] = self.metadata
        return stored


class EvalRecord(Record):
    """A record of an evaluation set, or a prompt to train on with the columns that rewards read."""

    output: None = None  # outputs are an evaluation's: a file that has some is refused
    outputs: None = None


class CodeRecord(EvalRecord):
    """A problem: a prompt, and the tests that a candidate is held to."""

    prompt: Text
    messages: None = None
    tests: Tests


class PromptRecord(EvalRecord):
    """A prompt to generate from; references, tests and metadata are for rewards alone."""

    @model_validator(mode="after")
    def _a_prompt(self) -> Self:
        if self.prompt is None and self.messages is None:
            raise PydanticCustomError("missing_prompt", "give a `prompt`, or `messages`")
        return self


class TrainingRecord(Schema):
    """What is learned from; stored as it came."""

    id: Name | None = None  # default: its place in the list, from 1
    metadata: Json = Field(default_factory=dict)

    def record(self, index: int) -> dict[str, Any]:
        """What a dataset stores of it."""
        stored = self.model_dump(mode="json", exclude_none=True)
        if not stored["metadata"]:
            del stored["metadata"]
        return stored | {"id": self.id or str(index + 1)}


class SftRecord(TrainingRecord):
    """A conversation, a prompt with its completion, or plain text."""

    messages: Messages | None = None
    prompt: Text | None = None
    completion: Text | None = None
    rationale: Text | None = None  # rendered into <think>…</think> before the answer
    text: Text | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [self.messages is not None, self.completion is not None, self.text is not None]
        if sum(forms) != 1:
            message = "give one of: messages; prompt and completion; text"
            raise PydanticCustomError("sft_form", message)
        if self.completion is not None and self.prompt is None:
            raise PydanticCustomError("missing_prompt", "a completion needs its prompt")
        if self.completion is None and (self.prompt is not None or self.rationale is not None):
            raise PydanticCustomError("missing_completion", "a prompt or rationale: no completion")
        if self.messages is not None and self.messages[-1].role != "assistant":
            raise PydanticCustomError("no_answer", "the last message has to be the assistant's")
        answer = self.messages[-1].content if self.messages else self.completion or self.text
        if not (answer or "").strip():
            raise PydanticCustomError("empty_answer", "the answer to learn is empty")
        return self


class PreferenceRecord(TrainingRecord):
    """A prompt with a better and a worse answer."""

    prompt: Text
    chosen: Text
    rejected: Text
    # by how much the chosen is better, in any unit; null: not known
    margin: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _two_answers(self) -> Self:
        if not self.chosen.strip() or not self.rejected.strip():
            raise PydanticCustomError("empty_answer", "chosen and rejected must not be empty")
        if self.chosen == self.rejected:
            raise PydanticCustomError("no_preference", "chosen and rejected are equal")
        return self


class LabelledRecord(TrainingRecord):
    """A prompt with an answer that is good, or bad."""

    prompt: Text
    completion: Text
    label: bool

    @model_validator(mode="after")
    def _an_answer(self) -> Self:
        if not self.completion.strip():
            raise PydanticCustomError("empty_answer", "the completion must not be empty")
        return self


KINDS: Mapping[str, type[Record | TrainingRecord]] = {
    "eval": EvalRecord,
    "code": CodeRecord,
    "prompts": PromptRecord,
    "sft": SftRecord,
    "preference": PreferenceRecord,
    "labelled": LabelledRecord,
}


class DatasetIn(Schema):
    """Records of a kind: eval (prompt or messages, references), code (prompt, tests), prompts (to
    train by rewards),
    sft (messages, or prompt and completion, or text), preference (prompt, chosen, rejected,
    margin), labelled (prompt, completion, label)."""

    name: DatasetName
    kind: Kind = "eval"
    records: Annotated[list[dict[str, Any]], Field(min_length=1)]

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "name": "capitals",
                    "kind": "eval",
                    "records": [
                        {"id": "fr", "prompt": "Capital of France?", "references": ["Paris"]},
                        {"id": "ru", "prompt": "Столица России?", "references": ["Москва"]},
                    ],
                },
                {
                    "name": "polite",
                    "kind": "preference",
                    "records": [
                        {"prompt": "Hi!", "chosen": "Hello! How can I help?", "rejected": "What."}
                    ],
                },
            ]
        }
    }


class DatasetOut(BaseModel):
    """A version of a dataset, as it is shown."""

    id: str
    object: str = "dataset"
    name: str
    version: int
    digest: str
    kind: str
    size: int
    created_at: datetime


def checked(rows: Iterable[object], kind: str, where: str = "rows") -> Iterator[dict[str, Any]]:
    """Every row as it is stored, one at a time; nothing more after a wrong one. Raises 422 with the
    first twenty errors by row (from 0) and field, or for two rows of one id."""
    form = KINDS[kind]
    errors: list[ErrorDetail] = []
    seen: dict[str, int] = {}
    for index, row in enumerate(rows):
        try:
            record = form.model_validate(row).record(index)
        except ValidationError as found:
            for one in found.errors(include_url=False):
                said = told(one, form, one["loc"])
                errors.append(detail((where, index, *one["loc"]), said, one["type"]))
            if len(errors) >= MOST_ERRORS:
                break
            continue
        if errors:
            continue
        first = seen.setdefault(record["id"], index)
        if first != index:
            message = f"{record['id']!r} is the id of {where}[{first}] already"
            raise invalid("duplicate_id", message, f"{where}[{index}].id")
        yield record
    if errors:
        raise _refused(errors[:MOST_ERRORS])


def _refused(errors: Sequence[ErrorDetail]) -> ApiError:
    shown = "; ".join(one.message for one in errors)
    first = errors[0].param
    return ApiError(422, "invalid_rows", f"nothing was stored. {shown}", first, errors=errors)
