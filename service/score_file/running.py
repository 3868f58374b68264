"""Metrics over samples, without a service."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

import metrics
from inference import kinds
from inference.errors import InputError
from inference.names import locate
from inference.pool import ModelPool
from metrics.core.alike import pointed_out
from metrics.core.clustered import PROMPT, Cluster
from metrics.core.metric import BoundMetric, Sample
from metrics.core.result import Result
from metrics.core.rows import Ints
from metrics.core.run import score_slices
from metrics.statistics.clusters import Clusters, clusters
from metrics.suites.choosing import Bind
from service.settings import Settings

MOST_FIELDS = 8  # that are looked at for samples that are alike
FOLDER_MODE = 0o700  # of what is made in the user's cache: nobody else's


def bind(settings: Settings, roots: Sequence[Path]) -> Bind:
    """What binds a metric of a suite. Raises ReportedError where its model is not to be had here.

    roots  folders that metrics of `evaluate` may lie under
    """

    def bound(name: str, params: Mapping[str, Any]) -> BoundMetric:
        metric = metrics.find(name, roots).bind(params)
        for model, param, kind in metric.required_models:
            found = locate(model, _model_roots(settings), offline=not settings.hub_allowed)
            fault = kinds.fault(found, kind) if kind is not None else None
            if fault is not None:
                raise InputError(fault, f"params.{param}")
        return metric

    return bound


def requests(names: str, params: str, roots: Sequence[Path]) -> list[BoundMetric]:
    """`bleu,rouge` and `{"rouge": {"stemmer": true}}` as declarations with their parameters.

    Raises InputError (UnknownMetric) with the nearest names.
    """
    try:
        given = json.loads(params) if params else {}
    except json.JSONDecodeError as error:
        raise InputError(f"--params is no JSON: {error}") from error
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    found = [(name, metrics.find(name, roots)) for name in wanted]
    if not isinstance(given, Mapping) or not all(isinstance(p, Mapping) for p in given.values()):
        raise InputError('--params: give each metric its own, as {"rouge": {"stemmer": true}}')
    if unused := set(given) - set(wanted):
        raise InputError(f"--params: {', '.join(sorted(unused))} not among --metrics {names}")
    return [metric.bind(given.get(name)) for name, metric in found]


def added(requested: Sequence[BoundMetric], calibrated: BoundMetric) -> list[BoundMetric]:
    """With a calibrated metric among them. Raises InputError where there is one already."""
    if any(one.name == calibrated.name for one in requested):
        raise InputError(
            f"--calibration: {calibrated.name} is among --metrics already, and one at a time is "
            "measured: leave it out there"
        )
    return [*requested, calibrated]


class Runner:
    """Measures sets of samples, with models that are loaded once."""

    def __init__(self, models: ModelPool, settings: Settings) -> None:
        self.models, self.settings = models, settings

    def results(
        self, samples: Sequence[Sample], asked: Sequence[BoundMetric], cluster: str | None
    ) -> list[Result]:
        """A result for each request; on a terminal, a progress bar for each on standard error."""
        return [whole for whole, _ in self.sliced(samples, asked, cluster, {})]

    def sliced(
        self,
        samples: Sequence[Sample],
        asked: Sequence[BoundMetric],
        cluster: str | None,
        slices: Mapping[str, Ints],
    ) -> list[tuple[Result, dict[str, Result]]]:
        """The same, each result with those of the slices: indices of samples, by name."""
        outputs = sum(len(sample.outputs) for sample in samples)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        with Progress(
            *columns,
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bars:
            tasks = [bars.add_task(metric.name, total=outputs) for metric in asked]
            results = score_slices(
                samples,
                asked,
                slices,
                self.models,
                {
                    "seed": 0,
                    "replicates": self.settings.replicates,
                    "level": self.settings.level,
                },
                lambda index, count: bars.advance(tasks[index], count),
                cluster,
            )
        there = {} if cluster is not None else _repeated(samples)
        return [
            (pointed_out(metric, whole, there, "--cluster {}"), parts)
            for metric, (whole, parts) in zip(asked, results, strict=True)
        ]


def _repeated(samples: Sequence[Sample]) -> dict[str, Clusters]:
    """The clusters by each field, of the metadata or `prompt`, whose values several samples
    share."""
    fields = dict.fromkeys(key for sample in samples for key in sample.metadata)
    asked = [PROMPT] if any(sample.prompt is not None for sample in samples) else []
    found: dict[str, Clusters] = {}
    for field in dict.fromkeys([*asked, *fields]):
        if len(found) == MOST_FIELDS:
            break
        try:
            together = clusters(Cluster.of(samples, field).names)
        except InputError:  # no sample has a value
            continue
        if 1 < len(together.names) < len(samples):
            found[field] = together
    return found


@contextmanager
def runner(
    asked: Sequence[BoundMetric], settings: Settings, device: str, say: Callable[[str], None]
) -> Iterator[Runner]:
    """What measures the metrics that are asked for.

    say  told where converted models are kept, when the folder is made
    """
    with ExitStack() as stack:
        cache = _cache(settings)
        if any(metric.models for metric in asked) and not _made(cache.parent):
            cache = Path(stack.enter_context(TemporaryDirectory(prefix="assay-models-")))
        before = cache.exists()
        yield Runner(
            ModelPool(
                roots=_model_roots(settings),
                cache_dir=cache,
                device=device,
                memory_budget_bytes=settings.model_memory_bytes,
                offline=not settings.hub_allowed,
                private_urls=True,  # who types the URL is on this machine
            ),
            settings,
        )
        if not before and cache.exists():
            say(f"converted models are kept in {cache}")


def _model_roots(settings: Settings) -> tuple[Path, ...]:
    """Where models may lie: whoever types may read it."""
    return (Path.cwd(), *settings.model_roots, Path("/"))


def _cache(settings: Settings) -> Path:
    """Where converted models are kept, half a gigabyte for the builtin one: in the data folder that
    is named, else in the user's cache."""
    if "data_dir" in settings.model_fields_set:
        return settings.data_dir / "models"
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = named if named.is_absolute() else Path("~/.cache").expanduser()
    return root / "assay" / "models"


def _made(folder: Path) -> bool:
    """Whether the folder is there, made for this user alone if it was not, and can be written."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
