"""The evidence cache: what was measured before, by signature and item. Bounded and disposable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from metrics.core.evidence import Evidence
from service.db.tables import evidence_cache
from service.settings import Settings


class StoredEvidence:
    """An `EvidenceCache` over a table; each call is a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.hits = 0

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Evidence]:
        """The evidence of one item each, of those keys that are stored."""
        table = evidence_cache
        with self.engine.begin() as db:
            rows = db.execute(select(table.c.key, table.c.data).where(table.c.key.in_(list(keys))))
            found = {bytes(row.key): Evidence.decode(row.data) for row in rows}
            if found:  # at most once an hour: a read should not cost a write
                db.execute(
                    update(table)
                    .where(table.c.key.in_(list(found)))
                    .where(table.c.used_at < func.now() - text("interval '1 hour'"))
                    .values(used_at=func.now())
                )
        self.hits += len(found)
        return found

    def keep(self, found: Mapping[bytes, Evidence]) -> None:
        """Store evidence of one item each; what is there already stays."""
        rows = [{"key": key, "data": evidence.encode()} for key, evidence in sorted(found.items())]
        if rows:
            with self.engine.begin() as db:
                db.execute(insert(evidence_cache).on_conflict_do_nothing(), rows)


def forget_old(db: Connection, settings: Settings) -> None:
    """Delete the longest unused evidence until what is left fits `ASSAY_EVIDENCE_CACHE_BYTES`."""
    limit = settings.evidence_cache_bytes
    size = db.scalar(select(func.pg_total_relation_size("evidence_cache"))) or 0
    if size <= limit:
        return
    table = evidence_cache
    newest_first = select(
        table.c.key,
        func.sum(func.octet_length(table.c.data))
        .over(order_by=(table.c.used_at.desc(), table.c.key))
        .label("running"),
    ).subquery()
    outside = select(newest_first.c.key).where(newest_first.c.running > limit * 0.8)
    db.execute(delete(table).where(table.c.key.in_(outside)))
