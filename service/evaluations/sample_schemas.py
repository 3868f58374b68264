"""Samples as they are shown: outputs, how they came about, what they took."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class StepOut(BaseModel):
    """One step of react; the last has no action."""

    thought: str
    action: str | None = None
    input: str | None = None
    observation: str | None = None


class DrawOut(BaseModel):
    """One draw of self_consistency, and its answer."""

    raw: str
    answer: str | None = None
    failed: str | None = None


class TraceOut(BaseModel):
    """How a protocol came to an output: `raw` is what the model wrote, `failed` why nothing of it
    is an answer, `reasoning` what it thought apart."""

    raw: str
    failed: str | None = None
    reasoning: str | None = None
    steps: list[StepOut] = Field(default_factory=list)
    draws: list[DrawOut] = Field(default_factory=list)


class DetailsOut(BaseModel):
    """What making an output took; what is not known is null. `refusal` or `error` say why there is
    none."""

    finish_reason: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None
    cost: float | None = None
    model: str | None = None  # the server's own name of it
    fingerprint: str | None = None
    error: str | None = None
    over_budget: bool = False  # it was not asked for
    cached: bool = False  # kept from an earlier request
    requests: int = 1


class VerdictOut(BaseModel):
    """What a metric found of a sentence, an instruction, a question or a program's test, and what
    speaks for it."""

    text: str
    verdict: str = Field(description="a word of the metric's: supported, followed, passed")
    source: str | None = None
    expected: str | None = Field(None, description="of a question, the answer it was asked for")
    found: str | None = Field(None, description="of a question, the answer; null where none is")
    values: dict[str, float] = Field(default_factory=dict, description="numbers behind it")


class VerdictsOut(BaseModel):
    """A metric's verdicts on the parts of each of a sample's outputs."""

    metric: str
    position: int
    outputs: list[list[VerdictOut]]


class SampleOut(BaseModel):
    """A sample with its value under each score; null where it has none. With a protocol, `outputs`
    are the answers, and `traces` say how each came about."""

    id: str
    prompt: str | None
    messages: list[dict[str, str]] | None = None  # where the record has them for a prompt
    outputs: list[str]
    traces: list[TraceOut] | None = None
    details: list[DetailsOut] | None = None  # of each output; null where outputs were given
    references: list[str]
    metadata: dict[str, Any]
    scores: dict[str, float | None]
    verdicts: list[VerdictsOut] = Field(
        default_factory=list,
        description="of metrics that look at sentences, instructions or tests of programs",
    )
