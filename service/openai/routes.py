"""Our models on OpenAI's API: /openai/v1, and vLLM's /tokenize beside it.

`/openai/of/{model}/v1/…` is the same for one model: for clients that send no model with some of
their requests, as lm-evaluation-harness with its remote tokenizer.
"""

from __future__ import annotations

import base64
import secrets
import struct
import time
from typing import Annotated, Any, TypeVar

from fastapi import Header, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from inference.kinds import ModelKind
from service.errors import invalid
from service.http.answers import STREAMED
from service.http.dependencies import CurrentGate, CurrentSettings, Transaction
from service.http.gate import Gate
from service.http.router import Router
from service.http.waiting import preferred_wait
from service.models import store as models
from service.openai import views
from service.openai.answers import (
    ChatOut,
    CompletionOut,
    Embedding,
    EmbeddingsOut,
    ModelCard,
    ModelList,
    TextOut,
    TokenizerOut,
    TokensOut,
)
from service.openai.errors import OpenAIRoute
from service.openai.schemas import (
    MOST_CHOICES,
    ChatIn,
    CompletionIn,
    DetokenizeIn,
    EmbeddingsIn,
    GenerationIn,
    TokenizeIn,
)
from service.openai.store import add, checkpoints_at_hand
from service.openai.waiting import answer, streamed
from service.settings import Settings

T = TypeVar("T")

router = Router(prefix="/openai", tags=["openai"], route_class=OpenAIRoute)

DEFAULT_WAIT = 600.0  # seconds, as OpenAI's own client waits
COMPLETION_TOKENS = 16  # of a text completion that says nothing of its length

Prefer = Annotated[str | None, Header()]


@router.get("/v1/models", summary="Models that can be named")
def openai_models(db: Transaction, settings: CurrentSettings) -> ModelList:
    """Builtin ones, folders under the allowed roots, checkpoints of training jobs."""
    return ModelList(data=_cards(db, settings))


@router.get("/v1/models/{model:path}", summary="One of them")
def openai_model(model: str, db: Transaction, settings: CurrentSettings) -> ModelCard:
    """By its name; also a model that can be named and is not listed."""
    for card in _cards(db, settings):
        if card.id == model:
            return card
    models.require(db, settings, model, "model")
    return ModelCard(id=model, created=0, owned_by="root")


@router.post(
    "/v1/chat/completions",
    summary="Answer a conversation",
    response_model=ChatOut,
    responses=STREAMED,
)
async def openai_chat(
    body: ChatIn,
    request: Request,
    gate: CurrentGate,
    settings: CurrentSettings,
    prefer: Prefer = None,
) -> Response | ChatOut:
    """Through the model's chat template; requests that wait together share batches."""
    most = body.max_completion_tokens
    if body.top_logprobs and not body.logprobs:
        raise invalid("missing_logprobs", "top_logprobs needs logprobs: true", "top_logprobs")
    content = _options(body) | {
        "prompts": [{"turns": [one.turn for one in body.messages]}],
        "max_tokens": body.max_tokens if most is None else most,
        "top": (body.top_logprobs or 0) if body.logprobs else None,
        "echo": False,
        "variables": body.chat_template_kwargs or {},
    }
    asked = await _asked(gate, settings, "generate", body.model, content, "language")
    return await _replied(request, gate, asked, body, prefer, views.CHAT)


@router.post(
    "/v1/completions",
    summary="Continue texts",
    response_model=CompletionOut,
    responses=STREAMED,
)
async def openai_completions(
    body: CompletionIn,
    request: Request,
    gate: CurrentGate,
    settings: CurrentSettings,
    prefer: Prefer = None,
) -> Response | CompletionOut:
    """Texts or token ids. `echo` and `logprobs` with `max_tokens` 0 or 1: how likely a text is."""
    prompts = body.prompts
    if not 1 <= len(prompts) * (body.n or 1) <= MOST_CHOICES:
        message = f"1 to {MOST_CHOICES} choices in all: prompts times n"
        raise invalid("wrong_number_of_choices", message, "prompt")
    content = _options(body) | {
        "prompts": prompts,
        "max_tokens": COMPLETION_TOKENS if body.max_tokens is None else body.max_tokens,
        "top": body.logprobs,
        "echo": bool(body.echo),
        "variables": {},
    }
    asked = await _asked(gate, settings, "generate", body.model, content, "language")
    return await _replied(request, gate, asked, body, prefer, views.TEXT)


@router.post("/v1/embeddings", summary="Vectors of texts")
async def openai_embeddings(
    body: EmbeddingsIn,
    request: Request,
    gate: CurrentGate,
    settings: CurrentSettings,
    prefer: Prefer = None,
) -> EmbeddingsOut:
    """Unit vectors: the mean of the last layer. What is longer than the model reads is cut."""
    if not body.inputs:
        raise invalid("missing_input", "there is nothing to embed", "input")
    content = {"inputs": body.inputs}
    asked = await _asked(gate, settings, "embed", body.model, content)
    found = await answer(request, gate, asked, _wait(prefer))
    data = [
        Embedding(index=index, embedding=_written(one, body.encoding_format))
        for index, one in enumerate(found["vectors"])
    ]
    used = views.usage({"prompt": found["tokens"], "completion": 0})
    return EmbeddingsOut(data=data, model=body.model, usage=used)


