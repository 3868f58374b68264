"""Questions put to a judge: by likelihoods of the answers where it gives them, else by its words.

An answer in words that cannot be read is asked for once more. Refused, unreadable, or not given at
all, it has no value, and a reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from inference.chat import ChatModel, Message, Reply, Request
from inference.errors import InputError
from inference.protocol import Generation
from inference.remote.hooks import OVER_BUDGET
from metrics.judging.answers import Unreadable, read
from metrics.judging.params import JudgeParams
from metrics.judging.templates import frame

Kind = Literal["unreadable", "refused", "no answer", "over budget"]
SHOWN = 4000  # characters of an answer that is told back to the judge


@dataclass(frozen=True, slots=True)
class Draw:
    """One answer: what was said, the value read, or why there is none."""

    said: str
    value: float = math.nan
    kind: Kind | None = None
    reason: str | None = None
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one question; `likelihoods` of the answers, summing to 1, where they count."""

    draws: tuple[Draw, ...]
    likelihoods: Mapping[str, float] = field(default_factory=dict)


def ask(model: ChatModel, questions: Sequence[str], params: JudgeParams) -> list[Heard]:
    """What the judge says to each question, in order.

    A question that the model cannot take, as one that is too long, has no answer; raises what the
    model does where it can take none.
    """
    try:
        return _asked(model, questions, params)
    except InputError as error:
        if len(questions) == 1:
            raise
        first = error
    found: list[Heard] = []
    for one in questions:
        try:
            found += _asked(model, [one], params)
        except InputError as error:
            draw = Draw("", kind="refused", reason=error.message[:500])
            found.append(Heard((draw,) * params.repeats))
    if all(heard.draws[0].kind == "refused" for heard in found):
        raise first
    return found


def _asked(model: ChatModel, questions: Sequence[str], params: JudgeParams) -> list[Heard]:
    found: dict[int, Heard] = {}
    if params.reads_likelihoods:
        found = _expected(model, questions, params)
    left = [at for at in range(len(questions)) if at not in found]
    if left:
        replies = _draw(model, [questions[at] for at in left], params)
        found |= dict(zip(left, replies, strict=True))
    return [found[at] for at in range(len(questions))]


def _expected(model: ChatModel, questions: Sequence[str], params: JudgeParams) -> dict[int, Heard]:
    """The expected answers, of those questions of whose answers a likelihood is known."""
    answers = params.answers
    logs = model.choices([_request(one, params) for one in questions], list(answers))
    if logs is None:
        return {}
    values = np.array(list(answers.values()))
    found = {}
    for at, row in enumerate(np.asarray(logs, np.float64)):
        known = np.isfinite(row)
        if not known.any():
            continue
        shares = np.where(known, np.exp(np.where(known, row, 0.0) - row[known].max()), 0.0)
        shares = shares / shares.sum()
        told = dict(zip(answers, shares.tolist(), strict=True))
        found[at] = Heard((Draw("", float(shares @ values)),), told)
    return found


def _draw(model: ChatModel, questions: Sequence[str], params: JudgeParams) -> list[Heard]:
    requests = [_request(one, params, params.repeats) for one in questions]
    draws = [[_read(one, params) for one in some] for some in model.reply(requests)]
    again = [
        (at, number)
        for at, some in enumerate(draws)
        for number, one in enumerate(some)
        if one.kind == "unreadable"
    ]
    if again:
        repairs = [_repair(requests[at], draws[at][number], params) for at, number in again]
        for (at, number), (reply, *_) in zip(again, model.reply(repairs), strict=True):
            second = _read(reply, params)
            if second.kind is None:
                draws[at][number] = Draw(second.said, second.value, repaired=True)
    return [Heard(tuple(some)) for some in draws]


def _read(reply: Reply, params: JudgeParams) -> Draw:
    if reply.error is not None:
        kind: Kind = "over budget" if reply.error == OVER_BUDGET else "no answer"
        return Draw(reply.text, kind=kind, reason=reply.error[:500])
    if reply.refusal is not None or reply.finish_reason == "content_filter":
        return Draw(reply.text, kind="refused", reason=(reply.refusal or "content filter")[:500])
    try:
        numbers = params.mode == "score"
        value = read(reply, params.answers, numbers=numbers, reasons=params.reasons)
    except Unreadable as error:
        cut = "; it was cut off at max_new_tokens" if reply.finish_reason == "length" else ""
        return Draw(reply.text, kind="unreadable", reason=f"{error}{cut}")
    return Draw(reply.text, value)


def _request(question: str, params: JudgeParams, count: int = 1) -> Request:
    options = Generation(
        max_new_tokens=params.max_new_tokens or (512 if params.reasons else 16),
        temperature=params.temperature,
        num_outputs=count,
        seed=params.seed,
    )
    return Request((Message("user", question),), options)


def _repair(request: Request, draw: Draw, params: JudgeParams) -> Request:
    """The conversation, gone on: what cannot be read, and what an answer looks like."""
    told = frame(params.language, "repair", reason=draw.reason, **of_ending(params))
    single = _request("", params).options
    turns = (Message("assistant", draw.said[:SHOWN] or "…"), Message("user", told))
    return Request((*request.messages, *turns), single)


def of_ending(params: JudgeParams) -> dict[str, object]:
    """What the frames' ending reads: the form of an answer."""
    low, high = params.scale
    labels = list(params.answers)
    return {
        "mode": params.mode,
        "low": low,
        "high": high,
        "labels": labels,
        "reasons": params.reasons,
    }
