"""Where an evaluation's numbers come from, in one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from metrics.core.signature import text
from service.db.stored import Stored
from service.db.tables import datasets, events, shards
from service.evaluations.plans import Plan
from service.evaluations.store import Evaluation


@dataclass(frozen=True, slots=True)
class Measured(Stored):
    """Shards of an evaluation that one machine measured, and how large they are."""

    evaluation_id: str
    machine: Mapping[str, Any] | None
    shards: int
    shard_size: int


def provenances(
    db: Connection, rows: Sequence[Evaluation], planned: Mapping[str, Sequence[Plan]]
) -> dict[str, dict[str, Any]]:
    """The provenance of each evaluation; of an imported one, that of where it was measured."""
    own = [row for row in rows if not (row.origin or {}).get("provenance")]
    measured: dict[str, list[Measured]] = {row.id: [] for row in own}
    for one in _measured(db, list(measured)):
        measured[one.evaluation_id].append(one)
    digests = _digests(db, {row.dataset_id for row in own})
    models = _models(db, [row.id for row in own if row.model])
    found = {
        row.id: _provenance(row, planned[row.id], measured[row.id])
        | {
            "dataset": {
                "name": row.dataset_name,
                "version": row.dataset_version,
                "digest": digests.get(row.dataset_id),
            },
            "model": models.get(row.id),
        }
        for row in own
    }
    imported = {
        row.id: dict((row.origin or {})["provenance"]) for row in rows if row.id not in found
    }
    return found | imported


def _provenance(
    row: Evaluation, planned: Sequence[Plan], measured: Sequence[Measured]
) -> dict[str, Any]:
    """What does not take another look at the database.

    Batches are planned over a shard by the lengths of its texts (`Metric.plan`): the shards'
    sizes and the code settle what stood in a batch together.
    """
    machines = [
        dict(one.machine) | {"shards": one.shards} for one in measured if one.machine is not None
    ]
    return {
        "metrics": [
            {
                "name": one.name,
                "signature": text(one.signature) if one.signature else None,
                "dtype": (one.resolved or {}).get("dtype"),
            }
            for one in planned
        ],
        "dtype": (row.generation or {}).get("dtype"),
        "protocol": row.protocol_digest,
        "seed": row.seed,
        "generation_seed": (row.generation or {}).get("seed"),
        "batch_plan": {
            "shards": sum(one.shards for one in measured),
            "shard_size": max((one.shard_size for one in measured), default=0),
        },
        "machines": machines,
    }


def _measured(db: Connection, ids: Sequence[str]) -> list[Measured]:
    table = shards.c
    query = (
        select(
            table.evaluation_id,
            table.machine,
            func.count().label("shards"),
            func.max(table.stop - table.start).label("shard_size"),
        )
        .where(table.evaluation_id.in_(list(ids)))
        .group_by(table.evaluation_id, table.machine)
        .order_by(table.evaluation_id, func.min(table.number))
    )
    return [Measured.from_row(row) for row in db.execute(query)] if ids else []


def _digests(db: Connection, ids: set[str]) -> dict[str, str]:
    query = select(datasets.c.id, datasets.c.digest).where(datasets.c.id.in_(sorted(ids)))
    return {row.id: row.digest for row in db.execute(query)} if ids else {}


def _models(db: Connection, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Name and digest of the weights that generated, as the start of each evaluation told."""
    query = (
        select(events.c.parent, events.c.data["model"].label("model"))
        .where(events.c.parent.in_(list(ids)), events.c.type == "running")
        .order_by(events.c.sequence)
    )
    return {row.parent: row.model for row in db.execute(query)} if ids else {}
