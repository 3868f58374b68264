"""Compression: decoded again to the byte; ideal bits are perplexity's, sizes the packages' own."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from inference.coder import compress, expand
from inference.errors import InputError
from inference.pool import ModelPool
from metrics.compression import EMPTY, LONG, LOST, METRIC, UNSPELLED
from metrics.core.measure import measure
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from metrics.perplexity import METRIC as PERPLEXITY
from tests.conftest import SMOLLM2
from tests.rounding import FORWARD
from tests.tiny_models import ENGLISH, RUSSIAN

TINY = "tiny-language"
TEXTS = [
    *(ENGLISH, RUSSIAN, "Paris.", "巴黎是法国的首都。", "عاصمة فرنسا هي باريس", "🙂👩‍👩‍👧 e\u0301"),
    *("x", " a  b\r\n\t", "\x00<|end|>", ENGLISH * 3),
]

pytestmark = pytest.mark.usefixtures("tiny_language_model")


def evidence(pool: ModelPool, texts: Sequence[str], **params: Any) -> Any:
    given = {"model": TINY, "window": 64} | params
    return measure(METRIC.bind(given), [Item(text) for text in texts], pool)


def test_codes_are_decoded_from_their_bytes_alone(model_pool: ModelPool) -> None:
    model: Any = model_pool.language(TINY)
    tokens = model.encode(TEXTS)
    for window in (1, 7, 256):
        codes, ideal = compress(model, tokens, window, model.bos_id)
        assert expand(model, codes, window, model.bos_id) == tokens
        assert [model.spell(one) for one in tokens] == TEXTS
        windows = np.array([-(-len(one) // window) for one in tokens])
        bits = np.array([8 * len(code) for code in codes])
        # a word too much and its share of the header each, and 2 ** -24 of doubt a token of 600
        assert (bits >= ideal).all()
        assert (bits <= ideal * (1 + 1e-3) + windows * (64 + 16) + 16).all()
    assert not np.array_equal(codes[0], codes[1])


def test_another_model_decodes_something_else(model_pool: ModelPool, models_root: Path) -> None:
    from tests.tiny_models import build_language_model

    build_language_model(models_root / "tiny-coder", seed=9)
    model: Any = model_pool.language(TINY)
    other: Any = model_pool.language("tiny-coder")
    tokens = model.encode([ENGLISH])
    codes, _ = compress(model, tokens, 256, model.bos_id)
    assert expand(other, codes, 256, model.bos_id) != tokens


def test_ideal_bits_are_perplexity_s(model_pool: ModelPool) -> None:
    items = [Item(text) for text in TEXTS]
    ours = measure(METRIC.bind({"model": TINY, "window": 256}), items, model_pool)
    theirs = measure(PERPLEXITY.bind({"model": TINY}), items, model_pool)["row"]
    rows = np.asarray(ours["row"], np.float64)
    short = np.asarray(theirs[:, 1], np.float64) <= 256  # tokens: the whole text is one window
    assert short.sum() >= len(TEXTS) - 1
    np.testing.assert_allclose(rows[short, 1], theirs[short, 0] / np.log(2), rtol=FORWARD)
    assert rows[:, 2].tolist() == theirs[:, 2].tolist()
    assert not ours["flag"].any()


def test_sizes_of_the_others_are_the_packages(model_pool: ModelPool) -> None:
    texts = [*TEXTS, RUSSIAN * 50]
    rows = evidence(model_pool, texts, decode=False)["row"]
    for text, row in zip(texts, rows, strict=True):
        data = text.encode()
        best = 9 | lzma.PRESET_EXTREME
        assert row[3] == 8 * len(zlib.compress(data, 9))
        assert row[4] == 8 * len(lzma.compress(data, preset=best))
        assert row[5] == 8 * len(zstandard.ZstdCompressor(level=19).compress(data))


def test_scores_by_hand(model_pool: ModelPool) -> None:
    bound = METRIC.bind({"model": TINY, "window": 64})
    samples = [Sample("1", (ENGLISH, "x")), Sample("2", (RUSSIAN,)), Sample("3", ("",))]
    (result,) = score(samples, [bound], model_pool)
    rows = np.asarray(evidence(model_pool, [ENGLISH, "x", RUSSIAN])["row"], np.float64).sum(0)
    size = len(ENGLISH.encode()) + 1 + len(RUSSIAN.encode())
    values = {one.name: one.value for one in result.scores}
    assert rows[2] == size
    assert values["coded_bits_per_byte"] == pytest.approx(rows[0] / size)
    assert values["compression_ratio"] == pytest.approx(8 / rows[0] * size)
    assert values["coding_overhead"] == pytest.approx(rows[0] / rows[1] - 1)
    assert values["zlib_bits_per_byte"] == pytest.approx(rows[3] / size)
    assert result.missing.tolist() == [False, False, True]


def test_what_is_missing(model_pool: ModelPool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert evidence(model_pool, ["", "x"])["flag"].tolist() == [EMPTY, 0]
    assert evidence(model_pool, ["Рим", "Roma"], max_bytes=5)["flag"].tolist() == [LONG, 0]
    model: Any = model_pool.language(TINY)
    with monkeypatch.context() as patch:  # a tokenizer that forgets letters' case
        patch.setattr(model, "spell", lambda ids: type(model).spell(model, ids).lower())
        assert evidence(model_pool, ["Paris", "paris"])["flag"].tolist() == [UNSPELLED, 0]
    with monkeypatch.context() as patch:  # a decoder that took other steps
        patch.setattr("inference.coder.expand", lambda _, codes, *__: [[5]] * len(codes))
        assert evidence(model_pool, ["Paris"])["flag"].tolist() == [LOST]
    assert not METRIC.flags[LOST].lasting
    assert all(METRIC.flags[code].missing for code in (EMPTY, UNSPELLED, LOST))
    with pytest.raises(InputError, match="256 positions"):
        evidence(model_pool, ["x"], window=257)


def test_references_count_once(model_pool: ModelPool) -> None:
    given = {"model": TINY, "window": 64, "text": "reference", "decode": False}
    one = Sample("1", ("a",), (ENGLISH, "Рим"))
    many = Sample("1", ("a", "b"), (ENGLISH, "Рим"))
    values = [
        [got.value for got in score([sample], [METRIC.bind(given)], model_pool)[0].scores]
        for sample in (one, many)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    assert METRIC.bind(given).needs == ("references",)


@pytest.mark.slow
def test_a_language_model_compresses_what_the_others_cannot(model_pool: ModelPool) -> None:
    """SmolLM2 knows English: a third of what zlib, xz and zstd make of a sentence."""
    text = ENGLISH[ENGLISH.index("Paris") :]
    (result,) = score([Sample("1", (text,))], [METRIC.bind({"model": SMOLLM2})], model_pool)
    values = {one.name: one.value or 0.0 for one in result.scores}
    assert values["coded_bits_per_byte"] < values["zlib_bits_per_byte"] / 3
    assert values["coded_bits_per_byte"] < values["zstd_bits_per_byte"] / 3
    spare = (values["coded_bits_per_byte"] - values["ideal_bits_per_byte"]) * len(text)
    assert 0 < spare < 8 + 64 + 1  # a byte of length, a word and what had not filled one
