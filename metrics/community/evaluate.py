"""`evaluate/<path>`: a metric of the `evaluate` library, from a folder on this machine.

Conventions
    `<path>` is a folder under one of the allowed roots, holding a script of the folder's own name
    (`my_metric/my_metric.py`), as `evaluate.load` wants it. *The script is code, and it runs in the
    worker with the worker's rights, in no sandbox*: who may write under an allowed root may run
    code here. Hub ids are not loaded, since that needs a network.
    `evaluate` gives one value for a whole corpus and says nothing of its parts. Here the metric is
    computed for each output alone, and the value is the mean over samples. That is the corpus
    value where the metric is itself a mean over samples (accuracy, exact match), and another
    number where it is not (WER, corpus BLEU).
    A result that is not a finite number counts as missing.
    The digest of the folder's files is a parameter, so cache and signature change with them.
    `evaluate` copies scripts into a folder of modules shared by all processes, and races there;
    here each process has a folder of its own, and results stay in memory.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from pydantic import Field, create_model, field_validator

from inference.batching import plan_in_order
from inference.errors import InputError, ReportedError, Unavailable
from inference.protocol import Models
from metrics.core.errors import UnknownMetric
from metrics.core.evidence import Evidence
from metrics.core.metric import AnyMetric, Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import mean

PREFIX = "evaluate/"
BATCH = 256  # outputs between two reports of progress
SEED = 0  # of numpy, during `compute`
IGNORED = {"__pycache__", ".git"}
NOT_FINITE = 1

_lock = Lock()


class CommunityParams(Params):
    """What to pass to the metric, and what to take from its result."""

    options: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of `compute`, JSON values"
    )
    config_name: str | None = Field(None, description="`config_name` of `evaluate.load`")
    scores: tuple[str, ...] = Field(
        (), description="keys of the result to report; none: the key named like the folder"
    )
    lower_is_better: tuple[str, ...] = Field((), description="those scores where less is better")

    @field_validator("options")
    @classmethod
    def _sorted(cls, options: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(json.loads(json.dumps(options, sort_keys=True, allow_nan=False)))
        except (TypeError, ValueError):
            raise ValueError("only JSON values") from None


def declare(name: str, roots: Sequence[Path]) -> AnyMetric:
    """The metric in the folder that `name` (`evaluate/<path>`) says, relative or absolute.

    Raises UnknownMetric where no such folder lies under `roots`, symbolic links followed, and
    Unavailable where the `evaluate` package is not installed.
    """
    folder, path = _folder(name, roots)
    if find_spec("evaluate") is None:
        raise Unavailable("metrics of `evaluate` need that package: pip install '.[community]'")
    digest = _digest(folder)

    def scores(params: CommunityParams) -> tuple[Score, ...]:
        return tuple(
            Score(key, higher_is_better=key not in params.lower_is_better, low=float("-inf"))
            for key in _keys(folder, params)
        )

    def measure(items: Sequence[Item], params: CommunityParams, models: Models) -> Evidence:
        return _measure(folder, digest, items, params)

    return Metric(
        name=PREFIX + path,
        version=1,
        about=f"The metric {folder.name!r} of a local `evaluate` folder, averaged over samples.",
        params=_params(digest),
        reads=("output", "references", "prompt"),
        needs=("references",),
        scores=scores,
        interval="bootstrap_t",
        source=Source(paper="the folder's own", reference="the folder's script, through evaluate"),
        measure=measure,
        pooling="average",
        reduce=mean,
        libraries=("evaluate",),
        flags={NOT_FINITE: Flag("the metric gave no finite number", missing=True)},
        plan=lambda items, params, models: plan_in_order([1] * len(items), BATCH, BATCH),
        cached=True,
    )


def _params(digest: str) -> type[CommunityParams]:
    """Parameters that carry the digest of the folder's files, and no other."""
    only: Any = Literal[digest]
    files: Any = (only, Field(digest, description="digest of the folder's files"))
    return create_model("CommunityParams", __base__=CommunityParams, files=files)


def _folder(name: str, roots: Sequence[Path]) -> tuple[Path, str]:
    """The folder, and its path below its root."""
    path = name.removeprefix(PREFIX).strip()
    for root in roots if path and "\0" not in path else ():
        allowed = root.resolve()
        folder = (allowed / path).resolve()  # an absolute path replaces the root
        script = (folder / f"{folder.name}.py").resolve()
        inside = folder.is_relative_to(allowed) and script.is_relative_to(folder)
        if inside and folder != allowed and script.is_file():
            return folder, folder.relative_to(allowed).as_posix()
    raise UnknownMetric(
        f"no folder {path!r} with a script of its name lies under the allowed roots. A metric of "
        "the hub needs a network: download its folder, put it under a root, and give its path",
        "name",
    )


def _digest(folder: Path) -> str:
    """First 12 hex digits of a sha256 over the folder's files, names included."""
    state = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        if file.is_file() and not IGNORED & set(relative.parts):
            data = file.read_bytes()
            state.update(f"{relative.as_posix()}\0{len(data)}\0".encode())
            state.update(data)
    return state.hexdigest()[:12]


def _keys(folder: Path, params: CommunityParams) -> tuple[str, ...]:
    return params.scores or (folder.name,)


def _measure(folder: Path, digest: str, items: Sequence[Item], params: CommunityParams) -> Evidence:
    """Rows (a value for each score, 1); zeros and a flag where a value is not finite.

    Raises InputError where inputs or options do not fit the metric, ReportedError where it fails.
    """
    keys = _keys(folder, params)
    rows = np.zeros((len(items), len(keys) + 1))
    flags = [NOT_FINITE] * len(items)
    with _lock:  # modules keep what was added to them until it is computed
        module = _load(folder, digest, params.config_name)
        shape = _shape(module)
        for index, item in enumerate(items):
            inputs = {name: [_value(name, item, feature)] for name, feature in shape.items()}
            result = _compute(module, inputs, params.options)
            values = [_number(result, key) for key in keys]
            if all(map(math.isfinite, values)):
                rows[index] = [*values, 1.0]
                flags[index] = 0
    return Evidence.of_rows(rows, flags)


@cache
def _load(folder: Path, digest: str, config_name: str | None) -> Any:
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
            seed=SEED,
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
