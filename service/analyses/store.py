"""Analyses that were computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from service.db.analysis_tables import analyses
from service.db.stored import Stored
from service.db.tables import evaluations
from service.evaluations.store import Evaluation


@dataclass(frozen=True, slots=True)
class Analysis(Stored):
    """What was found of a score; `content`: see `service.analyses.schemas.AnalysisOut`."""

    score: str
    content: Mapping[str, Any]
    created_at: datetime

    @property
    def embedded(self) -> Mapping[str, Any]:
        """Clusters by encoders, by the encoder's name, with the digest of its files."""
        found: Mapping[str, Any] = self.content.get("embedded", {})
        return found

    def has(self, encoder: str | None, digest: str | None) -> bool:
        """Whether there are clusters by this encoder, as its files are; by words there always
        are."""
        own = self.embedded.get(encoder or "", {})
        return encoder is None or (digest is not None and own.get("digest") == digest)


def find(db: Connection, row: Evaluation, score: str) -> Analysis | None:
    """The analysis of the evaluation's results as they are now."""
    query = select(analyses).where(
        analyses.c.evaluation_id == row.id,
        analyses.c.score == score,
        analyses.c.finished_at == row.finished_at,
    )
    found = db.execute(query).one_or_none()
    return Analysis.from_row(found) if found is not None else None


def keep(db: Connection, row: Evaluation, score: str, content: Mapping[str, Any]) -> None:
    """Store the analysis, in the place of one of older results. To one of the same results it adds
    what that lacks: another worker may have clustered by another encoder meanwhile."""
    # two who store at once wait for each other, also where there is nothing to lock yet
    same = evaluations.c.id == row.id
    db.execute(select(evaluations.c.id).where(same).with_for_update(key_share=True))
    known = find(db, row, score)
    if known is not None:
        embedded = {**known.embedded, **content.get("embedded", {})}
        content = {**known.content, **content, "embedded": embedded}
    values = {"finished_at": row.finished_at, "content": dict(content)}
    made = insert(analyses).values(evaluation_id=row.id, score=score, **values)
    db.execute(
        made.on_conflict_do_update(
            index_elements=["evaluation_id", "score"],
            set_={**values, "created_at": func.now()},
        )
    )
