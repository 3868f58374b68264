"""Files that describe a checkpoint: `assay.json` for loaders, the others for people."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from inference.names import ADAPTER_CONFIG, ORIGIN
from trainers.job.declaration import AnyTrainer
from trainers.job.options import Options
from trainers.job.spec import Spec

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "tokenizers", "numpy")
CARD = "card.json"


def describe(
    folder: Path,
    step: int,
    spec: Spec,
    trainer: AnyTrainer,
    options: Options,
    config: Mapping[str, Any],
) -> None:
    """Write the three files. `config`: settings that an adapter's base model is loaded with."""
    origin = {
        "base": spec.model,
        "method": trainer.name,
        "job": spec.job,
        "produces": trainer.produces,
        "config": dict(config),
    }
    _write(folder / ORIGIN, origin)
    card = card_of(step, spec, trainer, options)
    card["adapter"] = (folder / ADAPTER_CONFIG).exists()
    _write(folder / CARD, card)
    (folder / "README.md").write_text(_readme(card))
    adapter = folder / ADAPTER_CONFIG
    if adapter.exists():  # peft writes the path it loaded from, of this machine
        _write(adapter, json.loads(adapter.read_text()) | {"base_model_name_or_path": spec.model})


def card_of(step: int, spec: Spec, trainer: AnyTrainer, options: Options) -> dict[str, Any]:
    """What made the checkpoint; its scores are added by whoever measures them."""
    return {
        "job": spec.job,
        "step": step,
        "method": trainer.name,
        "objective": trainer.objective,
        "paper": trainer.paper,
        "base": spec.model,
        "dataset": spec.dataset,
        "produces": trainer.produces,
        "seed": options.seed,
        "options": options.model_dump(mode="json"),
        "processes": spec.processes,
        "fsdp": spec.fsdp.model_dump(mode="json") if spec.fsdp else None,
        "device": spec.device.partition(":")[0],
        "libraries": {"python": platform.python_version()} | _versions(),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _readme(card: Mapping[str, Any]) -> str:
    names = ("method", "objective", "paper", "base", "dataset", "job", "step", "seed")
    lines = [f"# {card['job']}, step {card['step']}", ""]
    lines += [f"- {name}: {card[name]}" for name in names]
    kind = "LoRA adapter of the base model" if card["adapter"] else "all weights"
    lines += [f"- holds: {kind}", "", "## Options", ""]
    lines += [f"- {name}: {json.dumps(value)}" for name, value in card["options"].items()]
    lines += ["", "## Libraries", ""]
    lines += [f"- {name} {number}" for name, number in card["libraries"].items()]
    return "\n".join(lines) + "\n"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
