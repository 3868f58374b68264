"""What OpenAI's clients send. Fields that nobody here knows are let through, as their
servers do; those that would change the answer, and cannot here, are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from inference.templates import Value, Variable
from service.http.fields import Name, Text

MOST_CHOICES = 128  # of a request: prompts times `n`
MOST_TOP = 20  # likeliest tokens at a step
LARGEST_SEED = 2**63 - 1


def _neutral(value: Any) -> Any:
    """What asks for nothing: 0, empty, false, null."""
    if value in (None, 0, 1.0, False, "none", "auto") or value in ([], {}, {"type": "text"}):
        return value
    raise PydanticCustomError("unsupported_parameter", "is not supported here: leave it out")


def _zero(value: Any) -> Any:
    if value in (None, 0, False):
        return value
    raise PydanticCustomError("unsupported_parameter", "is not supported here: leave it out")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Unsupported = Annotated[Any, AfterValidator(_neutral)]
Off = Annotated[Any, AfterValidator(_zero)]
Stops = Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(max_length=16)]
Stop = Annotated[Stops | None, BeforeValidator(_listed)]
Ids = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]


class StreamOptions(BaseModel):
    """Of a streamed answer."""

    include_usage: bool = False


class GenerationIn(BaseModel):
    """What chat and text completions have in common."""

    model_config = ConfigDict(extra="ignore")

    model: Name
    max_tokens: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    temperature: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="0: greedy; 1 where it is left out"
    )
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = Field(
        default=None, description="not in OpenAI's API; 0 and -1: off"
    )
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    stop: Stop = None
    seed: Annotated[int, Field(ge=-LARGEST_SEED, le=LARGEST_SEED)] | None = Field(
        default=None, description="the same seed draws the same answer, whatever else is asked"
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    frequency_penalty: Off = None
    presence_penalty: Off = None
    min_p: Off = None
    min_tokens: Off = None
    ignore_eos: Off = None
    use_beam_search: Off = None
    repetition_penalty: Unsupported = None
    logit_bias: Unsupported = None
    response_format: Unsupported = None
    structured_outputs: Unsupported = None
    guided_json: Unsupported = None
    guided_regex: Unsupported = None
    guided_choice: Unsupported = None
    prompt_logprobs: Off = None


class Part(BaseModel):
    """A part of a message; only text is read."""

    type: Literal["text"]
    text: Text


class MessageIn(BaseModel):
    """A turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | list[Part] | None = None
    tool_calls: Unsupported = None

    @property
    def turn(self) -> dict[str, str]:
        """As chat templates have it."""
        content = self.content
        if isinstance(content, list):
            content = "".join(part.text for part in content)
        role = "system" if self.role == "developer" else self.role
        return {"role": role, "content": content or ""}


class ChatIn(GenerationIn):
    """`POST /chat/completions`."""

    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=10_000)]
    max_completion_tokens: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_TOP)] | None = None
    chat_template_kwargs: dict[Variable, Value] | None = None
    tools: Unsupported = None
    tool_choice: Unsupported = None
    functions: Unsupported = None
    function_call: Unsupported = None
    audio: Unsupported = None
    continue_final_message: Off = None

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "model": "builtin/smollm2-135m-instruct",
                    "messages": [{"role": "user", "content": "The capital of France?"}],
                    "max_tokens": 16,
                    "temperature": 0,
                }
            ]
        }
    }


class CompletionIn(GenerationIn):
    """`POST /completions`."""

    prompt: Text | Ids | list[Text] | list[Ids]
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=MOST_TOP)] | None = None
    best_of: Unsupported = None
    suffix: Annotated[str, Field(max_length=0)] | None = None

    @property
    def prompts(self) -> list[dict[str, Any]]:
        """Each as {"text"} or {"ids"}."""
        several = self.prompt
        if isinstance(several, str):
            return [{"text": several}]
        if several and isinstance(several[0], int):
            return [{"ids": several}]
        return [{"text": one} if isinstance(one, str) else {"ids": one} for one in several]


class EmbeddingsIn(BaseModel):
    """`POST /embeddings`."""

    model_config = ConfigDict(extra="ignore")

    model: Name
    input: Text | Ids | list[Text] | list[Ids]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Off = None

    @property
    def inputs(self) -> list[str] | list[list[int]]:
        """Each text, or its token ids."""
        if isinstance(self.input, str):
            return [self.input]
        ids = [one for one in self.input if isinstance(one, int)]
        texts = [one for one in self.input if isinstance(one, str)]
        return [ids] if ids else texts or [one for one in self.input if isinstance(one, list)]


class TokenizeIn(BaseModel):
    """`POST /tokenize`, as vLLM has it: a text, or messages through the chat template."""

    model_config = ConfigDict(extra="ignore")

    model: Name | None = None
    prompt: Text | None = None
    messages: Annotated[list[MessageIn], Field(min_length=1)] | None = None
    add_special_tokens: bool = True
    return_token_strs: bool | None = None


class DetokenizeIn(BaseModel):
    """`POST /detokenize`, as vLLM has it."""

    model_config = ConfigDict(extra="ignore")

    model: Name | None = None
    tokens: list[Annotated[int, Field(ge=0, lt=2**31)]]
