from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference import generation, language
from inference.errors import InputError
from inference.language import TransformerLanguageModel
from inference.pool import ModelPool
from inference.protocol import Generation
from tests.conftest import SMOLLM2
from tests.rounding import assert_same
from tests.tiny_models import ENGLISH, RUSSIAN, build_language_model
from trainers.learning.conversations import with_defaults

TEXTS = [ENGLISH, RUSSIAN, "Paris.", "Москва — столица.", "日本語 🙂", "x"]
PROMPTS = ["What is the capital of France?", "Столица?", "", "日本 " * 20]


@pytest.fixture(scope="module")
def tiny(model_pool: ModelPool, tiny_language_model: Path) -> TransformerLanguageModel:
    model = model_pool.language(tiny_language_model.name)
    assert isinstance(model, TransformerLanguageModel)
    return model


def by_hand(model: Any, context: list[int], continuation: list[int]) -> Any:
    """Log-probabilities from transformers' own forward pass."""
    import torch

    ids = torch.tensor([context + continuation])
    with torch.no_grad():
        logits = model(ids).logits[0, :-1].float()
    found = torch.log_softmax(logits, -1).gather(1, ids[0, 1:, None])[:, 0]
    return found[len(context) - 1 :].double().numpy()


def pairs(model: TransformerLanguageModel) -> list[tuple[list[int], list[int]]]:
    return [([model.bos_id or 0], ids) for ids in model.encode(TEXTS)] + [
        (model.encode([ENGLISH])[0], model.encode([RUSSIAN])[0][:30])
    ]


def test_logprobs_are_those_of_transformers(tiny: TransformerLanguageModel) -> None:
    for (context, continuation), found in zip(pairs(tiny), tiny.logprobs(pairs(tiny)), strict=True):
        assert len(found) == len(continuation)
        assert_same(found, by_hand(tiny.model, context, continuation))


def test_a_padded_batch_equals_one_by_one(tiny: TransformerLanguageModel) -> None:
    together = tiny.logprobs(pairs(tiny))
    for pair, found in zip(pairs(tiny), together, strict=True):
        assert_same(found, tiny.logprobs([pair])[0])


def test_chunks_of_the_vocabulary_change_nothing(
    tiny: TransformerLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny.logprobs(pairs(tiny))
    monkeypatch.setattr(language, "CHUNK_LOGITS", 7 * 600)  # seven positions at a time
    for a, b in zip(whole, tiny.logprobs(pairs(tiny)), strict=True):
        assert_same(b, a)


@pytest.mark.parametrize(
    ("family", "splits"),
    [("gemma2", True), ("granite", True), ("cohere", True), ("gpt2", True), ("bert", False)],
)
def test_what_a_family_does_to_its_logits_is_kept(
    family: str, splits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Softcapping, scaling, tied embeddings: the logits are those of the model's own forward."""
    import torch
    import transformers

    from inference.protocol import Identity
    from tests.tiny_models import build_tokenizer

    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2} | {
        "intermediate_size": 64,
        "vocab_size": 600,
        "num_key_value_heads": 2,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "initializer_range": 0.5,
    }
    special: dict[str, dict[str, Any]] = {
        "gemma2": {"final_logit_softcapping": 3.0, "head_dim": 16},
        "granite": {"logits_scaling": 4.0},
        "cohere": {"logit_scale": 0.25},
        "gpt2": {},
        "bert": {"is_decoder": True, "num_attention_heads": 4},  # a dense layer before the head
    }
    config = transformers.AutoConfig.for_model(family, **(small | special[family]))
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(config).eval()
    model = TransformerLanguageModel(network, build_tokenizer(), Identity("m", "", ""), "cpu")
    ids = model.encode(["Paris is the capital"])[0]
    assert model.splits is splits
    batch = [([1], ids), ([1, 5], [7]), ([1], ids[:3])]
    expected = [by_hand(network, *pair) for pair in batch]
    for chunk in (1 << 25, 1):  # all at once; a position, or where need be a row, at a time
        monkeypatch.setattr(language, "CHUNK_LOGITS", chunk)
        for found, value in zip(model.logprobs(batch), expected, strict=True):
            assert_same(found, value)


def test_too_long_or_without_context(tiny: TransformerLanguageModel) -> None:
    with pytest.raises(InputError, match="256 at most"):
        tiny.logprobs([([1], [5] * 257)])
    assert len(tiny.logprobs([([1], [5] * 256)])[0]) == 256
    with pytest.raises(ValueError, match="context is empty"):
        tiny.logprobs([([], [5])])
    assert tiny.logprobs([]) == []
    assert tiny.logprobs([([1, 2], [])])[0].shape == (0,)


def test_left_padded_generation_equals_single_prompts(tiny: TransformerLanguageModel) -> None:
    options = Generation(max_new_tokens=24)
    together = tiny.generate(PROMPTS, options)
    assert together == [tiny.generate([prompt], options)[0] for prompt in PROMPTS]
    assert any(text for (text,) in together)


def test_greedy_generation_is_that_of_transformers(tiny: TransformerLanguageModel) -> None:
    import torch

    prompt = PROMPTS[0]
    ids = tiny.tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=False,
    )
    with torch.no_grad():
        out = tiny.model.generate(ids, max_new_tokens=24, do_sample=False)
    expected = tiny.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    assert tiny.generate([prompt], Generation(max_new_tokens=24)) == [[expected]]


