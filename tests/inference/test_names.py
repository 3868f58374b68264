from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inference.errors import UnknownModel
from inference.names import BUILTIN, locate
from tests.conftest import MINILM, SMOLLM2


def make_model(folder: Path, weights: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / weights).write_bytes(b"")
    return folder


def test_builtin_models_lie_in_their_packages() -> None:
    gguf, folder = locate(SMOLLM2).gguf, locate(MINILM).folder
    assert gguf is not None
    assert gguf.is_file()
    assert folder is not None
    assert (folder / "model.safetensors").is_file()


def test_locating_imports_no_model_library() -> None:
    code = (
        "import sys; from inference.names import locate\n"
        "try: locate('nobody/nothing')\n"
        "except Exception: pass\n"
        f"locate({SMOLLM2!r})\n"
        "print([m for m in ('torch', 'transformers', 'tokenizers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("builtin", BUILTIN)
def test_unknown_builtin_names_those_that_exist(builtin: str) -> None:
    with pytest.raises(UnknownModel, match=builtin) as error:
        locate("builtin/gpt-5")
    assert error.value.field == "model"
    assert error.value.code == "unknown_model"


def test_folders_are_taken_under_a_root_only(tmp_path: Path) -> None:
    root = tmp_path / "models"
    inside = make_model(root / "mine")
    outside = make_model(tmp_path / "outside")
    (root / "link").symlink_to(outside)
    assert locate("mine", [root]).folder == inside
    assert locate(str(inside), [root]).folder == inside
    assert locate("../models/mine", [root]).folder == inside
    for name in (str(outside), "../outside", "link", ".", "", "mine/../../outside"):
        with pytest.raises(UnknownModel):
            locate(name, [root])
    with pytest.raises(UnknownModel):
        locate(str(inside))  # no roots, no folders


@pytest.mark.parametrize(
    "name",
    ["\0", "a\0b", "x" * 5000, "a/b/c", "org/..", "a--b", "имя", " ", "\ud800"],
    ids=lambda name: ascii(name)[:20],
)
def test_odd_names_are_unknown_models(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="A model is one of"):
        locate(name, [tmp_path])


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    make_model(tmp_path / "old", weights="pytorch_model.bin")
    with pytest.raises(UnknownModel, match="pickled, and only safetensors"):
        locate("old", [tmp_path])


def test_a_folder_without_a_model_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnknownModel, match=r"no config\.json"):
        locate("empty", [tmp_path])
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(UnknownModel, match="merge it first"):
        locate("adapter", [tmp_path])


def test_checkpoints_are_looked_up_by_id(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "anywhere")
    known = {"ckpt_1": folder}
    assert locate("ckpt_1", checkpoints=known.get).folder == folder
    with pytest.raises(UnknownModel, match="no complete checkpoint"):
        locate("ckpt_2", checkpoints=known.get)
    with pytest.raises(UnknownModel, match="no complete checkpoint"):
        locate("ckpt_1")


def test_hub_ids_need_the_cache_or_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownModel, match="offline"):
        locate("nobody/nothing")
    online = locate("nobody/nothing", offline=False)
    assert (online.folder, online.gguf) == (None, None)

    repository = tmp_path / "models--some--thing"
    snapshot = make_model(repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert locate("some/thing").folder == snapshot


@pytest.mark.parametrize("weights", ["/etc/passwd", "../other/model.safetensors", "weights.bin"])
def test_an_index_names_safetensors_of_its_folder_alone(weights: str, tmp_path: Path) -> None:
    make_model(tmp_path / "other")
    folder = make_model(tmp_path / "mine", "part-1.safetensors")
    (folder / "weights.bin").write_bytes(b"")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "part-1.safetensors"}}))
    assert locate("mine", [tmp_path]).folder == folder
    index.write_text(json.dumps({"weight_map": {"a": "part-1.safetensors", "b": weights}}))
    with pytest.raises(UnknownModel, match="no safetensors file of the folder"):
        locate("mine", [tmp_path])
    index.write_text("[1]")
    with pytest.raises(UnknownModel, match="cannot be read"):
        locate("mine", [tmp_path])


def test_links_stay_within_the_root(tmp_path: Path) -> None:
    private = make_model(tmp_path / "private", "secret.safetensors")
    other = make_model(tmp_path / "root" / "other")
    folder = make_model(tmp_path / "root" / "mine")
    (folder / "part.safetensors").symlink_to(other / "model.safetensors")
    assert locate("mine", [tmp_path / "root"]).folder == folder
    (folder / "part.safetensors").unlink()
    for link in (folder / "part.safetensors", folder / "chat_templates" / "x.jinja"):
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(private / "secret.safetensors")
        with pytest.raises(UnknownModel, match="outside of where the model may lie"):
            locate("mine", [tmp_path / "root"])
        link.unlink()
    assert locate("mine", [tmp_path / "root"]).folder == folder
