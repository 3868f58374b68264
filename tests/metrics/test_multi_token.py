"""Multi-token prediction against what transformers drafts and accepts itself, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from inference.pool import ModelPool
from metrics.core.measure import measure
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from metrics.multi_token import METRIC, SHORT
from metrics.perplexity import METRIC as PERPLEXITY
from tests.inference.tiny_mixtures import add_multi_token, build_mixture
from tests.rounding import FORWARD
from tests.tiny_models import ENGLISH, RUSSIAN

MODEL, DEPTH = "tiny-ahead", 2
TEXTS = [ENGLISH, RUSSIAN, "巴黎是法国的首都。", "عاصمة فرنسا", "🙂", "x", ""]


@pytest.fixture(scope="module", autouse=True)
def ahead(models_root: Path) -> Path:
    """A DeepSeek-V3 with two modules, their weights in its checkpoint."""
    folder = models_root / MODEL
    return add_multi_token(build_mixture(folder, "deepseek_v3", num_nextn_predict_layers=DEPTH))


def evidence(pool: ModelPool, texts: Sequence[str], **params: Any) -> Any:
    given = {"model": MODEL, "depth": DEPTH} | params
    return measure(METRIC.bind(given), [Item(text) for text in texts], pool)


def drafted(pool: ModelPool, ids: list[int]) -> tuple[Any, list[Any]]:
    """(T, V) the model's own logits, and those of each draft (DEPTH, V) after each prefix, as
    `generate(use_mtp=True)` asks for them: a pass of the modules with a cache for each prefix."""
    import torch
    from transformers.cache_utils import MtpCache

    language: Any = pool.language(MODEL)
    measure(METRIC.bind({"model": MODEL}), [Item("xyz")], pool)  # loads the modules
    model, modules = language.model, language.drafting
    with torch.inference_mode():
        out = model(torch.tensor([ids]), output_hidden_states=True)
        drafts: list[Any] = []
        for seen in range(1, len(ids)):
            given = torch.tensor([ids[1 : seen + 1]])
            places = torch.arange(1, seen + 1)[None]
            cache = MtpCache(config=model.config.get_mtp_config())
            states = out.hidden_states[-1][:, :seen]
            found = []
            for layer in range(DEPTH):  # the text's own tokens instead of its drafts
                states = modules.forward_layer(layer, states, places, cache, input_ids=given)
                found.append(model.lm_head(states)[0, -1].numpy())
                after = ids[seen + layer + 1] if seen + layer + 1 < len(ids) else 0
                given = torch.cat([given[:, 1:], torch.tensor([[after]])], -1)
                places = places + 1
            drafts.append(np.stack(found))
    return out.logits[0].numpy(), drafts


def softmax(logits: Any) -> Any:
    found = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return found / found.sum(-1, keepdims=True)


def test_sums_are_those_of_transformers_own_drafts(model_pool: ModelPool) -> None:
    """Every prefix by itself, with the caches of generation, against one pass over the text."""
    texts = [ENGLISH[:90], RUSSIAN[:90], *TEXTS[2:5]]
    found = evidence(model_pool, texts)
    language: Any = model_pool.language(MODEL)
    for text, row in zip(texts, found["row"].reshape(-1, DEPTH + 1, 5), strict=True):
        ids = [language.bos_id, *language.encode([text])[0]]
        own, drafts = drafted(model_pool, ids)
        want, right = np.zeros((DEPTH + 1, 5)), np.ones(len(ids), bool)
        for k in range(DEPTH + 1):
            for at in range(len(ids) - 1 - k):  # predicts ids[at + k + 1]
                p = softmax(own[at + k])
                q = p if k == 0 else softmax(drafts[at][k - 1])
                right[at] &= p.argmax() == q.argmax()
                target = ids[at + k + 1]
                same = p.argmax() == q.argmax()
                want[k] += (-np.log(q[target]), 1, same, np.minimum(p, q).sum(), right[at])
        np.testing.assert_allclose(row, want, rtol=4 * FORWARD, atol=1e-4)
        assert 0 < row[1, 3] < row[1, 1]


def test_the_model_s_own_perplexity_is_the_plain_one(model_pool: ModelPool) -> None:
    samples = [Sample(str(at), (text,)) for at, text in enumerate(TEXTS)]
    (result,) = score(samples, [METRIC.bind({"model": MODEL})], model_pool)
    (plain,) = score(samples[:5], [PERPLEXITY.bind({"model": MODEL})], model_pool)
    values = {one.name: one.value for one in result.scores}
    assert values["perplexity_ahead_1"] == pytest.approx(plain.scores[0].value, rel=FORWARD)
    assert result.missing.tolist() == [False] * 5 + [True] * 2  # one token, and none


def test_values_by_hand() -> None:
    """Two modules: of 20, 19 and 18 places; drafts right at 10 and 9, both at 6."""
    sums = np.array(
        [
            *(20 * np.log(4), 20, 20, 20, 20),
            *(19 * np.log(8), 19, 9.5, 7.6, 9.5),
            *(18 * np.log(16), 18, 9, 3.6, 4.5),
        ]
    )
    bound = METRIC.bind({"model": "x", "depth": 2})
    want = [4, 8, 16, 0.5, 0.4, 0.5, 0.2, 1.75]
    np.testing.assert_allclose(bound.reduce(sums), want, rtol=1e-12)
    assert len(bound.scores) == len(want)
    assert bound.score_names[-1] == "tokens_per_pass"


def test_generation_accepts_the_drafts_that_were_foretold(model_pool: ModelPool) -> None:
    """Of its own greedy answer: passes of `generate(use_mtp=True)`, counted, are those of a walk
    that goes on by as many tokens as drafts are right, and one."""
    import torch

    language: Any = model_pool.language(MODEL)
    model, calls = language.model, 0
    prompt = [language.bos_id, *language.encode(["Paris is"])[0]]
    given = {"max_new_tokens": 60, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    plain = model.generate(torch.tensor([prompt]), **given)[0].tolist()

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    hook = model.model.register_forward_hook(count)
    fast = model.generate(torch.tensor([prompt]), use_mtp=True, **given)[0].tolist()
    hook.remove()
    assert fast == plain
    own, drafts = drafted(model_pool, plain)
    last, passes = len(prompt), 1  # the newest token, which the prompt's pass has told
    while last < len(plain) - 1:
        right = [
            last + k + 1 < len(plain) and drafts[last - 1][k].argmax() == own[last + k].argmax()
            for k in range(DEPTH)
        ]
        last += 1 + (right.index(False) if False in right else DEPTH)
        passes += 1
    assert abs(calls - passes) <= 1  # generation drafts less before its end
    assert passes < 60


def test_pieces_and_short_texts(model_pool: ModelPool) -> None:
    found = evidence(model_pool, ["x", RUSSIAN * 12], window=20)
    assert found["flag"].tolist() == [SHORT, 0]
    tokens = len(model_pool.language(MODEL).encode([RUSSIAN * 12])[0])
    pieces = -(-tokens // 19)
    assert found["row"][1, 1::5].tolist() == [tokens, tokens - pieces, tokens - 2 * pieces]


@pytest.mark.usefixtures("tiny_language_model")
def test_what_does_not_look_ahead_is_refused(model_pool: ModelPool, models_root: Path) -> None:
    with pytest.raises(InputError, match="2 modules"):
        evidence(model_pool, ["x"], depth=3)
    with pytest.raises(InputError, match="0 modules"):
        evidence(model_pool, ["x"], model="tiny-language")
    build_mixture(models_root / "tiny-without", "deepseek_v3", num_nextn_predict_layers=1)
    with pytest.raises(InputError, match="cannot load what"):
        evidence(model_pool, ["x"], model="tiny-without", depth=1)