def test_draws_depend_on_the_seed_alone(tiny: TransformerLanguageModel) -> None:
    import torch

    def draw(seed: int) -> list[list[str]]:
        options = Generation(max_new_tokens=12, temperature=1.0, num_outputs=3, seed=seed)
        return tiny.generate(PROMPTS, options)

    before = torch.random.get_rng_state()
    first = draw(1)
    assert torch.equal(before, torch.random.get_rng_state())  # the caller's generator is untouched
    torch.manual_seed(99)
    assert draw(1) == first
    assert draw(2) != first
    assert [len(texts) for texts in first] == [3] * len(PROMPTS)
    assert len(set(first[0])) > 1


def test_top_k_of_one_is_greedy(tiny: TransformerLanguageModel) -> None:
    drawn = tiny.generate(PROMPTS, Generation(max_new_tokens=12, temperature=5.0, top_k=1))
    assert drawn == tiny.generate(PROMPTS, Generation(max_new_tokens=12))


def test_the_model_s_own_generation_defaults_are_not_mixed_in(
    tiny: TransformerLanguageModel, tmp_path: Path, model_cache: Path
) -> None:
    """Settings come from the request alone; of the model's file only the ends of a turn count."""
    folder = build_language_model(tmp_path / "penalised")
    options = Generation(max_new_tokens=24)
    plain = tiny.generate(PROMPTS, options)
    ends = tiny.encode(plain[0])[0][5:6]
    defaults = {"repetition_penalty": 9.0, "do_sample": True, "eos_token_id": [2, *ends]}
    (folder / "generation_config.json").write_text(json.dumps(defaults))
    found = ModelPool([tmp_path], model_cache).language("penalised").generate(PROMPTS, options)
    assert found[0][0] != ""
    assert plain[0][0].startswith(found[0][0])
    assert len(found[0][0]) < len(plain[0][0])


def test_texts_end_before_a_stop_string(tiny: TransformerLanguageModel) -> None:
    whole = tiny.generate(PROMPTS[:2], Generation(max_new_tokens=24))
    stop = whole[0][0][5:8]
    (cut,), _ = tiny.generate(PROMPTS[:2], Generation(max_new_tokens=24, stop=(stop,)))
    assert cut == whole[0][0].split(stop)[0]


