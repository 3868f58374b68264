"""An archive held to itself: numbers from rows, rows from evidence, evidence from outputs.

Each step is computed again where this machine can, and everything has to be equal to the last
digit. Nothing is asked of a network, and no code of the archive's runs unless that is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from inference.errors import ReportedError
from inference.protocol import NoModels
from metrics.core.archive import Archive, cluster_of, members
from metrics.core.errors import NotMeasured
from metrics.core.evidence import Evidence
from metrics.core.manifest import MetricFacts
from metrics.core.measure import items_of, measure
from metrics.core.metric import AnyMetric, BoundMetric, Sample
from metrics.core.remeasure import draw, remeasure
from metrics.core.result import Result, ScoreValue, conclude, failed, recomputed
from metrics.core.rows import Ints
from metrics.core.settling import restrict
from metrics.core.signature import difference, parts, text

Find = Callable[[str], AnyMetric]
Status = Literal["equal", "differs", "unchecked"]
NUMBERS = (
    *("value", "low", "high", "level", "n", "missing", "interval_method", "signature"),
    *("clusters", "design_effect", "higher_is_better", "rated"),
)
MOST_SHOWN = 5
NOT_KEPT = "its evidence was not kept"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    what    "value", "rows" or "sample"
    score   of `value`: the score's name; "" otherwise
    slice   as `lang=ru`; "": the whole set
    value   of `value`: the number in the archive
    detail  what differs, or why it was not checked
    """

    metric: str
    what: str
    status: Status
    score: str = ""
    slice: str = ""
    value: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is computed again.

    fraction  of the samples, to be measured again where the metric runs no model
    run_code  whether programs among the outputs may be run (in the sandbox)
    rows_only whether rows are taken as they are: what an import looks at
    """

    fraction: float = 0.05
    seed: int = 0
    run_code: bool = False
    rows_only: bool = False


def verify(archive: Archive, find: Find, options: Options) -> Iterator[Check]:
    """Every check, metric by metric. Raises UnreadableArchive for what the archive cannot hold.

    find  the metric of a name; raises ReportedError where there is none
    """
    samples = archive.samples()
    for one in archive.manifest.metrics:
        yield from _Metric(archive, one, samples, find, options).checks()


def sound(checks: Sequence[Check]) -> bool:
    """Whether nothing differs, and every value of a whole set was computed again."""
    return not any(
        check.status == "differs"
        or (check.status == "unchecked" and check.what == "value" and not check.slice)
        for check in checks
    )


class _Metric:
    """The checks of one metric."""

    def __init__(
        self,
        archive: Archive,
        facts: MetricFacts,
        samples: Sequence[Sample],
        find: Find,
        options: Options,
    ) -> None:
        self.facts = facts
        self.asked = archive.manifest.evaluation
        self.archive = archive
        self.samples = samples
        self.find = find
        self.options = options
        self.ids = [sample.id for sample in samples]
        _, self.unit = items_of(samples)
        self.cluster = cluster_of(samples, self.asked.cluster)
        self.signature = facts.signature or {"name": facts.name}
        scores = [one for one in archive.scores() if one.get("position") == facts.position]
        self.whole = [one for one in scores if not one.get("slice")]
        self.sliced = [one for one in scores if one.get("slice")]

    def checks(self) -> Iterator[Check]:
        """From the numbers down to the outputs."""
        result = self.archive.result(self.facts)
        if result is None:
            yield from self._failed()
            return
        try:
            metric = self.find(self.facts.name).bind(
                self.facts.resolved if self.facts.resolved is not None else self.facts.params
            )
        except ReportedError as error:
            for score in self.whole:
                yield self._check("value", "unchecked", score, error.message)
            return
        evidence = self.archive.evidence(self.facts)
        try:
            if evidence is None and self._measurable(metric) is None:
                evidence = measure(metric, items_of(self.samples)[0], NoModels())
            yield from self._values(metric, result, evidence)
            yield from self._rows(metric, result, evidence)
            yield from self._slices(metric, result, evidence)
            if not self.options.rows_only and (evidence is None or self.facts.evidence):
                yield self._sample(metric, evidence)
        except (ReportedError, ValueError, LookupError, ArithmeticError, TypeError) as error:
            # arrays that no run of the metric makes, in whichever way it stumbles over them
            message = f"it cannot be computed again: {type(error).__name__}: {error}"
            yield Check(self.facts.name, "rows", "differs", detail=message)

    def _failed(self) -> Iterator[Check]:
        """A metric without a result has no value, and says why."""
        for score in (*self.whole, *self.sliced):
            reported = score.get("value") is not None or not score.get("error")
            status: Status = "unchecked" if reported else "equal"
            yield self._check("value", status, score, "it has no rows" if reported else "")

    def _values(
        self, metric: BoundMetric, result: Result, evidence: Evidence | None
    ) -> Iterator[Check]:
        """The numbers that the rows lead to."""
        every = np.arange(len(self.ids), dtype=np.int64)
        again = self._again(metric, result, evidence, every)
        if again is None:
            for score in self.whole:
                yield self._check("value", "unchecked", score, NOT_KEPT)
            return
        yield from self._scores(self.whole, again.scores, "")
        for name in ("per_sample", "replicates"):
            if not _equal(getattr(result, name), getattr(again, name)):
                detail = f"{name} are not those that the rows lead to{self._here(metric)}"
                yield Check(self.facts.name, "rows", "differs", detail=detail)

    def _rows(
        self, metric: BoundMetric, result: Result, evidence: Evidence | None
    ) -> Iterator[Check]:
        """The rows that the evidence leads to."""
        if evidence is None:
            yield Check(self.facts.name, "rows", "unchecked", detail=NOT_KEPT)
            return
        again = conclude(metric, evidence, self.unit, self.ids, self.signature, replicates=1)
        wrong = [
            name
            for name in ("rows", "loss", "variance", "freedom", "shared")
            if not _equal(getattr(result.settled, name), getattr(again.settled, name))
        ]
        wrong += [
            name
            for name in ("missing", "unvoted")
            if not _equal(getattr(result, name), getattr(again, name))
        ]
        if wrong:
            detail = f"{', '.join(wrong)}: not what the evidence leads to{self._here(metric)}"
            yield Check(self.facts.name, "rows", "differs", detail=detail)
        else:
            whole = self.facts.evidence is None
            detail = f"all {len(self.samples)} samples measured again" if whole else ""
            yield Check(self.facts.name, "rows", "equal", detail=detail)

    def _slices(
        self, metric: BoundMetric, result: Result, evidence: Evidence | None
    ) -> Iterator[Check]:
        """The numbers of the slices, from the evidence, or from rows that no other row changes."""
        for name in dict.fromkeys(str(score["slice"]) for score in self.sliced):
            stored = [score for score in self.sliced if score["slice"] == name]
            chosen = members(name, self.asked.slices, self.samples)
            counted = {score.get("n", 0) + score.get("missing", 0) for score in stored}
            if counted != {len(chosen)}:
                for score in stored:
                    yield self._check("value", "unchecked", score, "who is in it is not plain")
                continue
            again = self._again(metric, result, evidence, chosen)
            if again is None:
                for score in stored:
                    yield self._check("value", "unchecked", score, NOT_KEPT)
            else:
                yield from self._scores(stored, again.scores, name)

    def _again(
        self, metric: BoundMetric, result: Result, evidence: Evidence | None, chosen: Ints
    ) -> Result | None:
        """The result of the `chosen` samples; None where it takes evidence that is not there.

        Rows do where no other sample changes them, or all are chosen.
        """
        ids = [self.ids[index] for index in chosen.tolist()]
        cluster = self.cluster.take(chosen) if self.cluster is not None else None
        asked, whole = self.asked, len(chosen) == len(self.ids)
        rows_do = metric.metric.settle is None or whole
        if not rows_do or (cluster is not None and result.settled.loss is not None):
            if evidence is None:
                return None
            part, unit = restrict(evidence, self.unit, chosen)
            return conclude(
                *(metric, part, unit, ids, self.signature),
                cluster=cluster,
                seed=asked.seed,
                replicates=asked.replicates,
                level=asked.level,
            )
        if not whole:
            missing = result.missing[chosen]
            result = Result((), result.settled.take(chosen), None, None, missing, result.seed)
        if result.missing.all():
            return failed(metric, ids, self.signature, "no value", level=asked.level)
        return recomputed(
            *(metric, result, ids, self.signature),
            cluster=cluster,
            replicates=asked.replicates,
            level=asked.level,
        )

    def _sample(self, metric: BoundMetric, evidence: Evidence | None) -> Check:
        """A random part, measured again."""
        name, options = self.facts.name, self.options
        why = self._measurable(metric) or (evidence is None and NOT_KEPT)
        chosen = draw(len(self.samples), options.fraction, options.seed)
        if why or evidence is None or not len(chosen):
            return Check(name, "sample", "unchecked", detail=why or "no samples were asked for")
        try:
            again = remeasure(metric, self.samples, evidence, chosen, NoModels())
        except NotMeasured as error:
            return Check(name, "sample", "unchecked", detail=error.message)
        if not len(again.unlike):
            return Check(name, "sample", "equal", detail=f"{len(again.checked)} samples")
        shown = ", ".join(repr(self.ids[index]) for index in again.unlike[:MOST_SHOWN].tolist())
        detail = f"{len(again.unlike)} of {len(again.checked)} samples: {shown}"
        return Check(name, "sample", "differs", detail=detail + self._here(metric))

    def _measurable(self, metric: BoundMetric) -> str | None:
        """Why the metric is not measured again here; None where it is."""
        if self.options.rows_only:
            return "only the rows were looked at"
        if metric.models:
            return f"it runs a model: {', '.join(metric.models)}"
        if "tests" in metric.reads and not self.options.run_code:
            return "it runs the outputs' code: --run-code allows that, in the sandbox"
        return None

    def _scores(
        self, stored: Sequence[Mapping[str, Any]], again: Sequence[ScoreValue], slice_: str
    ) -> Iterator[Check]:
        fresh = {score.name: _shown(score) for score in again}
        lacking = set(fresh) - {str(score.get("name")) for score in stored}
        for name in sorted(lacking):
            yield Check(self.facts.name, "value", "differs", name, slice_, None, "it was left out")
        for score in stored:
            found = fresh.get(str(score.get("name")), {})
            wrong = [
                f"{name} {score.get(name)!r}, computed {found.get(name)!r}"
                for name in NUMBERS
                if score.get(name) != found.get(name)
            ]
            status: Status = "differs" if wrong else "equal"
            yield self._check("value", status, score, "; ".join(wrong))

    def _check(self, what: str, status: Status, score: Mapping[str, Any], detail: str) -> Check:
        name, slice_ = str(score.get("name")), str(score.get("slice") or "")
        value = score.get("value")
        number = float(value) if isinstance(value, int | float) else None
        return Check(self.facts.name, what, status, name, slice_, number, detail)

    def _here(self, metric: BoundMetric) -> str:
        """What this machine has otherwise, where that may be why."""
        if metric.models:
            return ""
        unlike = difference(text(self.signature), text(parts(metric, NoModels())))
        return f" (there / here: {', '.join(unlike)})" if unlike else ""


def _shown(score: ScoreValue) -> dict[str, object]:
    low, high = score.interval or (None, None)
    return {name: getattr(score, name, None) for name in NUMBERS} | {"low": low, "high": high}


def _equal(one: Any, other: Any) -> bool:
    """Whether two arrays or numbers are equal to the bit, NaN in the same places; or both None."""
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one, other, equal_nan=True))
