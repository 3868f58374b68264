"""What the records of a dataset hold, by the dataset's kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from service.errors import ApiError, field, invalid
from service.evaluations.checks import SampleIn
from service.http.fields import Json, Name, Schema, Text

Kind = Literal["eval", "code", "sft", "preference", "prompts"]

MOST_ERRORS = 20


class EvalRecord(SampleIn):
    """A record of an evaluation set, or a prompt to train on with the columns that rewards read:
    a sample without outputs."""

    output: None = None
    outputs: None = None


class CodeRecord(EvalRecord):
    """A problem: a prompt, and the source that is run after a candidate."""

    prompt: Text
    tests: Text


class PromptRecord(EvalRecord):
    """A prompt to generate from; references, tests and metadata are for rewards alone."""

    prompt: Text


class Message(Schema):
    role: Literal["system", "user", "assistant"]
    content: Text


class SftRecord(Schema):
    """A conversation, a prompt with its completion, or plain text."""

    id: Name | None = None
    messages: Annotated[list[Message], Field(min_length=1)] | None = None
    prompt: Text | None = None
    completion: Text | None = None
    rationale: Text | None = None  # rendered into <think>…</think> before the answer
    text: Text | None = None
    metadata: Json = Field(default_factory=dict)

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

    def record(self, index: int) -> dict[str, Any]:
        return _kept(self, index)


class PreferenceRecord(Schema):
    """A prompt with a better and a worse answer."""

    id: Name | None = None
    prompt: Text
    chosen: Text
    rejected: Text
    metadata: Json = Field(default_factory=dict)

    @model_validator(mode="after")
    def _two_answers(self) -> Self:
        if not self.chosen.strip() or not self.rejected.strip():
            raise PydanticCustomError("empty_answer", "chosen and rejected must not be empty")
        if self.chosen == self.rejected:
            raise PydanticCustomError("no_preference", "chosen and rejected are equal")
        return self

    def record(self, index: int) -> dict[str, Any]:
        return _kept(self, index)


KINDS: Mapping[str, type[BaseModel]] = {
    "eval": EvalRecord,
    "code": CodeRecord,
    "prompts": PromptRecord,
    "sft": SftRecord,
    "preference": PreferenceRecord,
}


def checked(rows: Any, kind: str, where: str = "rows") -> list[dict[str, Any]]:
    """Every row as it is stored. Raises 422 with the first twenty errors by row (from 0) and field,
    or for two rows of one id."""
    form: Any = KINDS[kind]
    kept: list[dict[str, Any]] = []
    errors: list[tuple[str, str]] = []
    for index, row in enumerate(rows):
        try:
            kept.append(form.model_validate(row).record(index))
        except ValidationError as found:
            for one in found.errors(include_url=False):
                errors.append((field((where, index, *one["loc"])) or where, one["msg"]))
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise _refused(errors[:MOST_ERRORS])
    seen: dict[str, int] = {}
    for index, record in enumerate(kept):
        first = seen.setdefault(record["id"], index)
        if first != index:
            message = f"{record['id']!r} is the id of {where}[{first}] already"
            raise invalid("duplicate_id", message, f"{where}[{index}].id")
    return kept


def _refused(errors: Sequence[tuple[str, str]]) -> ApiError:
    shown = "; ".join(f"{where}: {what}" for where, what in errors)
    return invalid("invalid_rows", f"nothing was stored. {shown}", errors[0][0])


def _kept(record: Any, index: int) -> dict[str, Any]:
    found: dict[str, Any] = record.model_dump(mode="json", exclude_none=True)
    if not found["metadata"]:
        del found["metadata"]
    return found | {"id": record.id or str(index + 1)}
