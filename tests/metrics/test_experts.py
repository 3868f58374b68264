"""Experts: loads against the routers' own choices by hand, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.statistics_of_sources import p_values
from benchmarks.statistics_sources import WHOLE
from inference.errors import InputError
from inference.pool import ModelPool
from metrics.core.measure import measure
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from metrics.experts import EMPTY, METRIC, ExpertsParams, reduce
from tests.inference.tiny_mixtures import OWN, build_mixture
from tests.tiny_models import ENGLISH, RUSSIAN

TEXTS = [ENGLISH, RUSSIAN, "巴黎是法国的首都。", "باريس", "🙂", "x", ""]
LAYERS = {"mixtral": 3, "qwen3_moe": 3, "deepseek_v3": 2}


@pytest.fixture(scope="module", params=OWN)
def mixture(request: pytest.FixtureRequest, models_root: Path) -> str:
    build_mixture(models_root / f"tiny-{request.param}", request.param)
    return str(request.param)


def evidence(pool: ModelPool, kind: str, texts: Sequence[str], **params: Any) -> Any:
    given = {"model": f"tiny-{kind}"} | params
    return measure(METRIC.bind(given), [Item(text) for text in texts], pool)


def by_hand(pool: ModelPool, kind: str, text: str) -> Any:
    """(L, E) from one text alone, by what its gates return."""
    import torch

    language: Any = pool.language(f"tiny-{kind}")
    (ids,) = language.encode([text])
    chosen: list[Any] = []
    gates = [one for name, one in language.model.named_modules() if name.endswith("mlp.gate")]
    hooks = [
        gate.register_forward_hook(lambda *given: chosen.append(given[2][2])) for gate in gates
    ]
    with torch.inference_mode():
        language.model(torch.tensor([[language.bos_id, *ids]]))
    for hook in hooks:
        hook.remove()
    experts = gates[0].weight.shape[0]
    return np.stack([np.bincount(one[1:].ravel(), minlength=experts) for one in chosen])


def test_loads_are_the_gates_choices(model_pool: ModelPool, mixture: str) -> None:
    found = evidence(model_pool, mixture, TEXTS)
    assert found["flag"].tolist() == [0] * 6 + [EMPTY]
    for text, row in zip(TEXTS[:-1], found["row"], strict=False):
        want = by_hand(model_pool, mixture, text)
        assert len(want) == LAYERS[mixture]
        assert row[:-4].tolist() == want.ravel().tolist()
        share = want.sum(1, keepdims=True) / want.shape[1] * 1.25
        assert row[-4:].tolist() == [
            np.maximum(want - np.ceil(share), 0).sum(),
            want.sum(),
            len(want),
            1,
        ]
        tokens = len(model_pool.language(f"tiny-{mixture}").encode([text])[0])
        assert want.sum() == tokens * len(want) * OWN[mixture]["num_experts_per_tok"]
    assert not found["row"][-1].any()


def test_values_by_hand() -> None:
    """Loads 30, 10 and 20, 20: entropies H(3/4) and 1; of 80 choices five were dropped."""
    params = ExpertsParams(model="x", layers=(1, 0))
    found = reduce(np.array([30.0, 10, 20, 20, 5, 80, 3 * 2, 3]), params)
    quarter = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    want = [(quarter + 1) / 2, 1.25, 0, 0.0625, 1, 1, quarter, 1.5]
    np.testing.assert_allclose(found, want, rtol=1e-12)
    one = reduce(np.array([8.0, 0, 0, 0, 5, 8, 1, 1]), ExpertsParams(model="x"))
    np.testing.assert_allclose(one, [0, 4, 0.75, 0.625])
    assert np.isnan(reduce(np.zeros((2, 8)), params)).all()


def test_scores_and_their_intervals(model_pool: ModelPool, mixture: str) -> None:
    samples = [Sample(str(at), (text,)) for at, text in enumerate(TEXTS)]
    bound = METRIC.bind({"model": f"tiny-{mixture}", "layers": [1]})
    (result,) = score(samples, [bound], model_pool)
    loads = np.sum([by_hand(model_pool, mixture, text) for text in TEXTS[:-1]], 0)
    values = {one.name: one for one in result.scores}
    imbalance = loads.max(1) / loads.mean(1)
    assert values["expert_imbalance"].value == pytest.approx(imbalance.mean())
    assert values["expert_imbalance_1"].value == pytest.approx(imbalance[1])
    assert values["experts_unused"].value == pytest.approx((loads == 0).mean())
    assert 0 < (values["expert_entropy"].value or 0) < 1
    assert result.missing.tolist() == [False] * 6 + [True]
    assert all(one.interval is not None for one in result.scores)


def test_long_texts_are_read_in_pieces(model_pool: ModelPool, mixture: str) -> None:
    row = evidence(model_pool, mixture, [RUSSIAN * 12], window=33)["row"][0]
    language = model_pool.language(f"tiny-{mixture}")
    tokens = len(language.encode([RUSSIAN * 12])[0])
    assert tokens > language.max_length
    assert row[-3] == tokens * LAYERS[mixture] * OWN[mixture]["num_experts_per_tok"]


@pytest.mark.usefixtures("tiny_language_model")
def test_what_has_no_experts_is_refused(model_pool: ModelPool, models_root: Path) -> None:
    with pytest.raises(InputError, match="no mixture of experts"):
        evidence(model_pool, "language", ["x"])
    build_mixture(models_root / "tiny-mixtral", "mixtral")
    with pytest.raises(InputError, match="3 layers with experts"):
        evidence(model_pool, "mixtral", ["x"], layers=[3])


def test_two_models_are_told_apart_as_often_as_said() -> None:
    """Simulated at length in docs/statistics.md; by the jackknife 9 to 14% of equal models."""
    (source,) = (one for one in WHOLE if one.name == "experts")
    draw = np.random.default_rng(0)
    found = np.array([p_values(source, *source.draw(draw, 50), seed) for seed in range(100)])
    assert (found <= 0.05).mean(0).max() <= 0.115  # three standard errors above 5%


def test_experts_are_matched_by_their_loads() -> None:
    bound = METRIC.bind({"model": "any", "layers": (1,)})
    assert [bound.score_names[at] for at in bound.exchanged] == [
        "expert_entropy",
        "expert_imbalance",
        "experts_unused",
        "expert_entropy_1",
        "expert_imbalance_1",
    ]
    rows = np.array([[5.0, 7, 0, 1, 2, 9, 3, 24, 2, 1], [1.0, 3, 2, 0, 5, 1, 0, 12, 2, 1]])
    # two layers of three: sums 6, 10, 2 and 1, 7, 10
    turned_round = rows[:, [1, 0, 2, 3, 4, 5, 6, 7, 8, 9]]
    first, second = bound.exchange_orders(rows, turned_round)
    assert first.tolist() == [1, 0, 2, 5, 4, 3, 6, 7, 8, 9]
    assert second.tolist() == [0, 1, 2, 5, 4, 3, 6, 7, 8, 9]
    turned = bound.reduce(rows[:, first].sum(0))
    np.testing.assert_allclose(turned[:4], bound.reduce(rows.sum(0))[:4], rtol=1e-12)
