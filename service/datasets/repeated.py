"""Fields whose values several records share: they may say which samples belong together."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select, text

from metrics.core.clustered import PROMPT
from service.datasets.store import asked_text, cluster_names, shortened
from service.db.tables import records

MOST_FIELDS = 8

# values are counted by a hash of 64 bits, which needs no sorting of texts
FIELDS = text("""
    SELECT key FROM (
        SELECT key, hashtextextended(value, 0) AS value, count(*) AS times FROM (
            SELECT key, value FROM records, jsonb_each_text(content -> 'metadata')
            WHERE dataset_id = :dataset AND jsonb_typeof(content -> 'metadata') = 'object'
            UNION ALL
            SELECT 'prompt', coalesce(content ->> 'prompt', content ->> 'messages')
            FROM records WHERE dataset_id = :dataset
        ) AS fields
        WHERE value IS NOT NULL AND NOT key = ANY(:without)
        GROUP BY 1, 2
    ) AS counted
    GROUP BY key HAVING count(*) > 1 AND max(times) > 1
    ORDER BY key LIMIT :most
""")

ASKED_AGAIN = text("""
    SELECT exists(
        SELECT 1 FROM records WHERE dataset_id = :dataset
        GROUP BY hashtextextended(coalesce(content ->> 'prompt', content ->> 'messages'), 0)
        HAVING count(*) > 1
    )
""")


def asks_again(db: Connection, dataset_id: str) -> bool:
    """Whether several records ask the same."""
    return bool(db.scalar(ASKED_AGAIN, {"dataset": dataset_id}))


def read_repeated(
    db: Connection, dataset_id: str, without: Collection[str] = ()
) -> dict[str, list[str]]:
    """The clusters by each such field, of the metadata or `prompt`: a name for each record.

    without  fields that are not looked at
    """
    given = {"dataset": dataset_id, "without": list(without), "most": MOST_FIELDS}
    fields = db.scalars(FIELDS, given).all()
    return _clusters(db, dataset_id, fields) if fields else {}


def _clusters(db: Connection, dataset_id: str, fields: Sequence[str]) -> dict[str, list[str]]:
    """`read_clusters` of every field, from one look at the records."""
    metadata, prompt = records.c.content["metadata"], asked_text()
    values = [shortened(metadata[field].astext) for field in fields]
    values += [shortened(prompt)] if PROMPT in fields else []
    query = select(records.c.record_id, *values).where(records.c.dataset_id == dataset_id)
    ids, *columns = zip(*db.execute(query.order_by(records.c.index)).tuples(), strict=True)
    found = dict(zip(fields, columns, strict=False))
    if PROMPT in found and not any(value is not None for value in found[PROMPT]):
        found[PROMPT] = columns[-1]  # no metadata calls itself so
    return {field: cluster_names(values, ids) for field, values in found.items()}
