"""Evaluations written as archives, and stored as archives have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import IO, Any

from sqlalchemy import Connection, select, text

from metrics.community.people import STRENGTH
from metrics.core import archive_writer
from metrics.core.archive import Archive
from metrics.core.archive_writer import Concluded
from metrics.core.evidence import Evidence
from service.datasets import store as datasets
from service.datasets.store import Content
from service.db.tables import evaluations as table
from service.db.tables import scores as score_table
from service.db.tables import service
from service.evaluations import outputs, plans, shards
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.provenance import provenances
from service.evaluations.store import Evaluation

STEP = 2048  # records read at a time
NOT_ARCHIVED = ("evaluation_id", "dataset_id", "resolved")  # of a score: said elsewhere


def write(db: Connection, row: Evaluation, file: IO[bytes]) -> str:
    """Write the evaluation's archive and return its digest. Raises TooLarge.

    Strengths by people's votes are left out: there are no rows that they could be checked by.
    """
    dataset = datasets.require(db, row.dataset_id)
    planned = [one for one in plans.read(db, row.id) if one.name != STRENGTH]
    found = [one for one in results.read_scores(db, [row.id])[row.id] if one.metric != STRENGTH]
    return archive_writer.write(
        file,
        evaluation={
            "system": row.system,
            "model": row.model,
            "generation": dict(row.generation) if row.generation is not None else None,
            "slices": list(row.slices),
            "seed": row.seed,
            "replicates": row.replicates,
            "level": row.level,
            "cluster": row.cluster,
            "protocol": dict(row.protocol) if row.protocol is not None else None,
            "protocol_digest": row.protocol_digest,
        },
        dataset={"name": dataset.name, "kind": dataset.kind},
        records=_records(db, row),
        outputs=_outputs(db, row),
        details=_details(db, row) if row.model is not None else None,
        metrics=_metrics(db, row, planned),
        scores=[_without(asdict(score), NOT_ARCHIVED) for score in found],
        provenance={
            "service": db.scalar(select(service.c.id)),
            "evaluation": row.id,
            "finished_at": row.finished_at.isoformat() if row.finished_at else None,
            "provenance": provenances(db, [row], {row.id: planned})[row.id],
            "origin": _without(row.origin, ("provenance",)) if row.origin else None,
        },
    )


def of_archive(db: Connection, digest: str) -> str | None:
    """The id of the evaluation that this archive was imported as; None: it was not yet. Whoever
    imports the same archive at the same time waits for the end of this transaction."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:digest, 17))")
    db.execute(lock, {"digest": digest})
    mine = table.c.origin["digest"].astext == digest
    return db.scalar(select(table.c.id).where(mine, table.c.origin.has_key("service")))


def own(db: Connection, archive: Archive) -> Evaluation | None:
    """The evaluation of this very service that the archive is of; None where it is another's, or
    the evaluation is gone."""
    told = archive.provenance()
    id = told.get("evaluation")
    if told.get("service") != db.scalar(select(service.c.id)) or not isinstance(id, str):
        return None
    row = evaluations.get(db, id)
    return row if row is not None and row.status == "succeeded" else None


def keep_evidence(db: Connection, evaluation: str, evidence: Mapping[int, Evidence]) -> None:
    """Store the evidence of metrics by their positions, in the one shard of an evaluation."""
    for position, found in evidence.items():
        shards.keep(db, evaluation, position, 0, evidence=found.encode())


def score_rows(scores: Sequence[Mapping[str, Any]], positions: int) -> list[dict[str, Any]]:
    """Scores of an archive as rows of the table: columns that it lacks are left out."""
    known = set(score_table.c.keys()) - {"evaluation_id"}
    return [
        {name: value for name, value in score.items() if name in known}
        for score in scores
        if score.get("position") in range(positions)
    ]


def _records(db: Connection, row: Evaluation) -> Iterator[Content]:
    for start in range(0, row.size, STEP):
        yield from datasets.read_records(db, row.dataset_id, start, start + STEP)


def _outputs(db: Connection, row: Evaluation) -> Iterator[list[str] | None]:
    for start in range(0, row.size, STEP):
        found = outputs.read(db, row.id, start, start + STEP)
        yield from (found.get(index) for index in range(start, min(start + STEP, row.size)))


def _details(db: Connection, row: Evaluation) -> Iterator[list[dict[str, Any]] | None]:
    for start in range(0, row.size, STEP):
        found = outputs.stored_details(db, row.id, start, start + STEP)
        yield from (found.get(index) for index in range(start, min(start + STEP, row.size)))


def _metrics(db: Connection, row: Evaluation, planned: Sequence[plans.Plan]) -> Iterator[Concluded]:
    """One at a time: evidence can be large."""
    for one in planned:
        place = (row.id, one.position)
        measured = shards.read(db, row.id, one.position) if one.concluded else []
        whole = bool(measured) and not any(part.error for part in measured)
        yield Concluded(
            position=one.position,
            name=one.name,
            params=one.params,
            resolved=one.resolved,
            signature=one.signature,
            error=one.error,
            result=results.read_results(db, [place]).get(place),
            evidence=shards.joined(measured) if whole else None,
        )


def _without(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
