"""What a metric is: one frozen declaration. Catalogue, validation, docs, signature derive from it.

measure(items, params, models) -> Evidence  one item per output; may run a model; slow
settle(evidence, unit, params) -> Settled   rows (n_units, n_columns) float64; sees the set
reduce(sums, params) -> values              sums (..., n_columns) -> (..., n_scores); numpy
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from inference.kinds import ModelKind
from inference.protocol import Models
from metrics.core.declared import Exchange, Flag, IntervalMethod, Reads, Score, Source
from metrics.core.evidence import Evidence
from metrics.core.params import Params, settle_only, up_to
from metrics.core.registry import parsed
from metrics.core.rows import SETTLE, Floats, Ints, Pooling, Settled
from metrics.core.samples import Item, Opponent, Sample
from metrics.core.verdicts import Verdict

__all__ = [
    "AnyMetric",
    "BoundMetric",
    "Exchange",
    "Flag",
    "Given",
    "IntervalMethod",
    "Item",
    "Metric",
    "Opponent",
    "P",
    "Params",
    "Reads",
    "Sample",
    "Score",
    "Source",
    "given",
    "settle_only",
    "up_to",
]

P = TypeVar("P", bound=Params)
T = TypeVar("T")
Given = (
    tuple[T, ...] | Callable[[P], tuple[T, ...]]
)  # always the same, or as the parameters have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Generic[P]):
    """A metric, declared. `service` and the docs know nothing of it that is not here."""

    name: str
    version: int  # raised when any number may change
    about: str  # one sentence
    params: type[P]
    reads: tuple[Reads, ...]  # what evidence depends on, and what the cache's key covers
    needs: Given[Reads, P]  # what every sample must carry
    scores: Given[Score, P]
    interval: IntervalMethod
    source: Source
    formula: str = ""  # as people write it, of the default parameters
    avoid: str = ""  # where not to use it, and what it does not see
    measure: Callable[[Sequence[Item], P, Models], Evidence]
    # either, not both: where the evidence is the row, how a sample's several outputs make one row
    pooling: Pooling | None = None
    settle: Callable[[Evidence, Ints, P], Settled] | None = None
    reduce: Callable[[Floats, P], Floats]
    # (n, n_columns) rows of single samples -> (n, n_scores); None: reduce itself
    sentence: Callable[[Floats, P], Floats] | None = None
    # (n_scores, 2) of sums: units that a score is of, NaN: all, and that people rated, NaN: none
    counts: Callable[[Floats, P], Floats] | None = None
    # (n_items, n_scores) each output's own value, NaN for scores that are no mean of outputs; None:
    # what settling each output alone gives
    single: Callable[[Evidence, P], Floats] | None = None
    # of each item, what was found of its parts, for people to read and no part of any number
    verdicts: Callable[[Evidence, P], list[list[Verdict]]] | None = None
    # (n_scores,) how high the values could be at these sums (n_columns,), where `Score.high` says
    # less: distinct n-grams cannot be more than n-grams
    ceiling: Callable[[Floats, P], Floats] | None = None
    # whether scores within bounds are shares of them; False: numbers of things, up to a ceiling
    shares: bool = True
    # whether it varies the less, the nearer to a bound: see `statistics.paired_jackknife.slopes`
    arcsine: bool = False
    # scores of `interval: jackknife` that are no smooth functions of the sums; None: all are
    exchange: Exchange[P] | None = None
    # of `interval: jackknife`: whether a sample's row is its own, whatever the other samples are,
    # so that the rows of a slice's samples are the slice's; False: it depends on the set
    own_rows: bool = False
    set_level: bool = False  # no per-sample value exists, so it cannot be a reward
    libraries: Given[str, P] = ()  # distributions whose version is in the signature
    models: Given[str, P] = ()  # names of the models it runs
    model_kind: ModelKind | None = None  # what they have to be; None: any
    # of models of several kinds instead: the parameter that names each, and what it has to be
    model_kinds: Mapping[str, ModelKind] = field(default_factory=dict)
    calls_url: bool = False  # it calls a URL that its parameters name
    flags: Mapping[int, Flag] = field(default_factory=dict)
    # fields of the samples' metadata that settling reads as numbers: `metrics.core.beside`
    fields: Given[str, P] = ()
    # values (M, S) of draws of which an item's evidence is the mean, and the item (M,) of each
    draws: Callable[[Evidence, P], tuple[Floats, Ints]] | None = None
    # another system, whose outputs the samples have to carry; None: no other's are looked at
    opponent: Callable[[P], Opponent | None] | None = None
    # batches of item indices, fixed before the cache is looked up; None: all in one
    plan: Callable[[Sequence[Item], P, Models], list[list[int]]] | None = None
    # fills parameters that depend on the data ("auto"), before anything is measured
    resolve: Callable[[P, Sequence[Sample]], P] | None = None
    # raises InputError for what only the samples can show to be wrong (k > n)
    check: Callable[[P, Sequence[Sample]], None] | None = None
    cached: bool = False  # evidence is dear enough to look up instead of measuring again
    # an item's evidence does not depend on what else is in its batch, not even in its last digits
    independent: bool = False
    bulky: bool = False  # evidence is large: dropped once the result is in
    # of a metric that is made of another by its parameters: the metric that it then is
    derive: Callable[[P], AnyMetric] | None = None
    # the metric whose evidence it settles, so that what was measured for that is not again
    measured_by: BoundMetric | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where not exactly one of `pooling` and `settle` is declared."""
        if (self.pooling is None) == (self.settle is None):
            raise ValueError(f"{self.name}: declare either pooling or settle")

    @property
    def conventions(self) -> str:
        """The docstring of the module that declares it: the one that `measure` stands in."""
        measure = getattr(self.measure, "func", self.measure)  # of a partial, what it calls
        module = sys.modules.get(measure.__module__)
        return (module.__doc__ or "").strip() if module else ""

    def bind(self, params: Mapping[str, object] | Params | None = None) -> BoundMetric:
        """The metric with these parameters, the others at their defaults.

        Raises InputError naming the parameter (`params.k`), with the nearest names.
        """
        if not isinstance(params, self.params):
            params = parsed(self.params, dict(params or {}), self.name, "params")
        return BoundMetric(self if self.derive is None else self.derive(params), params)


