"""The results behind the scores of a board, and what their samples belong together by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from service.datasets import store as datasets
from service.leaderboards.paired import PairedResult, paired_results
from service.leaderboards.slices import Slice
from service.leaderboards.store import BoardScore
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class BoardResults:
    """Of N scores on one dataset version, whole or over one of its slices.

    paired  (N,) None where the result is gone, or is not that of the slice's samples
    field   that samples belong together by; None: they are independent
    names   (n,) the cluster of each sample, where there are any
    unlike  what to say of evaluations with other fields
    over    the slice, which knows what cannot be tested over it
    """

    paired: Sequence[PairedResult | None]
    field: str | None = None
    names: Sequence[str] | None = None
    unlike: Sequence[str] = ()
    over: Slice | None = None

    def warnings(self, scores: Sequence[BoardScore]) -> list[str]:
        """What to know before the scores are compared."""
        return [*self.unlike, *([] if self.over is None else self.over.warnings(scores))]


def read(
    db: Connection,
    settings: Settings,
    dataset_id: str,
    scores: Sequence[BoardScore],
    over: Slice | None,
    cluster: str | None = None,
) -> BoardResults:
    """What is stored behind the scores; clusters as most of the evaluations have them, unless
    `cluster` names a field."""
    paired = paired_results(db, settings, scores)
    field, unlike = (cluster, list[str]()) if cluster else commonest_field(paired)
    names = datasets.read_clusters(db, dataset_id, field) if field is not None else None
    if over is None:
        return BoardResults(paired, field, names, unlike)
    over = replace(over, untestable=None, unlike=0)  # it counts what these scores lack
    paired, names = over.restricted(scores, paired, names)
    return BoardResults(paired, field, names, unlike, over)


def commonest_field(paired: Sequence[PairedResult | None]) -> tuple[str | None, list[str]]:
    """What samples belong together by, as most of the evaluations have it, and what to say of
    it where they differ."""
    fields = Counter(one.result.cluster for one in paired if one is not None)
    if not fields:
        return None, []
    chosen = max(fields, key=lambda field: (fields[field], field is not None))
    if len(fields) == 1:
        return chosen, []
    counts = ", ".join(
        f"{count} without" if field is None else f"{count} by {field!r}"
        for field, count in fields.items()
    )
    here = "samples are taken for independent" if chosen is None else f"here they are by {chosen!r}"
    return chosen, [f"the evaluations have unlike clusters ({counts}): {here}"]
