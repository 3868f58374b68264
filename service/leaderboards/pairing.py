"""Two evaluations made ready to be compared from stored rows, over a slice or by clusters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics.core.differences import Matched, Stored, Values, match, own_values, values
from metrics.core.metric import BoundMetric
from metrics.core.metric import Score as Declared
from metrics.core.names import hint
from metrics.core.rows import Floats
from metrics.core.signature import difference
from service.datasets import store as datasets
from service.errors import ApiError, invalid
from service.evaluations import store as evaluations
from service.evaluations.scores import Score
from service.evaluations.store import Evaluation
from service.leaderboards.paired import PairedResult

GONE = "the rows behind the values are gone"


@dataclass(frozen=True, slots=True)
class Pairing:
    """One score of two evaluations over the samples that count in both.

    values   with their errors
    own      (n,), (n,) the samples' own values, where the score is their mean
    only_b   samples on which only the second has a value
    names    (n,) the samples' clusters, where there are any
    """

    metric: BoundMetric
    score: Declared
    values: Values
    own: tuple[Floats, Floats] | None
    only_b: int
    names: Sequence[str] | None


def finished(db: Connection, evaluation: str, param: str) -> Evaluation:
    """The evaluation. Raises 404 where there is none, 409 where it has not succeeded."""
    row = evaluations.get(db, evaluation)
    if row is None:
        raise ApiError(404, "evaluation_not_found", f"there is no evaluation {evaluation!r}", param)
    if row.status != "succeeded":
        message = f"{evaluation} is {row.status}: only succeeded evaluations have results to test"
        raise ApiError(409, "not_finished", message, param)
    return row


def check_same_samples(db: Connection, a: Evaluation, b: Evaluation, param: str) -> None:
    """Raises 422 when an id names one sample in the one dataset and another in the other."""
    if a.dataset_id == b.dataset_id:
        return
    record = datasets.differing(db, a.dataset_id, b.dataset_id)
    if record is not None:
        named = [f"{one.dataset_name}@{one.dataset_version}" for one in (a, b)]
        message = f"the evaluations are on {' and '.join(named)}, in which the sample {record!r} "
        raise invalid("different_samples", message + "is not the same", param)


def score_named(scores: Sequence[Score], name: str, param: str) -> Score:
    """The whole set's score called so, or the only one of the metric called so. Raises 422."""
    whole = [one for one in scores if not one.slice and one.value is not None]
    found = [one for one in whole if one.name == name] or [
        one for one in whole if one.metric == name
    ]
    if not found:
        there = sorted({one.name for one in whole})
        message = f"the evaluation has no value of {name!r}; {hint(name, there)}"
        raise invalid("unknown_score", message, param)
    names = {one.name for one in found}
    if len(names) > 1:
        message = f"{name!r} has several scores: name one of {', '.join(sorted(names))}"
        raise invalid("ambiguous_score", message, param)
    return found[0]


def counterpart(scores: Sequence[Score], of: Score) -> Score | None:
    """The same score of another evaluation, of the same signature where there are several."""
    alike = [one for one in scores if not one.slice and one.name == of.name]
    same = [one for one in alike if one.signature == of.signature]
    return next(iter(same or alike), None)


def slice_ids(db: Connection, dataset_id: str, name: str, param: str) -> list[str]:
    """Ids of the samples of a slice, `lang=ru`. Raises 422 where it has none."""
    key, equals, value = name.partition("=")
    known = datasets.read_metadata(db, dataset_id, key) if equals else {}
    if value not in known.values():
        there = [f"{key}={one}" for one in dict.fromkeys(known.values())]
        there = there or [f"{one}=…" for one in datasets.metadata_fields(db, dataset_id)]
        message = f"no sample is of the slice {name!r}; {hint(name, there)}"
        raise invalid("unknown_slice", message, param)
    ids = datasets.read_ids(db, dataset_id)
    return [ids[index] for index, one in known.items() if one == value]


def cluster_names(db: Connection, dataset_id: str, field: str | None) -> dict[str, str] | None:
    """Each sample's cluster, by its id; None without a field. Raises 422 for an unknown one."""
    if field is None:
        return None
    named = datasets.read_clusters(db, dataset_id, field)
    return dict(zip(datasets.read_ids(db, dataset_id), named, strict=True))


def pairing(
    a: PairedResult | None,
    b: PairedResult | None,
    *,
    within: Collection[str] | None = None,
    cluster: Mapping[str, str] | None = None,
) -> Pairing:
    """The score of both. Raises ReportedError where the two cannot be compared."""
    if a is None or b is None:
        raise ReportedError(GONE)
    left, right = a.result.scores[a.index], b.result.scores[b.index]
    if left.signature != right.signature:
        parts = "; ".join(difference(left.signature, right.signature))
        message = f"the signatures differ, so the values cannot be compared: {parts}"
        raise ReportedError(message)
    one, other = Stored(a.result, a.ids), Stored(b.result, b.ids)
    units: Matched = match(a.metric, one, other, within=within, cluster=cluster)
    own = [
        own_values(a.metric, stored, at, a.index)
        for stored, at in ((one, units.at_a), (other, units.at_b))
    ]
    return Pairing(
        metric=a.metric,
        score=a.metric.scores[a.index],
        values=values(a.metric, one, other, units, a.index),
        own=(own[0], own[1]) if own[0] is not None and own[1] is not None else None,
        only_b=_only(b, a, within),
        names=units.names,
    )


def _only(one: PairedResult, other: PairedResult, within: Collection[str] | None) -> int:
    """Samples, of the slice if there is one, on which `one` alone has a value."""
    valued = {id for id, gone in zip(other.ids, other.result.missing, strict=True) if not gone}
    chosen = frozenset(one.ids if within is None else within)
    pairs = zip(one.ids, one.result.missing, strict=True)
    return sum(not gone and id in chosen and id not in valued for id, gone in pairs)
