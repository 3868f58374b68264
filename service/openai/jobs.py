"""openai.batch: requests of the OpenAI-compatible routes; those of one model are worked on
together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inference.batching import plan_by_length
from inference.engine import Engine, decoded, encoded, rendered
from inference.errors import InputError, ReportedError
from service.db import worker_requests
from service.db.worker_requests import Pending
from service.jobs import counters
from service.jobs.context import Context
from service.jobs.model_counters import ModelCounters
from service.openai.generating import Generating, checked, storable

MOST_REQUESTS = 64  # taken at a time
BATCH_ROWS = 128  # of embeddings in one pass
GATHER, GATHERINGS = 0.01, 5  # seconds between looks at who else has come, and the most of them


def answer_batch(context: Context, request: str) -> None:
    """Answer the request and others like it, each as soon as it is known. The transaction stays
    open meanwhile, so no other worker takes them; when this one dies, they are free again. Tried
    again, a request goes alone: one that breaks its batch breaks no other's twice."""
    usage = ModelCounters(context)
    _gather(context, request)
    with context.engine.begin() as db:
        taken = worker_requests.take(db, request, MOST_REQUESTS if context.attempt == 1 else 1)
        if not taken:
            return
        kind = taken[0].request["kind"]
        try:
            if kind == "generate":
                _generate(context, taken)
            else:
                _each(context, taken, ANSWERS[kind])
        except ReportedError as error:  # the model itself: the same for all
            for one in taken:
                refuse(context, one.id, error)
        counters.add(db, usage.spent())  # last: its rows stay locked until the commit


def answer_failed(context: Context, request: str, reason: str) -> None:
    """Tell the one who waits."""
    with context.engine.begin() as db:
        worker_requests.refuse(db, request, "generation_failed", reason)


def refuse(context: Context, request: str, error: ReportedError) -> None:
    """Answer that the request is at fault, or this machine."""
    status = 422 if isinstance(error, InputError) else 503
    with context.engine.begin() as db:
        worker_requests.refuse(
            db, request, error.code, error.message, status=status, param=error.field
        )


def _gather(context: Context, request: str) -> None:
    """Wait for those who come together, for as long as more come; one alone does not wait. Without
    it the first of many would go alone, and all others wait for its end."""
    before = 1
    for _ in range(GATHERINGS):
        with context.engine.connect() as db:
            now = worker_requests.alike(db, request)
        if now <= before:
            return
        before = now
        time.sleep(GATHER)


def _generate(context: Context, taken: Sequence[Pending]) -> None:
    work = Generating(context, _engine(context, taken))
    for one in taken:
        try:
            work.take(one)
        except InputError as error:
            refuse(context, one.id, error)
    if work.asked:
        work.run()


def _each(
    context: Context,
    taken: Sequence[Pending],
    answer: Callable[[Context, Sequence[Pending], Mapping[str, Any]], dict[str, Any]],
) -> None:
    for one in taken:
        context.advance()
        try:
            found = answer(context, taken, one.request)
        except InputError as error:
            refuse(context, one.id, error)
            continue
        with context.engine.begin() as db:
            worker_requests.answer(db, one.id, found)


def _engine(context: Context, taken: Sequence[Pending]) -> Engine:
    return context.models.engine(taken[0].request["model"])


def _embedded(
    context: Context, taken: Sequence[Pending], request: Mapping[str, Any]
) -> dict[str, Any]:
    """Unit vectors: the mean of the last layer over a text's tokens."""
    encoder = context.models.encoder(request["model"])
    rows = [
        encoder.encode([one])[0] if isinstance(one, str) else one[: encoder.max_length]
        for one in request["inputs"]
    ]
    vectors: list[list[float]] = [[] for _ in rows]
    lengths = [len(row) for row in rows]
    for batch in plan_by_length(lengths, encoder.tokens_per_pass, BATCH_ROWS):
        pooled = encoder.pooled([rows[at] for at in batch])  # (B, D)
        unit = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        for at, vector in zip(batch, unit.tolist(), strict=True):
            vectors[at] = vector
    return {"vectors": vectors, "tokens": sum(lengths)}


def _tokenized(
    context: Context, taken: Sequence[Pending], request: Mapping[str, Any]
) -> dict[str, Any]:
    engine = _engine(context, taken)
    if request["turns"] is not None:
        ids = rendered(engine, request["turns"], {})
    else:
        ids = encoded(engine, request["text"], request["special"])
    strings = engine.tokenizer.convert_ids_to_tokens(ids)
    return {"ids": ids, "strings": strings, "max_length": engine.max_length}


def _detokenized(
    context: Context, taken: Sequence[Pending], request: Mapping[str, Any]
) -> dict[str, Any]:
    engine = _engine(context, taken)
    text = decoded(engine, checked(engine, request["ids"], "tokens"))
    return {"text": storable(text)}


def _described(
    context: Context, taken: Sequence[Pending], request: Mapping[str, Any]
) -> dict[str, Any]:
    tokenizer = _engine(context, taken).tokenizer
    template = tokenizer.chat_template
    return {
        "tokenizer_class": type(tokenizer).__name__,
        "bos_token": tokenizer.bos_token,
        "eos_token": tokenizer.eos_token,
        "pad_token": tokenizer.pad_token,
        "chat_template": template.get("default") if isinstance(template, dict) else template,
    }


ANSWERS = {
    "embed": _embedded,
    "tokenize": _tokenized,
    "detokenize": _detokenized,
    "tokenizer": _described,
}
