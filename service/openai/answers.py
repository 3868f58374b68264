"""What OpenAI's clients read."""

from __future__ import annotations

from pydantic import BaseModel


class ModelCard(BaseModel):
    """A model that can be named."""

    id: str
    object: str = "model"
    created: int
    owned_by: str  # "builtin", "root" (a folder), "checkpoint"


class ModelList(BaseModel):
    """All of them."""

    object: str = "list"
    data: list[ModelCard]


class Usage(BaseModel):
    """Tokens that were read and written."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int


class Likelihood(BaseModel):
    """A token and its log-probability."""

    token: str
    logprob: float
    bytes: list[int] | None = None  # null for a part of a character


class TokenLikelihoods(Likelihood):
    """The same, with the likeliest tokens at its place."""

    top_logprobs: list[Likelihood]


class ChatLogprobs(BaseModel):
    """Of the answer's tokens."""

    content: list[TokenLikelihoods]


class ChatMessage(BaseModel):
    """An answer."""

    role: str = "assistant"
    content: str
    refusal: str | None = None


class ChatChoice(BaseModel):
    """One of `n` answers."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: str


class ChatOut(BaseModel):
    """The answers to a conversation."""

    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    system_fingerprint: str | None = None


class CompletionLogprobs(BaseModel):
    """Of a text's tokens; the first of a prompt has none."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One of `n` continuations of one of the prompts, in their order."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: str


class CompletionOut(BaseModel):
    """Continuations of prompts."""

    id: str
    object: str = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage
    system_fingerprint: str | None = None


class Embedding(BaseModel):
    """Of one input: numbers, or little-endian float32 in base64."""

    object: str = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsOut(BaseModel):
    """Of all inputs, in order."""

    object: str = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class TokensOut(BaseModel):
    """Token ids of a text."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = None


class TextOut(BaseModel):
    """The text of token ids."""

    prompt: str


class TokenizerOut(BaseModel):
    """What a harness wants to know of a tokenizer."""

    tokenizer_class: str
    bos_token: str | None
    eos_token: str | None
    pad_token: str | None
    chat_template: str | None
