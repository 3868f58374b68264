"""Sentence similarity: the cosine of the embeddings of output and reference.

    cos(e(output), e(reference)),   e the mean of the encoder's last layer over tokens

Conventions
    The numbers are those of sentence-transformers' `encode` and `cos_sim` with the same encoder and
    mean pooling, texts cut to the encoder's own window. Several references: the greatest cosine.
    Several outputs of a sample are averaged; the value is the mean over samples. A blank output
    scores 0, and is flagged: its embedding would be that of special tokens, and near to many texts.
    Blank references are left out; where no other is left, the sample counts as missing.
    `prefix` is put before every text: encoders of the E5 kind want "query: ". A model behind a URL
    embeds through `/embeddings`, by its own pooling. -1..1, higher is better; where the cosines of
    unrelated texts lie is the encoder's own, so values of different encoders do not compare.
    `builtin/minilm-l6` knows English: name a multilingual encoder for other languages.

Reimers, Gurevych: Sentence-BERT (EMNLP 2019).

Example
    >>> bound = METRIC.bind({"prefix": "query: "})
    >>> bound.models
    ('builtin/minilm-l6',)
    >>> bound.reduce(np.array([1.2, 2.0])).tolist()  # of two samples: cosines, count
    [0.6]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.protocol import Models
from metrics.core.embeddings import EmbeddingParams, embeddings, plan
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Score, Source
from metrics.core.rows import mean

BLANK_OUTPUT, BLANK_REFERENCE = 1, 2


class SentenceSimilarityParams(EmbeddingParams):
    """What embeds the texts, and what is put before them."""

    prefix: str = Field("", max_length=1000, description='before every text; E5: "query: "')


def measure(items: Sequence[Item], params: SentenceSimilarityParams, models: Models) -> Evidence:
    """Rows (greatest cosine, 1), zeros where nothing can be compared."""
    spoken = [[text for text in item.references if text.strip()] for item in items]
    flags = [
        BLANK_REFERENCE if not references else 0 if item.output.strip() else BLANK_OUTPUT
        for item, references in zip(items, spoken, strict=True)
    ]
    compared = [index for index, flag in enumerate(flags) if not flag]
    texts = dict.fromkeys(t for i in compared for t in (items[i].output, *spoken[i]))
    rows = np.zeros((len(items), 2))
    rows[:, 1] = np.array(flags) != BLANK_REFERENCE
    if texts:
        vectors = embeddings([params.prefix + text for text in texts], params, models)
        unit = dict(zip(texts, _unit(vectors), strict=True))  # (D,) a text
        for index in compared:
            references = np.stack([unit[text] for text in spoken[index]])  # (R, D)
            rows[index, 0] = (references @ unit[items[index].output]).max()
    return Evidence.of_rows(rows, flags)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, D) of length 1; zeros stay zeros."""
    precise = vectors.astype(np.float64)
    lengths = np.linalg.norm(precise, axis=1, keepdims=True)
    return np.asarray(precise / np.maximum(lengths, 1e-12), np.float64)


METRIC = Metric(
    name="sentence_similarity",
    version=1,
    about="Cosine of a sentence encoder's embeddings of output and reference.",
    formula="max over references of cos(e(output), e(reference))",
    avoid=(
        "Facts and polarity: a negation or a wrong number hardly moves it. Texts longer than the "
        "encoder's window are cut, and languages that it does not know all look alike."
    ),
    params=SentenceSimilarityParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(Score("sentence_similarity", True, -1.0, 1.0, "cosine with the nearest reference"),),
    interval="bootstrap_t",
    pooling="average",
    source=Source(
        paper="Reimers and Gurevych 2019, arXiv:1908.10084",
        reference="sentence-transformers 6.2.0",
    ),
    measure=measure,
    plan=plan,
    reduce=mean,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    model_kind="embedding",
    flags={
        BLANK_OUTPUT: Flag("the output is blank and scored 0", missing=False),
        BLANK_REFERENCE: Flag("every reference is blank: nothing to compare with", missing=True),
    },
    cached=True,
)
