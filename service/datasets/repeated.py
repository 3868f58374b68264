"""Fields whose values several records share: they may say which samples belong together."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

from service.datasets.store import read_clusters, read_ids

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


def read_repeated(
    db: Connection, dataset_id: str, without: Collection[str] = ()
) -> dict[str, list[str]]:
    """The clusters by each such field, of the metadata or `prompt`: a name for each record.

    without  fields that are not looked at
    """
    given = {"dataset": dataset_id, "without": list(without), "most": MOST_FIELDS}
    fields = db.scalars(FIELDS, given).all()
    ids = read_ids(db, dataset_id) if fields else []
    return {field: read_clusters(db, dataset_id, field, ids) for field in fields}