def test_long_prompts_lose_their_beginning(tiny: TransformerLanguageModel) -> None:
    options = Generation(max_new_tokens=16, chat=False)
    text = ENGLISH * 10
    kept = tiny.tokenizer.decode(tiny.encode([text])[0][-(256 - 16) :])
    assert tiny.generate([text], options) == tiny.generate([kept], options)
    with pytest.raises(InputError, match="positions in all"):
        tiny.generate(["x"], Generation(max_new_tokens=256))
    with pytest.raises(InputError, match="all be the same"):
        tiny.generate(["x"], Generation(num_outputs=2))


def test_the_chat_template_is_used_when_there_is_one(
    tiny: TransformerLanguageModel, tmp_path: Path, model_cache: Path
) -> None:
    assert tiny.render(["Hi"]) == ["<|start|>user\nHi<|end|>\n<|start|>assistant\n"]
    assert tiny.render(["Hi"], "Be brief.")[0].startswith("<|start|>system\nBe brief.<|end|>")
    plain, chat = (tiny.generate(["Hi"], Generation(chat=use)) for use in (False, True))
    assert plain != chat
    assert tiny.generate(["Hi"], Generation()) == chat
    (build_language_model(tmp_path / "bare") / "chat_template.jinja").unlink()
    bare = ModelPool([tmp_path], model_cache).language("bare")
    assert bare.render(["Hi"]) == ["Hi"]
    with pytest.raises(InputError, match="no chat template"):
        bare.generate(["Hi"], Generation(chat=True))


def test_a_template_s_own_variables_are_given_to_it(tmp_path: Path, model_cache: Path) -> None:
    """As trainers put them into the templates of their checkpoints."""
    folder = build_language_model(tmp_path / "thinker")
    template = folder / "chat_template.jinja"
    opens = "{% if add_generation_prompt and thinking is defined %}<{{ thinking }}>{% endif %}"
    template.write_text(template.read_text() + opens)
    model = ModelPool([tmp_path], model_cache).language("thinker")
    assert isinstance(model, TransformerLanguageModel)
    plain = model.render(["Hi"])
    assert model.render(["Hi"], variables={"thinking": "а'б"}) == [plain[0] + "<а'б>"]
    given = Generation(max_new_tokens=8, chat_template_kwargs={"thinking": True})
    written = model.generate(["Hi"], given)
    assert written != model.generate(["Hi"], Generation(max_new_tokens=8))
    with pytest.raises(InputError, match="reads no 'thinkin_'") as error:
        model.generate(["Hi"], Generation(chat_template_kwargs={"thinkin_": True}))
    assert error.value.field == "generation.chat_template_kwargs.thinkin_"
    with pytest.raises(InputError, match="no chat template is used"):
        model.generate(["Hi"], Generation(chat=False, chat_template_kwargs={"thinking": True}))
    with_defaults(model.tokenizer, {"thinking": True})  # as a checkpoint keeps it
    assert model.generate(["Hi"], Generation(max_new_tokens=8)) == written
    assert model.render(["Hi"], variables={"thinking": 3}) == [plain[0] + "<3>"]


def test_a_long_batch_says_that_it_is_at_work(
    tiny: TransformerLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class GivenUp(Exception):
        pass

    def give_up(count: int) -> None:
        seen.append(count)
        if len(seen) == 3:
            raise GivenUp

    prompts, options = PROMPTS[:2], Generation(max_new_tokens=8)
    plain = tiny.generate(prompts, options)
    monkeypatch.setattr(generation, "TELL_EVERY", 0.0)
    seen: list[int] = []
    assert tiny.generate(prompts, options, seen.append) == plain
    assert seen == [0] * 8 + [2]
    seen.clear()
    with pytest.raises(GivenUp):
        tiny.generate(prompts, options, give_up)


@pytest.mark.slow
def test_the_builtin_model_answers(model_pool: ModelPool) -> None:
    model = model_pool.language(SMOLLM2)
    seen: list[int] = []
    prompts = ["What is the capital of France?", "Name a colour."]
    outputs = model.generate(prompts, Generation(max_new_tokens=12), seen.append)
    assert "Paris" in outputs[0][0]
    assert sum(seen) == 2
    assert model.max_length == 8192