AnyMetric = Metric[Any]


@dataclass(frozen=True, slots=True)
class BoundMetric:
    """A metric with its parameters; made by `Metric.bind`. Equal where both are equal."""

    metric: AnyMetric
    params: Params

    @property
    def name(self) -> str:
        """The metric's name, without parameters."""
        return self.metric.name

    @property
    def version(self) -> int:
        """The metric's version, raised when any number may change."""
        return self.metric.version

    @property
    def reads(self) -> tuple[Reads, ...]:
        """Fields of an item that the evidence depends on."""
        return self.metric.reads

    @property
    def needs(self) -> tuple[Reads, ...]:
        """Fields that every sample must carry."""
        return given(self.metric.needs, self.params)

    @property
    def scores(self) -> tuple[Score, ...]:
        """The scores it yields, in the order of `reduce`'s last axis."""
        return given(self.metric.scores, self.params)

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of `scores`, in order."""
        return tuple(score.name for score in self.scores)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models it runs."""
        return given(self.metric.models, self.params)

    @property
    def required_models(self) -> tuple[tuple[str, str, ModelKind | None], ...]:
        """Of each model: its name, the parameter that names it, what it has to be."""
        kinds = self.metric.model_kinds
        if kinds:
            params = (self.metric.measured_by or self).params
            return tuple((getattr(params, param), param, kinds[param]) for param in kinds)
        named = {value: param for param, value in self.params if isinstance(value, str)}
        kind = self.metric.model_kind
        return tuple((name, named.get(name, "model"), kind) for name in self.models)

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the metadata that settling reads as numbers."""
        return given(self.metric.fields, self.params)

    @property
    def opponent(self) -> Opponent | None:
        """Another system, whose outputs the samples have to carry."""
        return self.metric.opponent(self.params) if self.metric.opponent is not None else None

    @property
    def libraries(self) -> tuple[str, ...]:
        """Distributions whose version can change a number."""
        return given(self.metric.libraries, self.params)

    @property
    def interval(self) -> IntervalMethod:
        """How intervals are computed."""
        return self.metric.interval

    @property
    def exchanged(self) -> tuple[int, ...]:
        """Places of the scores that are tested by exchanging rows."""
        if self.metric.exchange is None:
            return ()
        chosen = given(self.metric.exchange.scores, self.params)
        return tuple(at for at, name in enumerate(self.score_names) if name in chosen)

    @property
    def flags(self) -> Mapping[int, Flag]:
        """What the codes of the evidence's `flag` column mean."""
        return self.metric.flags

    @property
    def set_level(self) -> bool:
        """Whether no per-sample value exists."""
        return self.metric.set_level

    @property
    def set_bound(self) -> bool:
        """Whether rows depend on the whole set: those of a slice's samples are not the slice's."""
        return self.interval == "jackknife" and not self.metric.own_rows

    @property
    def cached(self) -> bool:
        """Whether evidence is looked up in the cache before it is measured."""
        return self.metric.cached

    @property
    def independent(self) -> bool:
        """Whether a batch may be measured in part, where the cache has the rest."""
        return self.metric.independent

    @property
    def bulky(self) -> bool:
        """Whether evidence is dropped once the result is in."""
        return self.metric.bulky

    def dump(self) -> dict[str, Any]:
        """All parameters as JSON values: `metric.bind` makes the same of them."""
        return self.params.model_dump(mode="json")

    def plan(self, items: Sequence[Item], models: Models) -> list[list[int]]:
        """Batches of indices of `items`, each index once; a single batch unless declared."""
        if self.metric.plan is None:
            return [list(range(len(items)))]
        return self.metric.plan(items, self.params, models)

    def measure(self, items: Sequence[Item], models: Models) -> Evidence:
        """Evidence of one batch, an entry per item. May run a model."""
        return self.metric.measure(items, self.params, models)

    def settle(self, evidence: Evidence, unit: Ints) -> Settled:
        """Rows (n_units, n_columns) of the whole set; `unit` (n_items,) is each output's sample."""
        settle = self.metric.settle or SETTLE[self.metric.pooling]
        return settle(evidence, unit, self.params)

    def reduce(self, sums: Floats) -> Floats:
        """Values (..., n_scores) of summed rows (..., n_columns)."""
        return self.metric.reduce(sums, self.params)

    def bounds(self, sums: Floats) -> tuple[Floats, Floats]:
        """(n_scores,), (n_scores,) the values' ranges at summed rows; infinite where there is no
        end."""
        low = np.array([score.low for score in self.scores])
        high = np.array([score.high for score in self.scores])
        if self.metric.ceiling is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                reached = self.metric.ceiling(sums, self.params)
            high = np.where(np.isfinite(reached), np.minimum(reached, high), high)
        return low, high

    def exchange_orders(self, a: Floats, b: Floats) -> tuple[Ints, Ints]:
        """(C,), (C,) the orders of two systems' columns as rows are exchanged."""
        if self.metric.exchange is None:
            raise ValueError(f"{self.name} has no score that is tested by exchanging rows")
        return self.metric.exchange.orders(a, b, self.params)

    def per_sample(self, rows: Floats) -> Floats:
        """(n_units, n_scores) each unit's own value; NaN for units without one."""
        own = self.metric.sentence or self.metric.reduce
        with np.errstate(divide="ignore", invalid="ignore"):
            return own(rows, self.params)

    def resolve(self, samples: Sequence[Sample]) -> BoundMetric:
        """The metric with parameters that depend on the data ("auto") filled in."""
        if self.metric.resolve is None:
            return self
        return BoundMetric(self.metric, self.metric.resolve(self.params, samples))

    def check(self, samples: Sequence[Sample]) -> None:
        """Raises InputError for what only the samples show to be wrong (k > n)."""
        if self.metric.check is not None:
            self.metric.check(self.params, samples)


def given(declared: Given[T, P], params: P) -> tuple[T, ...]:
    """What a metric declares, as the parameters have it."""
    return declared(params) if callable(declared) else declared
