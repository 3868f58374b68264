"""`assay score`: a file of generations, the same metrics, no server."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

import metrics
from inference.errors import InputError
from inference.pool import ModelPool
from metrics.core.metric import BoundMetric, Sample
from metrics.core.result import Result, ScoreValue
from metrics.core.run import score, validate
from service.settings import Settings


class Line(BaseModel):
    """One line of the file: a sample as the API takes it, its id the line's number by default."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    id: str | None = None
    prompt: str | None = None
    output: str | None = None
    outputs: list[str] = Field(default_factory=list)
    references: list[str] = Field(default_factory=list)
    tests: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_kind_of_output(self) -> Line:
        if (self.output is None) == (not self.outputs):
            raise ValueError("give either `output` or a non-empty `outputs`")
        return self

    def sample(self, number: int) -> Sample:
        """The line as metrics take it; `number` is its id where it has none."""
        outputs = self.outputs if self.output is None else (self.output,)
        return Sample.of({"id": str(number), **self.model_dump(exclude_none=True)}, outputs)


def read(path: Path) -> list[Sample]:
    """The samples of a JSONL file, or of standard input for `-`; blank lines are skipped.

    Raises InputError that names the file, the line and the field.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        text = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error
    numbers, samples = [], []
    for number, line in enumerate(text.split(b"\n"), 1):
        if line.strip():
            numbers.append(number)
            samples.append(_parse(line, number, name))
    try:
        validate(samples)
    except InputError as error:
        raise InputError(_located(error, numbers, name)) from None
    return samples


def requests(names: str, params: str, roots: Sequence[Path]) -> list[BoundMetric]:
    """`bleu,rouge` and `{"rouge": {"stemmer": true}}` as declarations with their parameters.

    Raises InputError (UnknownMetric) with the nearest names.
    """
    try:
        given = json.loads(params) if params else {}
    except json.JSONDecodeError as error:
        raise InputError(f"--params is no JSON: {error}") from error
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        raise InputError(f"--metrics is empty; known: {', '.join(metrics.catalogue())}")
    found = [(name, metrics.find(name, roots)) for name in wanted]
    if not isinstance(given, Mapping) or not all(isinstance(p, Mapping) for p in given.values()):
        raise InputError('--params: give each metric its own, as {"rouge": {"stemmer": true}}')
    if unused := set(given) - set(wanted):
        raise InputError(f"--params: {', '.join(sorted(unused))} not among --metrics {names}")
    return [metric.bind(given.get(name)) for name, metric in found]


def run(
    samples: Sequence[Sample], asked: Sequence[BoundMetric], settings: Settings, device: str
) -> list[Result]:
    """A result for each request, with a progress bar for each on standard error, a terminal."""
    outputs = sum(len(sample.outputs) for sample in samples)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with (
        _models(settings, device) as models,
        Progress(
            *columns,
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bars,
    ):
        tasks = [bars.add_task(metric.name, total=outputs) for metric in asked]
        return score(
            samples,
            asked,
            models,
            progress=lambda index, count: bars.advance(tasks[index], count),
            replicates=settings.replicates,
            level=settings.level,
        )


@contextmanager
def _models(settings: Settings, device: str) -> Iterator[ModelPool]:
    """Models for one run. What they are converted to, half a gigabyte for the builtin one, stays in
    a data folder that was named or is there already; else it goes with the run."""
    with ExitStack() as stack:
        cache = settings.data_dir / "models"
        if "data_dir" not in settings.model_fields_set and not cache.is_dir():
            cache = Path(stack.enter_context(TemporaryDirectory(prefix="assay-models-")))
        yield ModelPool(
            roots=(Path.cwd(), *settings.model_roots, Path("/")),  # whoever types it may read it
            cache_dir=cache,
            device=device,
            memory_budget_bytes=settings.model_memory_bytes,
            offline=not settings.hub_allowed,
        )


def as_json(asked: Sequence[BoundMetric], results: Sequence[Result], samples: int) -> str:
    """The scores as an evaluation carries them."""
    scores = [
        {"metric": metric.name, **dataclasses.asdict(value)}
        for metric, value in _values(asked, results)
    ]
    return json.dumps({"samples": samples, "scores": scores}, ensure_ascii=False, indent=2)


def show(asked: Sequence[BoundMetric], results: Sequence[Result], console: Console) -> None:
    """A table of values with intervals, then what was noted, then the signatures."""
    values = [value for _, value in _values(asked, results)]
    table = Table("score", box=None, header_style="bold")
    for heading in ("value", f"{values[0].level:.0%} interval", "n", "missing"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("better")
    for value in values:
        table.add_row(
            value.name,
            "failed" if value.value is None else _number(value.value),
            " – ".join(map(_number, value.interval)) if value.interval else "",
            str(value.n),
            str(value.missing) if value.missing else "",
            "higher" if value.higher_is_better else "lower",
        )
    console.print(table)
    notes = [f"{v.name}: {v.error}" for v in values if v.error]
    notes += [f"{v.name}: {warning}" for v in values for warning in v.warnings]
    for heading, lines in (("notes", notes), ("signatures", [v.signature for v in values])):
        if lines:
            console.print(f"\n{heading}", style="bold")
        for line in dict.fromkeys(lines):
            console.print(Text(line), soft_wrap=True)


def failed(results: Iterable[Result]) -> bool:
    """Whether some metric gave no value."""
    return any(value.error for result in results for value in result.scores)


def _values(
    asked: Sequence[BoundMetric], results: Sequence[Result]
) -> list[tuple[BoundMetric, ScoreValue]]:
    return [
        (metric, value)
        for metric, result in zip(asked, results, strict=True)
        for value in result.scores
    ]


def _parse(line: bytes, number: int, name: str) -> Sample:
    try:
        return Line.model_validate(json.loads(line)).sample(number)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{name}:{number}: no JSON: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{name}:{number}: {field + ': ' if field else ''}{message}") from error


def _located(error: InputError, numbers: Sequence[int], name: str) -> str:
    """The error with `samples[i].field` said as the file's line and field."""
    message = re.sub(r"samples\[(\d+)\]", lambda at: f"line {numbers[int(at[1])]}", error.message)
    place = re.fullmatch(r"samples\[(\d+)\]\.?(.*)", error.field or "")
    if place is None:
        return f"{name}: {message}"
    return f"{name}:{numbers[int(place[1])]}: {place[2]}: {message}"


def _number(value: float) -> str:
    """At least four digits that count: 41.52, 0.4152, 1234.5."""
    size = abs(value)
    return f"{value:.4f}" if size < 10 else f"{value:.2f}" if size < 1000 else f"{value:.1f}"
