"""A board computed: which evaluations stand on it, where, and what is to be said of them.

`compute` reads stored results and scores; `refresh` stores what it finds, and computes nothing
where the stored board is up to date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydantic import TypeAdapter
from sqlalchemy import Connection

from metrics.core.rows import Floats
from metrics.core.signature import difference
from metrics.statistics.ranking import Ranks
from service.datasets.store import Dataset
from service.leaderboards import boards_store, history, protocols
from service.leaderboards import store as leaderboards
from service.leaderboards.boards_store import BoardKey, StoredBoard
from service.leaderboards.history import Run
from service.leaderboards.paired import paired_results
from service.leaderboards.protocols import Protocol
from service.leaderboards.schemas import BoardRow, Leaderboard, LeftOut, ProtocolOut
from service.leaderboards.standings import (
    MOST_TESTED,
    Standings,
    standings,
    standings_untested,
)
from service.leaderboards.store import BoardScore
from service.settings import Settings

NAMED = 5  # systems that a warning names

LEFT_OUT = TypeAdapter(list[LeftOut])


class NothingHere(LookupError):
    """The board has no row: no value of this score `at` the time, or, with `signature`, none of
    the signature that was asked for."""

    def __init__(self, signature: bool, at: datetime | None) -> None:
        super().__init__()
        self.signature = signature
        self.at = at


@dataclass(frozen=True, slots=True)
class Entry:
    """What a row of a board is of."""

    score: BoardScore
    run: Run
    protocol: Protocol
    notes: list[str]


def refresh(db: Connection, settings: Settings, dataset: Dataset, key: BoardKey) -> StoredBoard:
    """The board, stored, with all that has landed. Raises NothingHere."""
    boards_store.lock(db, key)
    known = boards_store.landed(db, dataset.name)  # before anything is read
    stored = boards_store.find(db, key)
    if stored is not None and stored.knows(known):
        return stored
    board = compute(db, settings, dataset, key)
    boards_store.put(
        db,
        key,
        known,
        head=board.model_dump_json(exclude={"rows", "left_out"}),
        left_out=LEFT_OUT.dump_json(board.left_out).decode(),
        rows=[(row.evaluation, row.model_dump_json()) for row in board.rows],
    )
    computed = boards_store.find(db, key)
    if computed is None:
        raise RuntimeError(f"{key} is stored, and is not there")
    return computed


def compute(
    db: Connection,
    settings: Settings,
    dataset: Dataset,
    key: BoardKey,
    at: datetime | None = None,
) -> Leaderboard:
    """The whole board, as it stood `at` a time or now. Raises NothingHere."""
    scores = leaderboards.board(db, dataset.id, key.score, key.slice, at)
    if not scores:
        raise NothingHere(signature=False, at=at)
    chosen = key.signature or commonest(scores)
    ranked = [row for row in scores if row.signature == chosen]
    if not ranked:
        raise NothingHere(signature=True, at=at)
    made = history.runs(db, dataset.name, at)
    entries = _entries(db, scores, ranked, made)
    shown = [entry.score for entry in entries]
    tested = key.slice == "" and len(shown) <= MOST_TESTED  # replicates of slices are not kept
    found = (
        standings(shown, paired_results(db, settings, shown))
        if tested
        else standings_untested(shown)
    )
    return Leaderboard(
        dataset=dataset.name,
        version=dataset.version,
        dataset_id=dataset.id,
        metric=key.score,
        slice=key.slice or None,
        higher_is_better=shown[0].higher_is_better,
        signature=chosen,
        signatures=sorted({row.signature for row in scores}),
        tests=_tests(shown, found),
        n_common=found.in_common,
        warnings=_warnings(shown, found, tested=tested),
        at=at,
        size=len(entries),
        rows=_rows(entries, found),
        left_out=[
            *_left_out(scores, {row.system for row in shown}, chosen),
            *_unvalued(scores, made, dataset.version),
        ],
    )


def commonest(rows: Sequence[BoardScore]) -> str:
    """The signature of most systems; of equally common ones, the newest evaluation's."""
    systems = Counter(signature for signature, _ in {(row.signature, row.system) for row in rows})
    most = max(systems.values())
    return next(row.signature for row in rows if systems[row.signature] == most)


def _entries(
    db: Connection,
    scores: Sequence[BoardScore],
    ranked: Sequence[BoardScore],
    made: Sequence[Run],
) -> list[Entry]:
    """Of each system and each way of making its outputs, the newest of the `ranked` scores."""
    known = protocols.read(db, {row.evaluation_id for row in ranked})
    newest: dict[tuple[str, str], BoardScore] = {}
    for row in ranked:
        newest.setdefault((row.system, known[row.evaluation_id].digest), row)
    by_id = {one.id: one for one in made}
    by_evaluation = {row.evaluation_id: row for row in scores} | {
        row.evaluation_id: row for row in newest.values()
    }
    others: dict[str, list[Run]] = {}
    for one in made:
        others.setdefault(one.system, []).append(one)
    found = []
    for (system, _), row in newest.items():
        run = by_id[row.evaluation_id]
        notes = history.notes(run, others[system], by_evaluation)
        found.append(Entry(row, run, known[row.evaluation_id], notes))
    return found


