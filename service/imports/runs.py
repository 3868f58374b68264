"""What a log holds, whoever wrote it: runs of one system on one task, with values by sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from metrics.core.clustered import LONGEST_VALUE
from metrics.core.names import plain as spelled
from service.errors import ApiError, invalid

MOST_BYTES = 1024**3  # of an upload's files, unpacked: what is read of them is held in memory
MOST_SCORES = 50  # of a run
MOST_METADATA = 50  # fields of a sample
LONGEST_NAME = 200
DEEPEST = 16  # levels of what an origin tells
LARGEST = 1e300  # of the values that are reckoned with: those above cannot be added up
Z = 1.959963984540054  # of 95%
SHARES = frozenset(  # scores between 0 and 1, by whatever harness
    (
        "acc",
        "accnorm",
        "accmutualinfo",
        "accuracy",
        "correct",
        "iscorrect",
        "exactmatch",
        "em",
        "f1",
    )
)
BY_ERROR = "its interval is 1.96 of the file's standard errors to either side"


@dataclass(frozen=True, slots=True)
class Score:
    """A score as the harness names it.

    filter       how answers were extracted, where that has a name
    low, high    its range, where the file declares one
    aggregation  how the harness makes one number of the samples' values, where the file says so
    """

    name: str
    filter: str | None = None
    higher_is_better: bool = True
    low: float | None = None
    high: float | None = None
    aggregation: str | None = None

    @property
    def label(self) -> str:
        """The name that it has here: with its filter, as `exact_match,strict-match`."""
        return self.name if self.filter is None else f"{self.name},{self.filter}"


@dataclass(frozen=True, slots=True)
class Reported:
    """A value that stands in the file; `interval` at `level` where the file has one, too."""

    value: float
    interval: tuple[float, float] | None = None
    level: float | None = None
    n: int = 0
    warning: str | None = None


def reported(value: float, error: object, samples: object) -> Reported:
    """A value with the file's standard error, where there is one, as an interval of 95%."""
    n = count(samples)
    half = Z * float(error) if isinstance(error, int | float) and abs(error) < LARGEST else math.nan
    if not half > 0:  # NaN is no error, either
        return Reported(value, n=n)
    return Reported(value, (value - half, value + half), 0.95, n, BY_ERROR)


@dataclass(slots=True)
class Sample:
    """A sample with its values by score: one, or one for each output; NaN where there is none."""

    id: str
    where: str  # in the file
    prompt: str | None = None
    references: list[str] = field(default_factory=list)
    metadata: dict[str, object] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def record(self) -> dict[str, object]:
        """What a dataset stores of it."""
        stored: dict[str, object] = {"id": self.id}
        if self.prompt is not None:
            stored["prompt"] = self.prompt
        if self.references:
            stored["references"] = self.references
        if self.metadata:
            stored["metadata"] = self.metadata
        return stored


@dataclass(slots=True)
class Run:
    """One system on one task: `samples` where the file has them, `reported` for all that it says.

    system  None: the file does not name it
    parts   by score: whether samples have parts of its value, and no value
    shares  by score: whether all of its values are true, false, or letters for 0 to 1
    origin  what else is worth keeping: seeds, shots, arguments of the model
    """

    harness: str
    task: str
    system: str | None
    version: str = "unknown"
    task_version: str = "unknown"
    origin: dict[str, object] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    reported: dict[str, Reported] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    parts: dict[str, bool] = field(default_factory=dict)
    shares: dict[str, bool] = field(default_factory=dict)
    by_id: dict[str, Sample] = field(default_factory=dict)  # while they are read

    def value(
        self, label: str, given: object, where: str, field: str, share: bool = False
    ) -> float:
        """A sample's value of a score, from `field` of the file: see `number`.

        share  whether it is known to be of a score between 0 and 1, as a truth value is
        """
        if given is not None:
            known = share or isinstance(given, bool)
            self.shares[label] = known and self.shares.get(label, True)
        return number(given, where, field)

    def measured(self) -> list[str]:
        """Labels of the scores that a sample has a value of, in order."""
        found = {
            label
            for sample in self.samples
            for label, values in sample.values.items()
            if any(map(math.isfinite, values))
        }
        return [label for label in self.scores if label in found]

    def only_reported(self) -> list[str]:
        """Labels of the scores that have a value and no rows."""
        with_rows = set(self.measured())
        return [one for one in self.scores if one in self.reported and one not in with_rows]


def checked(runs: Iterable[Run]) -> list[Run]:
    """The runs that have a value. Raises 422 for ids that are there twice, for too many scores, for
    values that are not one for each output, and where no run is left."""
    found = []
    for run in runs:
        _unique(run)
        run.samples.sort(key=_place)  # the same samples are the same dataset, whatever their order
        for sample in run.samples:
            _fitting(sample)
        run.scores = {label: _bounded(run, score) for label, score in run.scores.items()}
        labels = [*run.measured(), *run.only_reported()]
        if len(labels) > MOST_SCORES:
            message = f"{run.task} has {len(labels)} scores, and {MOST_SCORES} is the most: choose"
            raise invalid("too_many_scores", f"{message} some with `scores`", "scores")
        if labels:
            found.append(run)
    if not found:
        raise invalid("nothing_to_import", "the file has no score of any sample, and no value")
    return found


