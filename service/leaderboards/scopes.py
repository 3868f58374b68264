"""Which evaluations and samples a test is over, and which samples belong together."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from metrics.core.clustered import LONGEST_VALUE
from metrics.core.compare import Grouping
from metrics.core.names import hint, without_value
from service.datasets import store as datasets
from service.errors import ApiError, invalid
from service.evaluations import store as evaluations
from service.evaluations.store import Evaluation


def finished(db: Connection, evaluation: str, param: str) -> Evaluation:
    """The evaluation. Raises 404 where there is none, 409 where it has not succeeded."""
    return _finished(evaluations.get(db, evaluation), evaluation, param)


def all_finished(db: Connection, named: Sequence[str], param: str) -> list[Evaluation]:
    """The evaluations, read at once. Raises of the first that is wrong, as `finished` does."""
    rows = evaluations.get_many(db, named)
    return [_finished(rows.get(one), one, f"{param}[{at}]") for at, one in enumerate(named)]


def _finished(row: Evaluation | None, evaluation: str, param: str) -> Evaluation:
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
        named = " and ".join(f"{one.dataset_name}@{one.dataset_version}" for one in (a, b))
        message = (
            f"the evaluations are on {named}, in which the sample {record!r} is not the same: a "
            "difference between the systems could not be told from one between the datasets"
        )
        raise invalid("different_samples", message, param)


def sliced(db: Connection, sets: Sequence[str], name: str, param: str = "slice") -> frozenset[str]:
    """Ids of the samples of a slice, as `lang=ru`, in any of the datasets.

    Raises 422 where there is none, naming the values or fields that there are.
    """
    field, equals, value = name.partition("=")
    chosen: set[str] = set()
    there: set[str] = set()
    for one in sets:
        of = datasets.read_metadata(db, one, field)
        there |= set(of.values())
        if equals and value in of.values():
            ids = datasets.read_ids(db, one)
            chosen |= {ids[at] for at, own in of.items() if own == value}
    if chosen:
        return frozenset(chosen)
    if there:
        known = [f"{field}={one}" for one in sorted(there)]
        message = f"no sample is of the slice {name!r}; {hint(name, known)}"
    else:
        fields = {known for one in sets for known in datasets.metadata_fields(db, one)}
        message = f"a slice is FIELD=VALUE of the metadata, of at most {LONGEST_VALUE} characters, "
        message += f"and {without_value(field, fields)}"
    raise invalid("unknown_slice", message, param)


def clustered(db: Connection, sets: Sequence[str], field: str) -> Grouping:
    """The cluster of every sample of the datasets; of an id in several, that of the first. Raises
    422 where no sample has a value in the field."""
    names: dict[str, str] = {}
    for one in sets:
        own = zip(datasets.read_ids(db, one), datasets.read_clusters(db, one, field), strict=True)
        names = dict(own) | names
    return Grouping(field, names)
