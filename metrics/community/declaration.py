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
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, create_model, field_validator

from inference.errors import InputError, Unavailable
from metrics.community.measuring import measure
from metrics.core.metric import AnyMetric, Flag, Metric, Params, Score, Source
from metrics.core.rows import mean

PREFIX = "evaluate/"
_IGNORED = {"__pycache__", ".git"}


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

    Raises InputError where no such folder lies under `roots`, symbolic links followed, and
    Unavailable where the `evaluate` package is not installed.
    """
    folder, path = _folder(name, roots)
    if find_spec("evaluate") is None:
        raise Unavailable("metrics of `evaluate` need that package: pip install 'assay[community]'")
    digest = _digest(folder)
    only: Any = Literal[digest]  # another digest would name another metric
    params = create_model(
        "CommunityParams",
        __base__=CommunityParams,
        files=(only, Field(digest, description="digest of the folder's files")),
    )
    return Metric(
        name=PREFIX + path,
        version=1,
        about=f"The metric {folder.name!r} of a local `evaluate` folder, averaged over samples.",
        params=params,
        reads=("output", "references", "prompt"),
        needs=("references",),
        scores=_scores(folder.name),
        interval="bootstrap",
        pooling="average",
        source=Source(paper="the folder's own", reference="the folder's script, through evaluate"),
        measure=partial(measure, folder),
        reduce=mean,
        libraries=("evaluate",),
        flags={1: Flag("the metric gave no finite number", missing=True)},
        plan=lambda items, params, models: [
            list(range(start, min(start + 256, len(items)))) for start in range(0, len(items), 256)
        ],
        cached=True,
    )


def _scores(default: str) -> Callable[[CommunityParams], tuple[Score, ...]]:
    def scores(params: CommunityParams) -> tuple[Score, ...]:
        return tuple(
            Score(key, higher_is_better=key not in params.lower_is_better, low=float("-inf"))
            for key in params.scores or (default,)
        )

    return scores


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
    raise InputError(
        f"no folder {path!r} with a script of its name lies under the allowed roots. A metric of "
        "the hub needs a network: download its folder, put it under a root, and give its path",
        "name",
    )


def _digest(folder: Path) -> str:
    """First 12 hex digits of a sha256 over the folder's files, names included."""
    state = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        if file.is_file() and not _IGNORED & set(relative.parts):
            data = file.read_bytes()
            state.update(f"{relative.as_posix()}\0{len(data)}\0".encode())
            state.update(data)
    return state.hexdigest()[:12]
