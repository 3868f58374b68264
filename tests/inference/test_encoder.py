"""The encoder against transformers called by hand, and against bert-score's way of cutting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.encoder import TransformerEncoder, load_encoder
from inference.errors import UnknownModel
from inference.pool import ModelPool
from inference.protocol import Identity
from tests.conftest import MINILM
from tests.inference.tiny_encoders import build_albert, build_roberta, build_t5
from tests.rounding import assert_same

TEXTS = ["Hello there, world", "Привет, мир", "", "今日は 🙂", "a much longer text of many words"]
IDENTITY = Identity("test", "0", "0")


@pytest.fixture(scope="module")
def minilm(model_pool: ModelPool) -> Any:
    return model_pool.encoder(MINILM)


@pytest.fixture(scope="module")
def roberta_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_roberta(tmp_path_factory.mktemp("encoders") / "roberta")


def load(folder: Path, **options: Any) -> TransformerEncoder:
    defaults: dict[str, Any] = {"dtype": "float32", "device": "cpu", "add_prefix_space": False}
    return load_encoder([folder], IDENTITY, **(defaults | options))


def by_hand(model: Any, ids: list[int]) -> list[np.ndarray]:
    """(layers + 1) arrays (T, D) of one sequence alone, without padding."""
    import torch

    with torch.no_grad():
        states = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
    return [state[0].numpy() for state in states]


@pytest.mark.parametrize("layer", [0, 1, 4, 6])
def test_hidden_equals_the_model_called_by_hand(minilm: TransformerEncoder, layer: int) -> None:
    ids = minilm.encode(TEXTS)
    for got, sequence in zip(minilm.hidden(ids, layer), ids, strict=True):
        want = by_hand(minilm.model, sequence)[layer]
        assert got.shape == want.shape
        assert got.dtype == np.float32
        assert_same(got, want)


def test_layers_above_are_not_run(minilm: TransformerEncoder) -> None:
    ran: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda *_, number=number: ran.append(number))
        for number, layer in enumerate(minilm.model.encoder.layer)
    ]
    try:
        minilm.hidden(minilm.encode(TEXTS), 2)
        assert ran == [0, 1]
        ran.clear()
        minilm.hidden(minilm.encode(TEXTS), 6)  # cutting left the whole model whole
        assert ran == [0, 1, 2, 3, 4, 5]
    finally:
        for hook in hooks:
            hook.remove()


def test_a_layer_the_model_lacks(minilm: TransformerEncoder) -> None:
    with pytest.raises(ValueError, match="layer 7 of a model with 6"):
        minilm.hidden(minilm.encode(TEXTS), 7)


def test_pooled_is_the_mean_over_real_tokens(minilm: TransformerEncoder) -> None:
    ids = minilm.encode(TEXTS)
    want = np.stack([by_hand(minilm.model, sequence)[6].mean(0) for sequence in ids])
    assert_same(minilm.pooled(ids), want)


def test_nothing_at_all(minilm: TransformerEncoder) -> None:
    assert minilm.encode([]) == []
    assert [states.shape for states in minilm.hidden([[], []], 6)] == [(0, 384), (0, 384)]
    np.testing.assert_array_equal(minilm.pooled([[], []]), np.zeros((2, 384)))
    beside = minilm.pooled([[101, 102], []])  # padding alone must not become NaN
    assert np.isfinite(beside).all()
    np.testing.assert_array_equal(beside[1], np.zeros(384))


def test_length_is_limited_by_positions_when_the_tokenizer_has_no_limit(
    roberta_folder: Path,
) -> None:
    encoder = load(roberta_folder)
    assert encoder.tokenizer.model_max_length > 10**9
    assert encoder.max_length == 32
    (ids,) = encoder.encode(["the cat сидел " * 50])
    assert len(ids) == 32
    assert ids[-1] == encoder.sep_id
    assert encoder.hidden([ids], 3)[0].shape == (32, 32)


def test_prefix_space_is_read_at_load(roberta_folder: Path) -> None:
    plain = load(roberta_folder)
    spaced = load(roberta_folder, add_prefix_space=True)
    for text in ("the cat", "кот"):
        (word,), (inside,) = plain.encode([text]), plain.encode([" " + text])
        assert word != inside
        assert spaced.encode([text]) == [inside]


def test_prefix_space_leaves_other_tokenizers_alone(model_pool: ModelPool) -> None:
    spaced = model_pool.encoder(MINILM, add_prefix_space=True)
    assert spaced.encode(TEXTS) == model_pool.encoder(MINILM).encode(TEXTS)


@pytest.mark.parametrize("layer", [0, 1, 2, 3])
def test_a_model_without_a_plain_stack(tmp_path: Path, layer: int) -> None:
    encoder = load(build_albert(tmp_path / "albert"))
    ids = encoder.encode(TEXTS)
    for got, sequence in zip(encoder.hidden(ids, layer), ids, strict=True):
        assert_same(got, by_hand(encoder.model, sequence)[layer])


def test_an_encoder_decoder_is_cut_as_bert_score_cuts_it(tmp_path: Path) -> None:
    import torch
    from transformers import T5EncoderModel

    folder = build_t5(tmp_path / "t5")
    encoder = load(folder)
    assert (encoder.layers, encoder.max_length) == (3, 512)
    ids = encoder.encode(["the cat sat"])
    model = T5EncoderModel.from_pretrained(folder).eval()
    model.encoder.block = model.encoder.block[:2]
    with torch.no_grad():
        want = model(torch.tensor(ids)).last_hidden_state[0].numpy()
    assert_same(encoder.hidden(ids, 2)[0], want)


def test_bfloat16_stays_close(minilm: TransformerEncoder, model_pool: ModelPool) -> None:
    half = model_pool.encoder(MINILM, "bfloat16")
    ids = minilm.encode(TEXTS)
    got, want = half.pooled(ids), minilm.pooled(ids)
    assert got.dtype == np.float32
    assert 0 < np.abs(got - want).max() < 0.1


def test_pickled_weights_are_refused(roberta_folder: Path, tmp_path: Path) -> None:
    import torch

    for path in roberta_folder.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UnknownModel, match="cannot be loaded"):
        load(tmp_path)
