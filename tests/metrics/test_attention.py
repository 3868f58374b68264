"""Attention: backends against each other and torch's own tables, caches counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.attention import attending, cache_size, passed
from inference.errors import InputError
from inference.pool import ModelPool
from metrics.attention import METRIC, SHORT
from metrics.core.measure import measure
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from tests.inference.tiny_mixtures import build_mixture
from tests.rounding import FORWARD
from tests.tiny_models import ENGLISH, RUSSIAN

GROUPED, LATENT = "tiny-language", "tiny-latent"
TEXTS = [RUSSIAN, ENGLISH, "巴黎是法国的首都。", "باريس", "🙂", "x", ""]


@pytest.fixture(scope="module", autouse=True)
def latent(models_root: Path, tiny_language_model: Path) -> Path:
    return build_mixture(models_root / LATENT, "deepseek_v3")


def evidence(pool: ModelPool, texts: Sequence[str], **params: Any) -> Any:
    return measure(METRIC.bind({"model": GROUPED} | params), [Item(one) for one in texts], pool)


@pytest.mark.parametrize("model", [GROUPED, LATENT])
def test_backends_tell_the_same(model_pool: ModelPool, model: str) -> None:
    language: Any = model_pool.language(model)
    ids = [language.bos_id, *language.encode([RUSSIAN])[0]]
    own = language.model.config._attn_implementation
    plain = passed(language, ids, "eager")
    expected = language.logprobs([(ids[:1], ids[1:])])[0]
    for backend in ("sdpa", "sdpa_math"):
        other = passed(language, ids, backend)
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(other.logs, expected, rtol=0, atol=FORWARD * scale)
        np.testing.assert_allclose(plain.logs, expected, rtol=0, atol=FORWARD * scale)
        assert other.seconds > 0
    assert language.model.config._attn_implementation == own


def test_flash_writes_no_table_of_scores(model_pool: ModelPool) -> None:
    """Plain attention has heads · T² float32 in memory at once, and more; flash has not."""
    language: Any = model_pool.language(GROUPED)
    ids = [language.bos_id, *language.encode([RUSSIAN * 12])[0]][: language.max_length]
    plain, flash = (passed(language, ids, one) for one in ("eager", "sdpa_flash"))
    table = language.model.config.num_attention_heads * len(ids) ** 2 * 4
    assert plain.peak > 2 * table  # the scores and their softmax
    assert flash.peak < table


def test_caches_are_counted(model_pool: ModelPool) -> None:
    """Llama: 2 layers, 2 of 4 heads of 16 keep keys and values. DeepSeek-V3: 3 layers of a latent
    of 16 and a rotated key of 4; heads of 8."""
    for model, kept, width, layers in ((GROUPED, 2 * 2 * 2 * 16, 16, 2), (LATENT, 3 * 20, 8, 3)):
        language: Any = model_pool.language(model)
        found = cache_size(language, [5, 6, 7, 8, 9], kv_heads=2)
        assert found.kept == 5 * kept * 4
        assert found.grouped == 5 * 2 * 2 * width * layers * 4
        assert found.multi_head == 2 * found.grouped
    assert cache_size(language, [5], kv_heads=99).grouped == 2 * 4 * 8 * 3 * 4


def test_scores(model_pool: ModelPool) -> None:
    samples = [Sample(str(at), (text,)) for at, text in enumerate(TEXTS)]
    (result,) = score(samples, [METRIC.bind({"model": LATENT, "kv_heads": 1})], model_pool)
    values = {one.name: one.value or 0.0 for one in result.scores}
    assert 0 < values["attention_difference"] < 1e-4
    assert values["attention_speedup"] == pytest.approx(
        values["backend_tokens_per_second"] / values["eager_tokens_per_second"]
    )
    assert values["cache_bytes_per_token"] == 240
    assert values["grouped_cache_bytes_per_token"] == 192
    assert values["multi_head_cache_bytes_per_token"] == 768
    for one in result.scores[-3:]:  # the same for every text, to the bit
        assert one.interval is None
        assert any("all 6 samples have the same value" in said for said in one.warnings)
    assert result.scores[-4].interval is not None
    assert result.missing.tolist() == [False] * 6 + [True]


def test_what_is_missing_or_refused(model_pool: ModelPool) -> None:
    found = evidence(model_pool, ["", RUSSIAN * 12], backend="eager")
    assert found["flag"].tolist() == [SHORT, 0]
    assert found["row"][1, 0] == 0
    assert found["row"][1, -2] == model_pool.language(GROUPED).max_length
    assert evidence(model_pool, [RUSSIAN], window=9)["row"][0, -2] == 9
    language: Any = model_pool.language(GROUPED)
    own = language.model.config._attn_implementation
    with pytest.raises(InputError, match="cannot attend by flash_attention_2") as refused:
        evidence(model_pool, ["x"], backend="flash_attention_2")
    assert refused.value.field == "params.backend"
    with pytest.raises(InputError, match="cannot attend by sdpa_flash"):  # heads of two widths
        evidence(model_pool, ["x"], model=LATENT, backend="sdpa_flash")
    with pytest.raises(RuntimeError, match="memory"), attending(language, "sdpa_math"):
        raise RuntimeError("out of memory")
    with pytest.raises(KeyError), attending(language, "eager"):
        raise KeyError
    assert language.model.config._attn_implementation == own
