"""Answer relevance: how near an answer is to its question, as cosine of a sentence encoder.

Conventions
    Question (the prompt) and answer are each embedded by a sentence encoder: the mean of its last
    layer over the tokens, as sentence-transformers' mean pooling; the value is their cosine. -1..1,
    higher is better; several outputs are averaged. RAGAS has a language model write questions that
    the answer would answer, and compares those with the question: no text is written here, so an
    answer that repeats the question is near to it. A text without letter or digit, in question or
    answer, is missing, not 0. Texts are cut at the encoder's positions. `question_prefix` and
    `answer_prefix` stand before the texts: multilingual-e5 wants "query: " and "passage: ", and is
    one for Russian, Chinese and Arabic; the default encoder knows English. Models differ in their
    scale, so the model is in the signature.

Es, James, Espinosa-Anke, Schockaert: RAGAS (2023), for what is to be measured; Reimers and
Gurevych: Sentence-BERT (EMNLP 2019), for how.

Example
    >>> METRIC.bind().models, METRIC.bind().needs
    (('builtin/minilm-l6',), ('output', 'prompt'))
    >>> cosines(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[4.0, 3.0], [1.0, 0.0]])).tolist()
    [0.96, nan]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.batching import plan_by_length
from inference.protocol import DType, Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import Floats, mean

NOTHING = 1  # flag
BATCH_ROWS, BATCH_BYTES = 128, 65_536


class AnswerRelevanceParams(Params):
    """The encoder, and what it is shown."""

    model: str = Field("builtin/minilm-l6", description="a sentence encoder with mean pooling")
    dtype: DType = "float32"
    question_prefix: str = Field("", max_length=1000, description='as "query: " of E5')
    answer_prefix: str = Field("", max_length=1000, description='as "passage: " of E5')


def measure(items: Sequence[Item], params: AnswerRelevanceParams, models: Models) -> Evidence:
    """Rows (cosine, 1); flagged zeros where a text says nothing."""
    questions = [params.question_prefix + (item.prompt or "") for item in items]
    answers = [params.answer_prefix + item.output for item in items]
    vectors = embedded([*questions, *answers], params, models)
    near = cosines(vectors[: len(items)], vectors[len(items) :])
    says = [_says(item.prompt or "") and _says(item.output) for item in items]
    read = np.isfinite(near) & np.array(says, np.bool_)
    rows = np.stack([np.where(read, near, 0.0), read], axis=1)  # (N, 2)
    return Evidence.of_rows(rows, [0 if one else NOTHING for one in read])


def embedded(texts: Sequence[str], params: AnswerRelevanceParams, models: Models) -> Floats:
    """(len(texts), width) vectors; equal texts are read once, in batches of like length."""
    encoder = models.encoder(params.model, params.dtype)
    distinct = list(dict.fromkeys(texts))
    ids = encoder.encode(distinct)
    found: dict[str, Floats] = {}
    lengths = [len(one) for one in ids]
    for batch in plan_by_length(lengths, encoder.tokens_per_pass, BATCH_ROWS):
        vectors = encoder.pooled([ids[index] for index in batch]).astype(np.float64)
        found |= {distinct[index]: vector for index, vector in zip(batch, vectors, strict=True)}
    return np.stack([found[text] for text in texts])


def cosines(a: Floats, b: Floats) -> Floats:
    """(n,) of (n, width) and (n, width); NaN where one is all zeros."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    dots = (a * b).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(lengths > 0, np.clip(dots / lengths, -1, 1), np.nan)


def plan(items: Sequence[Item], params: AnswerRelevanceParams, models: Models) -> list[list[int]]:
    """By bytes, so that a plan needs no tokenizer and stored evidence loads no model."""
    sizes = [len((item.prompt or "").encode()) + len(item.output.encode()) for item in items]
    return plan_by_length(sizes, BATCH_BYTES, BATCH_ROWS)


def _says(text: str) -> bool:
    return any(map(str.isalnum, text))


METRIC = Metric(
    name="answer_relevance",
    version=1,
    about="How near the answer is to its question: the cosine of a sentence encoder.",
    formula="cos(e(question), e(answer))",
    avoid=(
        "Whether an answer is right: a wrong one is as near. Answers that repeat the question; "
        "prompts that hold the contexts, which then count as the question."
    ),
    params=AnswerRelevanceParams,
    reads=("output", "prompt"),
    needs=("output", "prompt"),
    scores=(Score("answer_relevance", True, -1.0, 1.0, "mean cosine of question and answer"),),
    interval="bootstrap_t",
    pooling="average",
    source=Source(
        "Es et al. 2023, arXiv:2309.15217; Reimers and Gurevych 2019, arXiv:1908.10084",
        "sentence-transformers 6.2.0 with mean pooling, within 1e-5",
    ),
    measure=measure,
    reduce=mean,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    model_kind="encoder",
    flags={NOTHING: Flag("question or answer has no letter or digit", missing=True)},
    plan=plan,
    cached=True,
)
