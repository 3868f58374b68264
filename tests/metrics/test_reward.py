"""Rewards against transformers called by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from inference.names import locate
from inference.pool import ModelPool
from metrics.core.measure import items_of, measure
from metrics.core.metric import Item, Sample
from metrics.core.reward_models import CUT, NOTHING
from metrics.reward import METRIC
from tests.conftest import MINILM
from tests.rounding import assert_same
from tests.tiny_models import ENGLISH, RUSSIAN, build_reward_model

ITEMS = [
    Item("Paris.", prompt="What is the capital of France?"),
    Item("Москва — столица России.", prompt="Какой город столица России?"),
    Item(ENGLISH[:90], prompt="日本語 🙂"),
    Item("An answer without a question."),
    Item("", prompt="An empty answer?"),
    Item("ends as the template pads: <|end|>", prompt="?"),
]


def rewards(pool: ModelPool, items: Sequence[Item], **params: Any) -> Any:
    return measure(METRIC.bind(params), items, pool)["row"]


def by_hand(folder: Path, items: Sequence[Item]) -> list[float]:
    """One text at a time, as transformers' documentation does it."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    found = []
    for item in items:
        turns = [{"role": "user", "content": item.prompt}] if item.prompt is not None else []
        turns.append({"role": "assistant", "content": item.output})
        ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=False)
        with torch.no_grad():
            found.append(float(model(ids).logits[0, 0]))
    return found


def test_equals_transformers_by_hand(model_pool: ModelPool, tiny_reward_model: Path) -> None:
    rows = rewards(model_pool, ITEMS, model=tiny_reward_model.name)
    assert_same(rows[:, 0], by_hand(tiny_reward_model, ITEMS))
    assert rows[:, 1].tolist() == [1.0] * len(ITEMS)
    assert np.ptp(rows[:, 0]) > 0.5


@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_the_last_real_token_is_pooled_without_a_pad_token(
    padding_side: str, models_root: Path, model_pool: ModelPool
) -> None:
    """Configuration without a pad token (transformers refuses the batch), pad = end for texts."""
    folder = build_reward_model(models_root / f"no-pad-{padding_side}", 2, pad_token_id=None)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"padding_side": padding_side, "pad_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    items = [*ITEMS, Item("x<|end|>"), Item("y<|pad|>")]
    rows = rewards(model_pool, items, model=folder.name)
    assert_same(rows[:, 0], by_hand(folder, items))


def test_without_a_template_prompt_and_output_are_joined(
    models_root: Path, model_pool: ModelPool
) -> None:
    folder = build_reward_model(models_root / "bare-reward", template=None)
    items = [Item("Paris.", prompt="Capital? "), Item("Capital? Paris.")]
    joined = rewards(model_pool, items, model=folder.name)[:, 0]
    assert_same(joined[0], joined[1])
    with pytest.raises(InputError, match="no chat template"):
        rewards(model_pool, items, model=folder.name, chat=True)
    empty = measure(METRIC.bind({"model": folder.name}), [Item(""), *items], model_pool)
    assert empty["flag"].tolist() == [NOTHING, 0, 0]
    assert empty["row"][0].tolist() == [0.0, 0.0]


def test_chat_may_be_switched_off(model_pool: ModelPool, tiny_reward_model: Path) -> None:
    on = rewards(model_pool, ITEMS, model="tiny-reward")
    off = rewards(model_pool, ITEMS[:4], model="tiny-reward", chat=False)
    assert np.abs(on[:4, 0] - off[:, 0]).max() > 1e-3


def test_what_is_too_long_loses_its_beginning(
    model_pool: ModelPool, tiny_reward_model: Path
) -> None:
    items = [Item("end", prompt=RUSSIAN * 12), Item("end", prompt="x" + RUSSIAN * 12), Item("a")]
    found = measure(METRIC.bind({"model": "tiny-reward"}), items, model_pool)
    assert found["flag"].tolist() == [CUT, CUT, 0]
    assert_same(found["row"][0, 0], found["row"][1, 0])
    short = measure(METRIC.bind({"model": "tiny-reward", "max_length": 8}), items, model_pool)
    assert short["flag"].tolist() == [CUT, CUT, CUT]
    with pytest.raises(InputError, match="256 positions") as error:
        rewards(model_pool, items, model="tiny-reward", max_length=257)
    assert error.value.field == "params.max_length"


def test_encoders_see_a_pair_of_segments(models_root: Path, model_pool: ModelPool) -> None:
    """A BERT with one output: [CLS] prompt [SEP] output [SEP], judged at [CLS]."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(locate(MINILM).folder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        num_labels=1,  # type: ignore[call-arg]
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    network = BertForSequenceClassification(config).eval()
    folder = models_root / "bert-reward"
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    items = [Item("Paris.", prompt="Capital of France?"), Item("Rome is it. " * 9, prompt="It?")]
    rows = rewards(model_pool, items, model="bert-reward")[:, 0]
    with torch.no_grad():
        whole = tokenizer("Capital of France?", "Paris.", return_tensors="pt")
        long = tokenizer("It?", "Rome is it. " * 9)["input_ids"]
        ids = torch.tensor([long[:1] + long[-23:]])
        want = [float(network(one).logits[0, 0]) for one in (whole["input_ids"], ids)]
    assert_same(rows, want)


def test_a_template_that_wants_a_prompt_says_so(models_root: Path, model_pool: ModelPool) -> None:
    strict = "{{ raise_exception('user first') if messages[0]['role'] != 'user' }}" + "x"
    build_reward_model(models_root / "strict-reward", template=strict)
    with pytest.raises(InputError, match="user first") as error:
        rewards(model_pool, ITEMS, model="strict-reward")
    assert error.value.field == "samples.prompt"


def test_outputs_of_a_sample_are_averaged(model_pool: ModelPool, tiny_reward_model: Path) -> None:
    metric = METRIC.bind({"model": "tiny-reward"})
    samples = [Sample("1", ("a b", "c"), prompt="?"), Sample("2", ("d",), prompt="?")]
    items, unit = items_of(samples)
    evidence = measure(metric, items, model_pool)
    rows = metric.settle(evidence, unit).rows
    a, b, c = evidence["row"][:, 0]
    np.testing.assert_allclose(metric.per_sample(rows)[:, 0], [(a + b) / 2, c])
    np.testing.assert_allclose(metric.reduce(rows.sum(0)), [((a + b) / 2 + c) / 2])


def test_bfloat16_stays_close(model_pool: ModelPool, tiny_reward_model: Path) -> None:
    exact = rewards(model_pool, ITEMS, model="tiny-reward")[:, 0]
    rough = rewards(model_pool, ITEMS, model="tiny-reward", dtype="bfloat16")[:, 0]
    assert 0 < np.abs(exact - rough).max() < 0.05 * np.abs(exact).max()


def test_the_model_must_be_named(model_pool: ModelPool, models_root: Path) -> None:
    with pytest.raises(InputError) as error:
        METRIC.bind()
    assert error.value.field == "params.model"
    build_reward_model(models_root / "three-labels", num_labels=3)
    with pytest.raises(InputError, match="3 outputs; a reward model has one"):
        rewards(model_pool, ITEMS, model="three-labels")
