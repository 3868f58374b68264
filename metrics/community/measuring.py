"""Running a metric of `evaluate` on one output at a time.

`evaluate` copies scripts into a folder of modules shared by all processes, and races there; here
each process has a folder of its own, and results stay in memory.
"""

from __future__ import annotations

import math
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.errors import InputError, ReportedError
from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Item

if TYPE_CHECKING:
    from metrics.community.declaration import CommunityParams

_SEED = 0  # of numpy, during `compute`
_lock = Lock()


def measure(
    folder: Path, items: Sequence[Item], params: CommunityParams, models: Models
) -> Evidence:
    """Rows (a value for each score, 1); zeros and flag 1 where a value is not finite.

    Raises InputError where inputs or options do not fit the metric, ReportedError where it fails.
    """
    keys = params.scores or (folder.name,)
    rows = np.zeros((len(items), len(keys) + 1))
    flags = np.ones(len(items), np.uint8)
    with _lock:  # modules keep what was added to them until it is computed
        module = _load(folder, params.config_name, getattr(params, "files", ""))
        shape = _shape(module)
        for index, item in enumerate(items):
            inputs = {name: [_value(name, item, feature)] for name, feature in shape.items()}
            result = _compute(module, inputs, params.options)
            values = [_number(result, key) for key in keys]
            if all(map(math.isfinite, values)):
                rows[index] = [*values, 1.0]
                flags[index] = 0
    return Evidence.of_rows(rows, flags.tolist())


@cache
def _load(folder: Path, config_name: str | None, files: str) -> Any:
    """The module, of the files with that digest, loaded once a process."""
    import evaluate
    from datasets import DownloadConfig

    workspace = _workspace().name
    evaluate.config.HF_MODULES_CACHE = workspace
    try:
        return evaluate.load(
            str(folder),
            config_name,
            keep_in_memory=True,
            cache_dir=workspace,
            experiment_id=uuid.uuid4().hex,
            download_config=DownloadConfig(local_files_only=True),
            seed=_SEED,
        )
    except Exception as error:  # whatever a foreign script raises
        raise ReportedError(f"{folder.name}: could not be loaded: {error}", "name") from error


@cache
def _workspace() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="evaluate-")  # removed when the process ends


def _shape(module: Any) -> Mapping[str, Any]:
    """Feature of each input; of several alternatives the one that takes many references."""
    options = module.features if isinstance(module.features, list) else [module.features]
    many = [one for one in options if _is_list(one.get("references"))]
    shape: Mapping[str, Any] = (many or options)[0]
    unknown = set(shape) - {"predictions", "references", "sources"}
    if unknown:
        raise InputError(f"the metric wants inputs that samples do not have: {unknown}", "name")
    return shape


def _is_list(feature: Any) -> bool:
    """`[feature]`, or the class that `datasets.Sequence` makes."""
    return isinstance(feature, list | tuple) or hasattr(feature, "feature")


def _value(name: str, item: Item, feature: Any) -> Any:
    if name == "predictions":
        return _cast(item.output, feature)
    if name == "sources":
        return _cast(item.prompt or "", feature)
    if _is_list(feature):
        inner = feature[0] if isinstance(feature, list | tuple) else feature.feature
        return [_cast(reference, inner) for reference in item.references]
    if len(item.references) != 1:
        raise InputError(
            f"the metric takes one reference, a sample has {len(item.references)}", "name"
        )
    return _cast(item.references[0], feature)


def _cast(text: str, feature: Any) -> Any:
    kind = str(getattr(feature, "dtype", "string"))
    try:
        if kind.startswith(("int", "uint")):
            return int(text)
        if kind.startswith("float"):
            return float(text)
    except ValueError:
        raise InputError(f"the metric takes numbers ({kind}), not {text[:40]!r}", "name") from None
    return text


def _compute(module: Any, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    try:
        return module.compute(**inputs, **options)
    except TypeError as error:
        raise InputError(f"{module.name}: {error}", "params.options") from error
    except Exception as error:  # whatever a foreign script raises
        raise ReportedError(f"{module.name}: {error}") from error


def _number(result: Any, key: str) -> float:
    if not isinstance(result, Mapping) or key not in result:
        known = ", ".join(map(str, result)) if isinstance(result, Mapping) else "none"
        raise InputError(f"the result has no {key!r}; it has: {known}", "params.scores")
    value = result[key]
    while isinstance(value, list | tuple | np.ndarray) and len(value) == 1:
        value = value[0]
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{key!r} is not one number", "params.scores") from None
