"""Which samples a test is over, and which of them belong together, by their metadata."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from metrics.core.clustered import LONGEST_VALUE
from metrics.core.compare import Grouping
from metrics.core.names import hint, without_value
from service.datasets import store as datasets
from service.errors import invalid


def sliced(db: Connection, sets: Sequence[str], name: str) -> frozenset[str]:
    """Ids of the samples of a slice, as `lang=ru`, in any of the datasets.

    Raises 422 where there is none, naming the values or fields that there are.
    """
    field, _, value = name.partition("=")
    chosen: set[str] = set()
    there: set[str] = set()
    for one in sets:
        of = datasets.read_metadata(db, one, field)
        there |= set(of.values())
        if value in of.values():
            ids = datasets.read_ids(db, one)
            chosen |= {ids[at] for at, own in of.items() if own == value}
    if chosen:
        return frozenset(chosen)
    if there:
        message = f"no sample has {name!r}: of {field}, {hint(value, sorted(there))}"
    else:
        fields = {known for one in sets for known in datasets.metadata_fields(db, one)}
        message = f"a slice is FIELD=VALUE of the metadata, of at most {LONGEST_VALUE} characters, "
        message += f"and {without_value(field, fields)}"
    raise invalid("unknown_slice", message, "slice")


def clustered(db: Connection, sets: Sequence[str], field: str) -> Grouping:
    """The cluster of every sample of the datasets; of an id in several, that of the first."""
    names: dict[str, str] = {}
    for one in sets:
        own = zip(datasets.read_ids(db, one), datasets.read_clusters(db, one, field), strict=True)
        names = dict(own) | names
    return Grouping(field, names)
