"""LoRA adapters as models: the base is found by name, the numbers are peft's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError, UnknownModel
from inference.names import locate
from inference.pool import ModelPool
from tests.rounding import assert_same

TARGETS = ["q_proj", "v_proj", "down_proj"]
IDS = [1, 40, 41, 300, 77, 5]


def adapt(base: Any, folder: Path, base_name: str, task: str, seed: int = 0) -> Any:
    """A random adapter upon `base`, saved with its tokenizer and origin; the peft model."""
    import torch
    from peft import LoraConfig, get_peft_model

    from tests.tiny_models import build_tokenizer

    torch.manual_seed(seed)
    config = LoraConfig(r=4, task_type=task, target_modules=TARGETS, init_lora_weights=False)
    model = get_peft_model(base, config).eval()
    model.save_pretrained(str(folder))
    build_tokenizer().save_pretrained(folder)
    classifies = task == "SEQ_CLS"
    origin = {
        "base": base_name,
        "produces": "classifier" if classifies else "language",
        "config": {"num_labels": 1, "pad_token_id": 0} if classifies else {},
    }
    (folder / "assay.json").write_text(json.dumps(origin))
    return model


@pytest.fixture
def pool(models_root: Path, tmp_path: Path) -> ModelPool:
    return ModelPool([models_root, tmp_path], tmp_path / "cache")


def next_logprobs(model: Any) -> np.ndarray[Any, Any]:
    """Of each of IDS but the first, after those before it."""
    import torch

    with torch.no_grad():
        found = model(torch.tensor([IDS])).logits[0].log_softmax(-1)
    return np.array([float(found[at, token]) for at, token in enumerate(IDS[1:])])


def test_an_adapted_language_model_gives_pefts_numbers(
    pool: ModelPool, tiny_language_model: Path, tmp_path: Path
) -> None:
    """And one adapter upon another."""
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_language_model)
    one = adapt(base, tmp_path / "one", "tiny-language", "CAUSAL_LM")
    loaded = pool.language("one")
    (found,) = loaded.logprobs([(IDS[:1], IDS[1:])])
    assert_same(found, next_logprobs(one))
    (before,) = pool.language("tiny-language").logprobs([(IDS[:1], IDS[1:])])
    assert np.abs(found - before).max() > 0.01

    two = adapt(one.merge_and_unload(), tmp_path / "two", "one", "CAUSAL_LM", seed=5)
    (found,) = pool.language("two").logprobs([(IDS[:1], IDS[1:])])
    assert_same(found, next_logprobs(two))
    assert [folder.name for folder in pool.files("two")] == ["tiny-language", "one", "two"]

    states = pool.encoder("one").hidden([IDS], 2)[0]
    import torch

    with torch.no_grad():
        plain = loaded.model.model(torch.tensor([IDS])).last_hidden_state[0]  # type: ignore[attr-defined]
    assert_same(states, plain)


def test_an_adapted_classifier_gives_pefts_numbers(
    pool: ModelPool, tiny_language_model: Path, tmp_path: Path
) -> None:
    """Its head comes with the adapter: the base is a language model."""
    import torch
    from transformers import AutoModelForSequenceClassification

    base = AutoModelForSequenceClassification.from_pretrained(
        tiny_language_model, num_labels=1, pad_token_id=0
    )
    judge = adapt(base, tmp_path / "judge", "tiny-language", "SEQ_CLS")
    with torch.no_grad():
        expected = judge(torch.tensor([IDS])).logits[:, 0].numpy()
    scores = pool.classifier("judge").scores([IDS, IDS[:3]])
    assert_same(scores[:1], expected)
    with pytest.raises(InputError, match="a reward model has one"):
        pool.classifier("tiny-language")


def test_the_identity_covers_base_and_adapter(pool: ModelPool, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from tests.tiny_models import build_language_model

    folder = build_language_model(tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(folder)
    adapt(base, tmp_path / "one", "base", "CAUSAL_LM")
    first = pool.identity("one")
    assert first == pool.identity("one")
    assert first.weights != pool.identity("base").weights
    assert first.tokenizer == pool.identity("base").tokenizer

    build_language_model(folder, seed=7)
    other_base = pool.identity("one")
    assert other_base.weights != first.weights
    config = json.loads((tmp_path / "one" / "adapter_config.json").read_text())
    written = tmp_path / "one" / "adapter_config.json"
    written.write_text(json.dumps(config | {"base_model_name_or_path": "/elsewhere"}))
    assert pool.identity("one") == other_base
    written.write_text(json.dumps(config | {"lora_alpha": 99}))
    assert pool.identity("one").weights != other_base.weights


def test_a_base_is_located_by_the_rules_of_any_model(tmp_path: Path) -> None:
    adapter = tmp_path / "root" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("{}")
    roots = [tmp_path / "root"]

    def names(base: str) -> None:
        (adapter / "assay.json").write_text(json.dumps({"base": base}))

    names("builtin/minilm-l6")
    with pytest.raises(UnknownModel, match=r"without adapter_model\.safetensors"):
        locate("adapter", roots)
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    found = locate("ckpt_1", checkpoints={"ckpt_1": adapter}.get)
    assert found.folder == adapter
    assert found.base == locate("builtin/minilm-l6")

    names("../outside")
    with pytest.raises(UnknownModel, match="outside"):
        locate("adapter", roots)
    names("ckpt_gone")
    with pytest.raises(UnknownModel, match="ckpt_gone"):
        locate("adapter", roots)
    names("adapter")  # upon itself, without end
    with pytest.raises(UnknownModel, match="upon one another"):
        locate("adapter", roots)
    for broken in ("{}", "[]", "{", '{"base": 3}'):
        (adapter / "assay.json").write_text(broken)
        with pytest.raises(UnknownModel, match="merge it first"):
            locate("adapter", roots)


def test_adapters_of_one_base_share_its_weights(
    pool: ModelPool, tiny_language_model: Path, tmp_path: Path
) -> None:
    """In any order, and the base beside them; numbers are those of merged weights."""
    from transformers import AutoModelForCausalLM

    for seed, name in enumerate(("first", "second")):
        base = AutoModelForCausalLM.from_pretrained(tiny_language_model)
        adapt(base, tmp_path / name, "tiny-language", "CAUSAL_LM", seed=seed)
    before = pool.loads
    found: dict[str, Any] = {}
    for name in ("first", "second", "tiny-language", "first", "second"):
        engine = pool.engine(name)
        (told,) = engine.logprobs([IDS], 0)
        values = np.array([one.logprob for one in told])
        if name in found:
            assert_same(values, found[name])
        found[name] = values
    assert pool.loads - before == 1
    for name, values in found.items():
        (merged,) = pool.language(name).logprobs([(IDS[:1], IDS[1:])])
        assert np.abs(values - merged).max() < 1e-4  # added up in another order
    assert np.abs(found["first"] - found["second"]).max() > 0.01
    assert np.abs(found["first"] - found["tiny-language"]).max() > 0.01