def _bounded(run: Run, score: Score) -> Score:
    """The score with the range that it is known to have, where the file declares none."""
    if score.low is not None or score.high is not None:
        return score
    known = run.shares.get(score.label, False)
    if not known and is_share(score.name):  # or percent
        there = [one for sample in run.samples for one in sample.values.get(score.label, ())]
        there += [run.reported[score.label].value] if score.label in run.reported else []
        known = not any(one < 0.0 or one > 1.0 for one in there)
    return replace(score, low=0.0, high=1.0) if known else score


def _unique(run: Run) -> None:
    seen: dict[str, str] = {}
    for sample in run.samples:
        first = seen.setdefault(sample.id, sample.where)
        if first is not sample.where:
            message = f"{sample.where}: {sample.id!r} is the id of {first} already"
            raise invalid("duplicate_id", message, f"{sample.where}.id")


def _place(sample: Sample) -> tuple[int, str]:
    whole = sample.id.isascii() and sample.id.isdigit() and len(sample.id) < 19
    return (int(sample.id), "") if whole else (10**18, sample.id)


def _fitting(sample: Sample) -> None:
    if not sample.outputs:
        several = max((len(values) for values in sample.values.values()), default=1)
        sample.outputs = [""] * max(several, 1)  # the log keeps no outputs
    for label, values in sample.values.items():
        if len(values) not in {1, len(sample.outputs)}:
            message = f"{len(values)} values of {label} for {len(sample.outputs)} outputs"
            raise wrong(sample.where, message)


def wrong(where: str, message: str, param: str | None = None) -> ApiError:
    """422 that says where in the file: `samples_x.jsonl line 3`."""
    return invalid("invalid_rows", f"nothing was stored. {where}: {message}", param or where)


def number(value: object, where: str, name: str) -> float:
    """The value as a number, NaN for none. Raises 422 for what is no number, or no finite one."""
    if value is None:
        return math.nan
    if isinstance(value, bool | int | float):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isnan(found):
            return found
        if abs(found) > LARGEST:
            raise wrong(where, f"{name} is not a finite number that can be reckoned with")
        return found
    raise wrong(where, f"{name} is {type(value).__name__} here, and has to be a number")


def count(value: object) -> int:
    """A number of samples; 0 where the file has none that can be."""
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def is_number(value: object) -> bool:
    """Whether a file's value may be a score: a number, or a truth value."""
    return isinstance(value, bool | int | float)


def is_share(name: str) -> bool:
    """Whether a score of that name is known to lie between 0 and 1."""
    return spelled(name) in SHARES


def text(value: object) -> str:
    """A text that can be stored: PostgreSQL's has neither NUL nor half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, bool) or value is None or isinstance(value, int | float):
        return str(value)
    return text(repr(value))


def short(value: object) -> str:
    """A version as a file has it; `unknown` for none."""
    return "unknown" if value in (None, "") else text(value)[:LONGEST_NAME]


def name(value: object, where: str, what: str) -> str:
    """A name that can be stored. Raises 422 for an empty or a long one."""
    found = text(value).strip()
    if not found or len(found) > LONGEST_NAME:
        raise wrong(where, f"{what} has to have 1 to {LONGEST_NAME} characters", f"{where}.{what}")
    return found


def metadata(fields: Mapping[str, object], left_out: Sequence[str] = ()) -> dict[str, object]:
    """Those fields that can name a group or be shown: short texts, numbers, truth values."""
    kept: dict[str, object] = {}
    for key, value in fields.items():
        if key in left_out or len(str(key)) > LONGEST_NAME or len(kept) == MOST_METADATA:
            continue
        short = isinstance(value, str) and len(value) <= LONGEST_VALUE
        whole = isinstance(value, int) and -(2**63) <= value < 2**63
        finite = isinstance(value, float) and math.isfinite(value)
        if short or whole or finite:
            kept[text(key)] = text(value) if short else value
    return kept


def plain(value: object, depth: int = 0) -> object:
    """A value of a file as JSON that can be stored: what cannot be is cut away or written out."""
    if isinstance(value, Mapping):
        if depth >= DEEPEST:
            return "…"
        return {text(key): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return "…" if depth >= DEEPEST else [plain(inner, depth + 1) for inner in value[:1000]]
    whole = isinstance(value, int) and -(2**63) <= value < 2**63
    if value is None or whole or (isinstance(value, float) and math.isfinite(value)):
        return value
    return text(value)[:10_000]
