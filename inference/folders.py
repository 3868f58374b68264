"""What may be loaded of a model's folder: safetensors and texts that lie where the model does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from inference.sentences import Sentence

INDEX = "model.safetensors.index.json"  # which file holds which weight, where there are several
WEIGHTS = "model.safetensors"  # comes before an index
COMET, COMET_WEIGHTS = "hparams.yaml", "checkpoints/model.ckpt"  # read weights-only
BLEURT, BLEURT_WEIGHTS = "bleurt", "pytorch_model.bin"  # model_type; read weights-only
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def fault(folder: Path, fence: Path) -> Sentence | None:
    """Why the model in `folder` may not be loaded, as words that follow "cannot use …"; None where
    it may.

    fence  where files may lie once links are resolved: a link out of it would make the service
           read, and name in its signatures, what nobody allowed
    """
    if (folder / COMET).is_file():
        whole = any(folder.glob("*.safetensors")) or (folder / COMET_WEIGHTS).is_file()
        form = "the folder has {file}, and neither *.safetensors nor {weights}"
        lacks = Sentence(form, file=COMET, weights=COMET_WEIGHTS)
        return outside(folder, fence) if whole else lacks
    if not (folder / "config.json").is_file():
        return Sentence("the folder has no config.json")
    if not any(folder.glob("*.safetensors")) and not pickled_bleurt(folder):
        if any(any(folder.glob(pattern)) for pattern in PICKLED):
            return Sentence(
                "its weights are pickled, and only safetensors are read: save it again with "
                "save_pretrained"
            )
        return Sentence("the folder has no *.safetensors file")
    return outside(folder, fence) or _index_fault(folder)


def pickled_bleurt(folder: Path) -> bool:
    """Whether it is a BLEURT model, whose publishers have its weights as `pytorch_model.bin`."""
    if not (folder / BLEURT_WEIGHTS).is_file() or any(folder.glob("*.safetensors")):
        return False
    try:
        return bool(json.loads((folder / "config.json").read_bytes())["model_type"] == BLEURT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def outside(folder: Path, fence: Path) -> Sentence | None:
    """Which file of the folder is a link out of the fence, in words; None where none is."""
    fence = fence.resolve()
    for path in _files(folder):
        try:
            inside = path.resolve().is_relative_to(fence)
        except (OSError, RuntimeError):  # a loop of links
            inside = False
        if not inside:
            form = "{file} is a link to a file outside of where the model may lie"
            return Sentence(form, file=path.name)
    return None


def _files(folder: Path) -> Iterator[Path]:
    """Links among the folder's files and in its folders, one level deep: no model goes deeper."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            yield path
        elif path.is_dir():
            yield from (inner for inner in sorted(path.iterdir()) if inner.is_symlink())


def _index_fault(folder: Path) -> Sentence | None:
    """What is wrong with the index of several files of weights, if that is what is loaded."""
    path = folder / INDEX
    if not path.is_file() or (folder / WEIGHTS).is_file():
        return None
    try:
        names = set(json.loads(path.read_bytes())["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        unread = "{index} cannot be read: it has no map from weights to files"
        return Sentence(unread, index=INDEX)
    for name in sorted(map(str, names)):
        if Path(name).name != name or not name.endswith(".safetensors"):
            wrong = "{index} names {name!r}, which is no safetensors file of the folder"
            return Sentence(wrong, index=INDEX, name=name)
        if not (folder / name).is_file():
            lacking = "{index} names {name!r}, and the folder has no such file"
            return Sentence(lacking, index=INDEX, name=name)
    return None
