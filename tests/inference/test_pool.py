from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inference import convert as conversion
from inference.convert import converted
from inference.errors import InputError, Unavailable, UnknownModel
from inference.identity import file_digest
from inference.names import locate
from inference.pool import ModelPool
from tests.conftest import MINILM, SMOLLM2
from tests.tiny_models import build_reward_model


def test_a_model_is_loaded_once_and_its_passes_are_counted(
    models_root: Path, model_cache: Path, tiny_language_model: Path
) -> None:
    pool = ModelPool([models_root], model_cache)
    model = pool.language(tiny_language_model.name)
    assert pool.language(str(tiny_language_model)).identity.weights == model.identity.weights
    assert pool.language(tiny_language_model.name) is model
    calls = pool.calls
    model.logprobs([([1], [5, 6])])
    model.logprobs([([1], [5, 6]), ([1], [7])])
    assert pool.calls - calls == 2


def test_the_least_recently_used_is_evicted(
    models_root: Path, model_cache: Path, tiny_language_model: Path, tiny_reward_model: Path
) -> None:
    one = ModelPool([models_root], model_cache)
    one.language("tiny-language")
    size = one.bytes_used
    assert size == pytest.approx(
        tiny_language_model.joinpath("model.safetensors").stat().st_size, rel=0.1
    )

    pool = ModelPool([models_root], model_cache, memory_budget_bytes=int(2.2 * size))
    language = pool.language("tiny-language")
    reward = pool.classifier("tiny-reward")
    assert pool.language("tiny-language") is language  # now the reward model is the older
    pool.language("tiny-language", "bfloat16")
    assert pool.loads == 3
    pool.language("tiny-language", "float32")
    assert pool.bytes_used <= 2.2 * size
    assert pool.classifier("tiny-reward") is not reward
    with pytest.raises(Unavailable, match="budget"):
        ModelPool([models_root], model_cache, memory_budget_bytes=1000).language("tiny-language")


def test_identity_follows_the_files(tmp_path: Path, model_cache: Path) -> None:
    folder = build_reward_model(tmp_path / "model")
    pool = ModelPool([tmp_path], model_cache)
    first = pool.identity("model")
    assert (len(first.weights), len(first.tokenizer)) == (12, 12)
    shutil.copytree(folder, tmp_path / "copy")
    assert pool.identity("copy").weights == first.weights

    (folder / "chat_template.jinja").write_text("{{ messages[-1]['content'] }}")
    changed = pool.identity("model")
    assert changed.weights == first.weights
    assert changed.tokenizer != first.tokenizer

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"transformers_version": "0"}))
    assert pool.identity("model").weights == first.weights
    (folder / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
    assert pool.identity("model").weights != first.weights

    old = pool.classifier("model")
    build_reward_model(folder, seed=5)  # written over: the warm one is stale
    assert pool.classifier("model") is not old
    assert pool.loads == 2


def test_what_an_index_maps_to_what_is_part_of_the_identity(
    tmp_path: Path, model_cache: Path
) -> None:
    """The same files, and another weight taken from each: another model."""
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    for name, value in ("one", 1.0), ("two", 2.0):
        save_file({"w": torch.tensor([value])}, folder / f"{name}.safetensors")
    index = folder / "model.safetensors.index.json"
    digests = []
    for file, size in ("one", 4), ("two", 4), ("two", 8):
        content = {"metadata": {"total_size": size}, "weight_map": {"w": f"{file}.safetensors"}}
        index.write_text(json.dumps(content))
        digests.append(ModelPool([tmp_path], model_cache).identity("parts").weights)
    assert digests[0] != digests[1] == digests[2]


def test_builtin_identity_is_that_of_the_packaged_file(model_pool: ModelPool) -> None:
    gguf = locate(SMOLLM2).gguf
    assert gguf is not None
    identity = model_pool.identity(SMOLLM2)
    assert identity.weights == file_digest(gguf)[:12] == "b179c9523d0e"
    assert model_pool.identity(MINILM).weights != identity.weights


def test_a_conversion_is_found_again(model_pool: ModelPool, model_cache: Path) -> None:
    gguf = locate(SMOLLM2).gguf
    assert gguf is not None
    folder = converted(gguf, model_cache)
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert converted(gguf, model_cache) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    assert not list(model_cache.glob("*.part-*"))


def test_a_conversion_is_made_once_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock and the rename alone: what is converted here is nothing."""
    gguf = tmp_path / "some.gguf"
    gguf.write_bytes(b"GGUF")
    made: list[Path] = []

    def fail(source: Path, into: Path) -> None:
        (into / "half").touch()
        raise OSError("no space left on device")

    def write(source: Path, into: Path) -> None:
        made.append(into)
        time.sleep(0.1)
        (into / "model.safetensors").touch()

    monkeypatch.setattr(conversion, "_convert", fail)
    with pytest.raises(OSError, match="no space"):
        converted(gguf, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]

    monkeypatch.setattr(conversion, "_convert", write)
    with ThreadPoolExecutor(4) as threads:
        folders = set(threads.map(lambda _: converted(gguf, tmp_path / "cache"), range(8)))
    (folder,) = folders
    assert len(made) == 1
    assert (folder / "model.safetensors").is_file()
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_model_of_another_kind_is_refused(model_pool: ModelPool, tiny_reward_model: Path) -> None:
    """transformers would fill the missing head with random numbers."""
    with pytest.raises(InputError, match="lack"):
        model_pool.language("tiny-reward")
    with pytest.raises(UnknownModel):
        model_pool.language("tiny-nothing")


def test_a_language_model_is_no_reward_model(
    model_pool: ModelPool, tiny_language_model: Path
) -> None:
    with pytest.raises(InputError, match="outputs; a reward model has one"):
        model_pool.classifier("tiny-language")


def test_a_broken_file_is_the_callers_error(tmp_path: Path, model_cache: Path) -> None:
    folder = build_reward_model(tmp_path / "broken")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="broken"):
        ModelPool([tmp_path], model_cache).classifier("broken")
