"""What a protocol may say, as pydantic models: one template, examples, one style, one answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

LONGEST_TEMPLATE = 100_000  # characters
LONGEST_TEXT = 10_000
STEP_BY_STEP = 'Let\'s think step by step. End with a line that begins with "Answer:".'
MARKER = "Answer:"

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
FieldName = Annotated[str, Field(min_length=1, max_length=200)]
Reference = Annotated[str, Field(min_length=1, max_length=220)]  # a name, name@version or ds_…


class _Base(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _taken(value: Any) -> Any:
    return {"take": value} if isinstance(value, str) else value


class FewShot(_Base):
    """Examples that are shown before each record: questions with their answers."""

    dataset: Reference
    k: Annotated[int, Field(ge=1, le=64)]
    draw: Literal["fixed", "random"] = Field(
        default="fixed", description="the dataset's first, or others for each record, by the seed"
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    answer: FieldName | None = Field(
        default=None,
        description="the field of an example, or of its metadata, that is its answer; default: "
        "its first reference, or its completion",
    )


class Tool(_Base):
    """What a model may use between its thoughts."""

    name: Literal["calculator", "search"]
    dataset: Reference | None = Field(default=None, description="what `search` looks through")
    top: Annotated[int, Field(ge=1, le=10)] = Field(default=3, description="texts of one search")

    @model_validator(mode="after")
    def _a_search_has_a_corpus(self) -> Self:
        if (self.name == "search") != (self.dataset is not None):
            raise PydanticCustomError("tool_dataset", "search needs a `dataset`, and search alone")
        return self


AnyTool = Annotated[
    Tool, BeforeValidator(_named, json_schema_input_type=Literal["calculator"] | Tool)
]
StyleName = Literal["direct", "chain_of_thought", "self_consistency", "react"]
READ_BY: Mapping[str, tuple[str, ...]] = {  # which styles read a field
    "instruction": ("chain_of_thought", "self_consistency"),
    "worked": ("chain_of_thought", "self_consistency", "react"),
    "draws": ("self_consistency",),
    "tools": ("react",),
    "max_steps": ("react",),
}


class Style(_Base):
    """How the model is to come to an answer."""

    name: StyleName
    instruction: Text | None = Field(
        default=None,
        description=f"stands below the question; default, without `worked`: {STEP_BY_STEP}",
    )
    worked: FieldName | None = Field(
        default=None,
        description="the field of an example, or of its metadata, that holds its reasoning",
    )
    draws: Annotated[int, Field(ge=2, le=64)] | None = Field(
        default=None, description="of self_consistency, whose answer is the commonest; default: 5"
    )
    tools: Annotated[list[AnyTool], Field(min_length=1, max_length=2)] | None = None
    max_steps: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="of react, until there has to be an answer; default: 6"
    )

    @model_validator(mode="after")
    def _reads_what_is_given(self) -> Self:
        for field, styles in READ_BY.items():
            if getattr(self, field) is not None and self.name not in styles:
                message = f"{self.name} has no {field}: it is of {' and '.join(styles)}"
                raise PydanticCustomError("unread_field", "{message}", {"message": message})
        if self.name == "react" and self.tools is None:
            raise PydanticCustomError("missing_tools", 'react needs `tools`, as ["calculator"]')
        names = [tool.name for tool in self.tools or ()]
        if len(set(names)) < len(names):
            raise PydanticCustomError("two_tools", "name each of the tools once")
        return self

    def complete(self) -> Style:
        """With the defaults of its name."""
        found: dict[str, Any] = {}
        if self.name in READ_BY["instruction"] and self.instruction is None and not self.worked:
            found["instruction"] = STEP_BY_STEP
        if self.name == "self_consistency" and self.draws is None:
            found["draws"] = 5
        if self.name == "react" and self.max_steps is None:
            found["max_steps"] = 6
        return self.model_copy(update=found)


Take = Literal["whole", "regex", "last_number", "choice", "json", "solution"]


class Answer(_Base):
    """What of a reply is the answer; `<think>…</think>` never is."""

    take: Take = "whole"
    marker: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="look only behind where this stands last, in any case"
    )
    pattern: Annotated[str, Field(min_length=1, max_length=2000)] | None = Field(
        default=None, description="of regex: its last match, and of it the first group if any"
    )
    choices: Annotated[str, Field(min_length=2, max_length=36)] | None = Field(
        default=None, description="letters of choice; default: ABCD"
    )
    path: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="into the last JSON of the reply, as answer.value or items[0]"
    )

    @model_validator(mode="after")
    def _reads_what_is_given(self) -> Self:
        for field, take in (("pattern", "regex"), ("choices", "choice"), ("path", "json")):
            if getattr(self, field) is not None and self.take != take:
                message = f"`{field}` is of take: {take}"
                raise PydanticCustomError("unread_field", "{message}", {"message": message})
        if self.take == "regex" and self.pattern is None:
            raise PydanticCustomError("missing_pattern", "regex needs a `pattern`")
        if self.take == "json" and self.path is None:
            raise PydanticCustomError("missing_path", "json needs a `path`, as answer.value")
        return self

    def complete(self) -> Answer:
        """With its defaults."""
        letters = "ABCD" if self.take == "choice" and self.choices is None else self.choices
        return self.model_copy(update={"choices": letters})


class Protocol(_Base):
    """How a model is asked, and what of its reply is the answer. Metrics score the answer."""

    template: Annotated[str, Field(min_length=1, max_length=LONGEST_TEMPLATE)] | None = Field(
        default=None,
        description="Jinja over the record's fields: prompt, references, metadata, id, …",
    )
    few_shot: FewShot | None = None
    style: Annotated[Style, BeforeValidator(_named, json_schema_input_type=StyleName | Style)] = (
        Field(default_factory=lambda: Style(name="direct"), description="default: direct")
    )
    answer: (
        Annotated[
            Answer,
            BeforeValidator(
                _taken,
                json_schema_input_type=Literal["whole", "last_number", "choice", "solution"]
                | Answer,
            ),
        ]
        | None
    ) = Field(
        default=None,
        description='default: what stands behind "Answer:" where a chain of thought is asked for, '
        "else the whole reply",
    )

    @model_validator(mode="after")
    def _worked_examples(self) -> Self:
        style = self.style
        if style.worked is not None and self.few_shot is None:
            raise PydanticCustomError("no_examples", "`worked` is a field of few_shot's examples")
        if self.few_shot and style.name in READ_BY["instruction"] and style.worked is None:
            message = f"{style.name} with examples needs style.worked, the field of their reasoning"
            raise PydanticCustomError("missing_worked", "{message}", {"message": message})
        return self

    @property
    def datasets(self) -> list[tuple[str, str]]:
        """Where a dataset is named, and its name."""
        found = [("few_shot.dataset", self.few_shot.dataset)] if self.few_shot else []
        for at, tool in enumerate(self.style.tools or ()):
            if tool.dataset is not None:
                found.append((f"style.tools[{at}].dataset", tool.dataset))
        return found

    def resolved(self, ids: Mapping[str, str]) -> Protocol:
        """With all defaults, and the ids of datasets (`ids`, by the names given) for their names.

        What is resolved stays as it is when it is resolved again."""
        style = self.style.complete()
        tools = style.tools
        if tools is not None:
            tools = [
                tool.model_copy(update={"dataset": ids.get(tool.dataset or "", tool.dataset)})
                for tool in tools
            ]
        few = self.few_shot
        if few is not None:
            few = few.model_copy(update={"dataset": ids.get(few.dataset, few.dataset)})
        thinks = style.name in READ_BY["instruction"]
        answer = self.answer or Answer(marker=MARKER if thinks else None)
        changed = {"tools": tools}
        return self.model_copy(
            update={
                "style": style.model_copy(update=changed),
                "few_shot": few,
                "answer": answer.complete(),
            }
        )

    @property
    def taken(self) -> Answer:
        """What of a reply is the answer."""
        return self.answer or Answer()


def digest(resolved: Protocol) -> str:
    """12 hexadecimal digits that are equal where all that a resolved protocol says is."""
    content = resolved.model_dump(mode="json")
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
