"""Boards of slices: their tests over the slice's samples, and slices that contradict the whole.

Results are stored of whole sets. What a slice's are is computed from the rows of its samples, as
comparisons do; no metric runs again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from metrics.core.rows import Floats, Ints
from metrics.statistics.diagnostics import FEW
from metrics.statistics.resampling import evaluate
from metrics.statistics.weights import totals
from service.datasets import store as datasets
from service.db.tables import scores
from service.figures.numbers import finite
from service.leaderboards import scopes
from service.leaderboards.paired import PairedResult
from service.leaderboards.store import BoardScore

NAMED = 3  # pairs that a warning names
MOST = 200  # systems among which slices that contradict the whole are looked for


@dataclass(slots=True)
class Slice:
    """A slice of a dataset version, as `lang=ru`.

    chosen      places of its samples
    untestable  the score that none of its samples has by itself, as mauve
    unlike      systems whose value over the slice is not that of their rows
    """

    name: str
    chosen: Ints
    untestable: str | None = None
    unlike: int = 0

    @classmethod
    def read(cls, db: Connection, dataset_id: str, name: str) -> Slice:
        """Raises 422 where no sample is in it."""
        inside = scopes.sliced(db, [dataset_id], name)
        ids = datasets.read_ids(db, dataset_id)
        return cls(name, np.array([at for at, id in enumerate(ids) if id in inside], np.int64))

    def restricted(
        self,
        shown: Sequence[BoardScore],
        paired: Sequence[PairedResult | None],
        names: Sequence[str] | None = None,
    ) -> tuple[list[PairedResult | None], list[str] | None]:
        """The results and clusters of the slice's samples alone.

        None for a metric whose rows depend on the whole set, and where the rows do not give the
        value that the slice has: a metric that weighs words by the set (idf) weighs them by the
        slice there.
        """
        own = None if names is None else [names[at] for at in self.chosen.tolist()]
        found: list[PairedResult | None] = []
        for row, one in zip(shown, paired, strict=True):
            part = None if one is None else self._part(one)
            if one is not None and part is None:
                self.untestable = row.name
            if part is not None and not _same(part.value, row.value):
                part, self.unlike = None, self.unlike + 1
            found.append(part)
        return found, own

    def _part(self, one: PairedResult) -> PairedResult | None:
        if one.metric.set_bound:
            return None
        result, at = one.result, self.chosen
        settled = result.settled.take(at)
        values = evaluate(one.metric.reduce, totals(settled.rows)).tolist()
        part = replace(
            result,
            scores=tuple(
                replace(score, value=finite(value), interval=None)
                for score, value in zip(result.scores, values, strict=True)
            ),
            settled=settled,
            per_sample=None if result.per_sample is None else result.per_sample[at],
            replicates=None,
            missing=result.missing[at],
            unvoted=None if result.unvoted is None else result.unvoted[at],
            cluster=None,  # of no interval: those of the whole set are gone
        )
        return replace(one, result=part, ids=[one.ids[place] for place in at.tolist()])

    def warnings(self, shown: Sequence[BoardScore]) -> list[str]:
        """What to know of a board over this slice."""
        told = []
        if len(self.chosen) < FEW:
            told.append(f"only {len(self.chosen)} samples have {self.name}: ranks are rough")
        if self.untestable is not None:
            told.append(
                f"{self.untestable} depends on the whole set: pairs are not tested over a slice"
            )
        if self.unlike:
            told.append(
                f"{self.unlike} of {len(shown)} systems' values over the slice are not those of "
                "their rows, which are weighed by the whole set: not tested"
            )
        return told


def _same(value: float | None, stored: float) -> bool:
    return value is not None and bool(np.isclose(value, stored, rtol=1e-6, atol=1e-9))


def reversals(db: Connection, shown: Sequence[BoardScore]) -> list[str]:
    """Pairs whose better one on the whole set is the worse one on every slice of a field (Simpson's
    paradox): what was left out, or how samples weigh, decides there, and not the systems."""
    if not 2 <= len(shown) <= MOST:
        return []
    systems = {(row.evaluation_id, row.position): at for at, row in enumerate(shown)}
    query = select(scores.c.evaluation_id, scores.c.position, scores.c.slice, scores.c.value).where(
        scores.c.evaluation_id.in_([row.evaluation_id for row in shown]),
        scores.c.name == shown[0].name,
        scores.c.slice != "",
        scores.c.value.is_not(None),
    )
    fields: dict[str, dict[str, Floats]] = {}
    for evaluation, position, slice_, value in db.execute(query):
        at = systems.get((evaluation, position))
        if at is not None:
            parts = fields.setdefault(slice_.partition("=")[0], {})
            parts.setdefault(slice_, np.full(len(shown), np.nan))[at] = value
    sign = 1.0 if shown[0].higher_is_better else -1.0
    whole = sign * np.array([row.value for row in shown])
    told = []
    for field, values in sorted(fields.items()):
        pairs = reversed_pairs(whole, sign * np.stack(list(values.values())))
        told += [_told(shown, field, pairs)] if len(pairs) else []
    return told


def reversed_pairs(whole: Floats, parts: Floats) -> NDArray[np.int64]:
    """(m, 2) pairs of systems of which the first is better on the whole and worse on each part.

    whole  (N,)    higher is better
    parts  (K, N)  NaN where a system has no value: such pairs are left out
    """
    if len(parts) < 2:
        return np.zeros((0, 2), np.int64)
    worse = np.logical_and.reduce([part[:, None] < part[None, :] for part in parts])
    return np.argwhere((whole[:, None] > whole[None, :]) & worse)


def _told(shown: Sequence[BoardScore], field: str, pairs: NDArray[np.int64]) -> str:
    named = "; ".join(
        f"{shown[a].system} is above {shown[b].system}" for a, b in pairs[:NAMED].tolist()
    )
    more = f"; and {len(pairs) - NAMED} more" if len(pairs) > NAMED else ""
    return (
        f"{named}{more}: on the whole, but below on every slice of {field} (Simpson's paradox). "
        "Look at the slices, and at what is missing"
    )