@router.post("/tokenize", summary="Token ids of a text")
async def openai_tokenize(
    body: TokenizeIn, request: Request, gate: CurrentGate, settings: CurrentSettings
) -> TokensOut:
    """Token ids of a text, or of messages through the chat template."""
    if (body.prompt is None) == (body.messages is None):
        raise invalid("wrong_input", "give either a prompt or messages", "prompt")
    turns = [one.turn for one in body.messages] if body.messages else None
    content = {"text": body.prompt, "turns": turns, "special": body.add_special_tokens}
    asked = await _asked(gate, settings, "tokenize", _named(body.model), content, "language")
    found = await answer(request, gate, asked, DEFAULT_WAIT)
    return TokensOut(
        count=len(found["ids"]),
        max_model_len=found["max_length"],
        tokens=found["ids"],
        token_strs=found["strings"] if body.return_token_strs else None,
    )


@router.post("/detokenize", summary="The text of token ids")
async def openai_detokenize(
    body: DetokenizeIn, request: Request, gate: CurrentGate, settings: CurrentSettings
) -> TextOut:
    """The text of token ids, special ones included."""
    content = {"ids": body.tokens}
    asked = await _asked(gate, settings, "detokenize", _named(body.model), content, "language")
    found = await answer(request, gate, asked, DEFAULT_WAIT)
    return TextOut(prompt=found["text"])


@router.post(
    "/of/{model:path}/v1/completions",
    summary="Continue texts by one model",
    response_model=CompletionOut,
    responses=STREAMED,
)
async def openai_completions_of(
    model: str,
    body: CompletionIn,
    request: Request,
    gate: CurrentGate,
    settings: CurrentSettings,
    prefer: Prefer = None,
) -> Response | CompletionOut:
    """As `/v1/completions`; the body's model is not read."""
    ours = body.model_copy(update={"model": model})
    return await openai_completions(ours, request, gate, settings, prefer)


@router.post("/of/{model:path}/tokenize", summary="Token ids by one model")
async def openai_tokenize_of(
    model: str, body: TokenizeIn, request: Request, gate: CurrentGate, settings: CurrentSettings
) -> TokensOut:
    """As `/tokenize`; the body needs no model."""
    return await openai_tokenize(body.model_copy(update={"model": model}), request, gate, settings)


@router.post("/of/{model:path}/detokenize", summary="The text of token ids of one model")
async def openai_detokenize_of(
    model: str, body: DetokenizeIn, request: Request, gate: CurrentGate, settings: CurrentSettings
) -> TextOut:
    """As `/detokenize`; the body needs no model."""
    ours = body.model_copy(update={"model": model})
    return await openai_detokenize(ours, request, gate, settings)


@router.get("/of/{model:path}/tokenizer_info", summary="One model's tokenizer")
async def openai_tokenizer_of(
    model: str, request: Request, gate: CurrentGate, settings: CurrentSettings
) -> TokenizerOut:
    """What a harness wants to know of a tokenizer."""
    asked = await _asked(gate, settings, "tokenizer", model, {}, "language")
    return TokenizerOut(**await answer(request, gate, asked, DEFAULT_WAIT))


async def _replied(
    request: Request,
    gate: Gate,
    asked: str,
    body: GenerationIn,
    prefer: str | None,
    form: views.Form[T],
) -> Response | T:
    """What was asked for, whole or as it is written."""
    created = int(time.time())
    if body.stream:
        chunks = views.Chunks(form.kind, asked, created, body.model, _with_usage(body))
        return await streamed(request, gate, asked, chunks, _wait(prefer))
    found = await answer(request, gate, asked, _wait(prefer))
    return form.whole(asked, created, body.model, found)


def _cards(db: Connection, settings: Settings) -> list[ModelCard]:
    cards = [
        ModelCard(id=name, created=0, owned_by=origin)
        for name, origin in models.at_hand(db, settings)
        if origin in {"builtin", "root"}
    ]
    found = checkpoints_at_hand(db)
    return cards + [ModelCard(id=id, created=at, owned_by="checkpoint") for id, at in found]


def _options(body: GenerationIn) -> dict[str, Any]:
    """What a worker generates by. A seed is drawn where none is given, so that another attempt
    draws the same."""
    top_k = body.top_k or 0
    return {
        "n": body.n or 1,
        "temperature": 1.0 if body.temperature is None else body.temperature,
        "top_p": body.top_p or 1.0,
        "top_k": max(top_k, 0),
        "seed": secrets.randbits(48) if body.seed is None else body.seed,
        "stop": body.stop or [],
        "stream": bool(body.stream),
    }


async def _asked(
    gate: Gate,
    settings: Settings,
    kind: str,
    model: str,
    content: dict[str, Any],
    needs: ModelKind | None = None,
) -> str:
    """The request's id, once it is stored for a worker. Raises 404 for an unknown model."""

    def store(db: Connection) -> str:
        models.require(db, settings, model, "model", needs)
        return add(db, kind, model, content)

    return await gate.run(store)


def _named(model: str | None) -> str:
    if model is None:
        raise invalid("missing", "name the model, or ask below /openai/of/{model}", "model")
    return model


def _with_usage(body: GenerationIn) -> bool:
    return body.stream_options is not None and body.stream_options.include_usage


def _wait(prefer: str | None) -> float:
    return preferred_wait(prefer) or DEFAULT_WAIT


def _written(vector: list[float], encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector
