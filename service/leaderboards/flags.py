"""What the rows of a board should be looked at for: outputs that are another system's, word for
word, and outputs that stand in the references.

Texts are hashed once an evaluation, in the database; boards read 8 bytes a sample. Those of slices
hash the texts of their samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from service.db.board_tables import output_digests
from service.leaderboards.schemas import SameOutputs
from service.leaderboards.slices import Slice
from service.leaderboards.store import BoardScore

CELLS = 5_000_000_000  # digests to be compared, beyond which nobody waits for it
Hashed = tuple[bytes, float | None]  # 8 bytes a sample; the share of outputs in the references
NAMED = 5  # pairs that a warning names

# Of each sample the outputs together, hashed; of each evaluation the share of outputs that are, but
# for spaces at their ends, one of their sample's references. Imports of files without outputs have
# empty ones, which are nobody's.
HASHED = text("""
    SELECT e.id,
           string_agg(
               coalesce(
                   substring(decode(md5(array_to_string(o.texts, chr(31))), 'hex') from 1 for 8),
                   decode(repeat('00', 8), 'hex')),
               ''::bytea ORDER BY r.index),
           sum(found.inside)::float / nullif(sum(found.compared), 0)
    FROM evaluations e
    JOIN records r ON r.dataset_id = e.dataset_id
    LEFT JOIN outputs o ON o.evaluation_id = e.id AND o.index = r.index
        AND (array_to_string(o.texts, '') <> '' OR NOT EXISTS (
            SELECT FROM evaluation_metrics m
            WHERE m.evaluation_id = e.id AND starts_with(m.name, 'imported/')))
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (
                   WHERE jsonb_exists(r.content -> 'references', btrim(each.output))) AS inside,
               count(*) AS compared
        FROM unnest(o.texts) AS each (output)
        WHERE jsonb_typeof(r.content -> 'references') = 'array'
    ) AS found ON true
    WHERE e.id = ANY(:ids)
      AND (CAST(:chosen AS integer[]) IS NULL OR r.index = ANY(CAST(:chosen AS integer[])))
    GROUP BY e.id
""")


@dataclass(frozen=True, slots=True)
class Flags:
    """Of N evaluations.

    same           the one with which each shares most outputs; None: with nobody any
    in_references  the share of outputs that are references; None: there are none to be
    warnings       evaluations whose outputs are all the same
    """

    same: list[SameOutputs | None]
    in_references: list[float | None]
    warnings: list[str]


def read(db: Connection, shown: Sequence[BoardScore], over: Slice | None = None) -> Flags:
    """Of the rows of a board, all of which are over one dataset, or over a slice of it."""
    ids = [row.evaluation_id for row in shown]
    found = _kept(db, ids) if over is None else _hashed(db, ids, over.chosen.tolist())
    if not found.keys() >= set(ids):  # a dataset without samples: reported values are all there is
        return Flags([None] * len(ids), [None] * len(ids), [])
    digests = [np.frombuffer(found[id][0], "<u8") for id in ids]
    inside = [found[id][1] for id in ids]
    if len(ids) ** 2 * len(digests[0]) > CELLS:
        return Flags([None] * len(ids), inside, [])
    shares = equal_shares(np.stack(digests))
    same: list[SameOutputs | None] = []
    for at in range(len(ids)):
        most = int(shares[at].argmax())
        share = float(shares[at, most])
        row = shown[most]
        told = SameOutputs(system=row.system, evaluation=row.evaluation_id, share=share)
        same.append(told if share > 0 else None)
    return Flags(same, inside, _warnings(shown, shares))


def _kept(db: Connection, ids: Sequence[str]) -> dict[str, Hashed]:
    """Of whole datasets, each hashed once."""
    columns = output_digests.c
    query = select(columns.evaluation_id, columns.digests, columns.in_references)
    rows = db.execute(query.where(columns.evaluation_id.in_(ids)))
    found: dict[str, Hashed] = {row[0]: (row[1], row[2]) for row in rows}
    lacking = _hashed(db, [id for id in ids if id not in found])
    if lacking:
        values = [
            {"evaluation_id": id, "digests": digests, "in_references": share}
            for id, (digests, share) in sorted(lacking.items())
        ]
        db.execute(insert(output_digests).on_conflict_do_nothing(), values)
    return found | lacking


def _hashed(
    db: Connection, ids: Sequence[str], chosen: Sequence[int] | None = None
) -> dict[str, Hashed]:
    """From the texts; of the samples at `chosen` places, or all."""
    if not ids:
        return {}
    rows = db.execute(HASHED, {"ids": list(ids), "chosen": chosen})
    return {row[0]: (row[1], row[2]) for row in rows}


def equal_shares(digests: NDArray[np.uint64]) -> NDArray[np.float64]:
    """(N, N) of (N, n): the share of samples on which two have the same; zero on the diagonal.

    A digest of zero is that of no output, which is nobody's.
    """
    shares = np.zeros((len(digests), len(digests)))
    for at, own in enumerate(digests):
        shares[at] = ((digests == own) & (own != 0)).mean(1)
    np.fill_diagonal(shares, 0.0)
    return shares


def _warnings(shown: Sequence[BoardScore], shares: NDArray[np.float64]) -> list[str]:
    pairs = np.argwhere(np.triu(shares == 1.0, 1)).tolist()
    if not pairs:
        return []
    named = "; ".join(f"{shown[a].system} and {shown[b].system}" for a, b in pairs[:NAMED])
    more = f"; and {len(pairs) - NAMED} more" if len(pairs) > NAMED else ""
    return [f"the same outputs on every sample: {named}{more}"]