def _rows(entries: Sequence[Entry], found: Standings) -> list[BoardRow]:
    ranks = found.ranks
    order = sorted(
        range(len(entries)),
        key=lambda at: (
            int(ranks.rank[at]),
            entries[at].score.system,
            entries[at].score.evaluation_id,
        ),
    )
    below = [*order[1:], None]
    return [_row(entries[at], found, at, next_) for at, next_ in zip(order, below, strict=True)]


def _row(entry: Entry, found: Standings, at: int, below: int | None) -> BoardRow:
    score, run, ranks, stepped = entry.score, entry.run, found.ranks, found.stepped
    lacks = bool((found.incomplete > 0).any())
    return BoardRow(
        rank=int(ranks.rank[at]),
        rank_interval=_interval(ranks, at),
        system=score.system,
        evaluation=score.evaluation_id,
        value=score.value,
        interval=score.interval,
        n=score.n,
        missing=score.missing,
        incomplete=int(found.incomplete[at]),
        p_vs_next=_p_value(ranks.p_values, at, below),
        rank_interval_step_down=_interval(stepped, at) if stepped is not None else None,
        p_vs_next_step_down=_p_value(stepped.p_values, at, below) if stepped is not None else None,
        tie_band=int(ranks.band[at]),
        p_first=_known(found.p_first[at]),
        n_common=int(found.n_common[at]) or None,
        value_common=_known(found.value_common[at]) if lacks else None,
        value_bounds=found.bounds[at],
        model=run.model,
        generation=dict(run.generation) if run.generation is not None else None,
        protocol=ProtocolOut(
            digest=entry.protocol.digest, text=entry.protocol.text, **entry.protocol.content
        ),
        notes=entry.notes,
        finished_at=score.finished_at,
    )


def _interval(ranks: Ranks, at: int) -> tuple[int, int]:
    return int(ranks.best[at]), int(ranks.worst[at])


def _p_value(p_values: Floats, at: int, below: int | None) -> float | None:
    return _known(p_values[at, below]) if below is not None and len(p_values) else None


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _tests(shown: Sequence[BoardScore], found: Standings) -> str | None:
    """How the pairs were tested, in words."""
    pairs = len(shown) * (len(shown) - 1) // 2
    if not pairs:
        return None
    if len(shown) > MOST_TESTED:
        return (
            f"no pair: {len(shown)} systems' own intervals, widened for {pairs} pairs (Bonferroni)"
        )
    if found.tested < 2:
        return None
    how = (
        "Student's t with the jackknife's error"
        if shown[0].interval_method == "jackknife"
        else "Student's t with the error of the systems' paired replicates"
    )
    if (found.incomplete > 0).any():
        how += ", over the samples that both have where these differ"
    return f"{how}; Holm over {pairs} pair{'s' if pairs > 1 else ''}"


def _warnings(shown: Sequence[BoardScore], found: Standings, *, tested: bool) -> list[str]:
    told = []
    lacking = [
        f"{row.system} ({lost})"
        for row, lost in zip(shown, found.incomplete.tolist(), strict=True)
        if lost
    ]
    if lacking:
        named = ", ".join(lacking[:NAMED]) + (", …" if len(lacking) > NAMED else "")
        in_common = (
            f" All systems have values on {found.in_common} samples."
            if found.in_common is not None
            else ""
        )
        told.append(
            f"{len(lacking)} of {len(shown)} systems have no value on samples on which others have "
            f"one: {named}. They stand behind the complete ones, are called better than nobody, "
            f"and are tested over the samples that both of a pair have.{in_common}"
        )
    gone = len(shown) - found.tested
    if tested and gone:
        told.append(f"{gone} of {len(shown)} systems have no stored rows any more: not tested")
    return told


def _left_out(rows: Sequence[BoardScore], there: set[str], chosen: str) -> list[LeftOut]:
    absent: dict[str, BoardScore] = {}
    for row in rows:
        if row.system not in there:
            absent.setdefault(row.system, row)
    return [
        LeftOut(
            system=row.system,
            evaluation=row.evaluation_id,
            signature=row.signature,
            reason="another signature: " + "; ".join(difference(chosen, row.signature)),
        )
        for row in absent.values()
    ]


def _unvalued(rows: Sequence[BoardScore], made: Sequence[Run], version: int) -> list[LeftOut]:
    """Systems that have been evaluated on the dataset, but have no value here."""
    valued = {row.system for row in rows}
    newest: dict[str, Run] = {}
    for one in made:  # newest first, those on this version before others
        kept = newest.setdefault(one.system, one)
        if kept.dataset_version != version == one.dataset_version:
            newest[one.system] = one
    return [
        LeftOut(
            system=one.system,
            evaluation=one.id,
            signature=None,
            reason=f"no value of {rows[0].label}"
            if one.dataset_version == version
            else f"evaluated on version {one.dataset_version} of the dataset",
        )
        for one in newest.values()
        if one.system not in valued
    ]
