"""A board computed: which evaluations stand on it, where, and what is to be said of them.

`compute` reads stored results and scores; `refresh` stores what it finds, and computes nothing
where the stored board is up to date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection

from metrics.core.clustered import Cluster
from metrics.core.rows import Floats
from service.datasets.store import Dataset
from service.figures.numbers import finite
from service.leaderboards import (
    board_results,
    boards_store,
    flags,
    history,
    protocols,
    remarks,
    slices,
)
from service.leaderboards import store as leaderboards
from service.leaderboards.board_results import BoardResults
from service.leaderboards.boards_store import BoardKey, StoredBoard
from service.leaderboards.flags import Flags
from service.leaderboards.history import Run
from service.leaderboards.paired import PairedResult, score_over
from service.leaderboards.protocols import Protocol
from service.leaderboards.schemas import BoardRow, Leaderboard, LeftOut, ProtocolOut
from service.leaderboards.standings import MOST_TESTED, Standings, standings, standings_untested
from service.leaderboards.store import BoardScore
from service.settings import Settings

LEFT_OUT = TypeAdapter(list[LeftOut])
ANY = "any"  # as a protocol: evaluations of all of them on one board


class NothingHere(LookupError):
    """The board has no row: no value of this score `at` the time, or, with `signature` or
    `protocols`, none of the signature or the protocol that was asked for.

    protocols  those there are
    """

    def __init__(self, signature: bool, at: datetime | None, protocols: Sequence[str] = ()) -> None:
        super().__init__()
        self.signature = signature
        self.at = at
        self.protocols = protocols


@dataclass(frozen=True, slots=True)
class Entry:
    """What a row of a board is of."""

    score: BoardScore
    run: Run
    protocol: Protocol
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """Which evaluations stand on a board, before anything is computed.

    scores    every value of the board's score, of any signature, newest evaluation first
    chosen    the signature that is ranked
    protocol  the protocol that is: a digest, `none` or `any`
    made      what has been evaluated on the dataset, newest first
    """

    scores: list[BoardScore]
    chosen: str
    protocol: str
    made: list[Run]
    entries: list[Entry]

    @property
    def shown(self) -> list[BoardScore]:
        """The entries' scores."""
        return [entry.score for entry in self.entries]


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


def stand(db: Connection, dataset: Dataset, key: BoardKey, at: datetime | None = None) -> Standing:
    """Of each system and each way of making its outputs, the newest evaluation that has a value of
    the board's signature. Raises NothingHere."""
    scores = leaderboards.board(db, dataset.id, key.score, key.slice, at)
    if not scores:
        raise NothingHere(signature=False, at=at)
    chosen = key.signature or commonest(scores)
    ranked = [row for row in scores if row.signature == chosen]
    if not ranked:
        raise NothingHere(signature=True, at=at)
    protocol = key.protocol or commonest_protocol(ranked)
    there = sorted({row.prompted for row in ranked})
    if protocol != ANY:
        ranked = [row for row in ranked if row.prompted == protocol]
    if not ranked:
        raise NothingHere(signature=False, at=at, protocols=there)
    made = history.runs(db, dataset.name, at)
    return Standing(scores, chosen, protocol, made, _entries(db, scores, ranked, made))


def compute(
    db: Connection,
    settings: Settings,
    dataset: Dataset,
    key: BoardKey,
    at: datetime | None = None,
) -> Leaderboard:
    """The whole board, as it stood `at` a time or now. Raises NothingHere."""
    standing = stand(db, dataset, key, at)
    if tested := len(standing.entries) <= MOST_TESTED:
        over = slices.Slice.read(db, dataset.id, key.slice) if key.slice else None
        own = board_results.read(db, settings, dataset.id, standing.shown, over, key.cluster)
        found = standings(standing.shown, own.paired, own.field, own.names)
        if key.cluster and own.names is not None:
            cluster = Cluster(key.cluster, own.names)
            standing = replace(standing, entries=_over(standing.entries, own.paired, cluster))
    else:
        own = BoardResults([None] * len(standing.entries))
        found = standings_untested(standing.shown)
    shown = standing.shown
    flagged = flags.read(db, shown, own.over) if tested else None
    return Leaderboard(
        dataset=dataset.name,
        version=dataset.version,
        dataset_id=dataset.id,
        metric=key.score,
        slice=key.slice or None,
        higher_is_better=shown[0].higher_is_better,
        judged=shown[0].judged,
        signature=standing.chosen,
        signatures=sorted({row.signature for row in standing.scores}),
        protocol=standing.protocol,
        protocols=sorted(
            {row.prompted for row in standing.scores if row.signature == standing.chosen}
        ),
        tests=remarks.tests(shown, found, own.field),
        cluster=own.field,
        clusters=len(set(own.names)) if own.names is not None else None,
        n_common=found.in_common,
        warnings=[
            *remarks.warnings(shown, found, own.names, tested=tested, over=own.over),
            *own.unlike,
            *([] if own.over is not None else slices.reversals(db, shown)),
            *([] if flagged is None else flagged.warnings),
        ],
        at=at,
        size=len(shown),
        rows=_rows(standing.entries, found, flagged),
        left_out=[
            *remarks.left_out(standing.scores, {row.system for row in shown}, standing.chosen),
            *remarks.unvalued(standing.scores, standing.made, dataset.version),
        ],
    )


def commonest(rows: Sequence[BoardScore]) -> str:
    """The signature of most systems; of equally common ones, the newest evaluation's."""
    systems = Counter(signature for signature, _ in {(row.signature, row.system) for row in rows})
    most = max(systems.values())
    return next(row.signature for row in rows if systems[row.signature] == most)


def commonest_protocol(rows: Sequence[BoardScore]) -> str:
    """The same of protocols."""
    systems = Counter(prompted for prompted, _ in {(row.prompted, row.system) for row in rows})
    most = max(systems.values())
    return next(row.prompted for row in rows if systems[row.prompted] == most)


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


def _over(
    entries: Sequence[Entry], paired: Sequence[PairedResult | None], cluster: Cluster
) -> list[Entry]:
    """The entries with the intervals and design effects that their scores have over the clusters;
    where a result is gone, with their own."""
    found = []
    for entry, one in zip(entries, paired, strict=True):
        if one is None:
            found.append(entry)
            continue
        over = score_over(one, cluster)
        low, high = (over and over.interval) or (None, None)
        effect = over.design_effect if over is not None else None
        score = replace(entry.score, low=low, high=high, design_effect=effect)
        found.append(replace(entry, score=score))
    return found


def _rows(entries: Sequence[Entry], found: Standings, flagged: Flags | None) -> list[BoardRow]:
    """In the order of their ranks."""
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
    rows = []
    for at, next_ in zip(order, below, strict=True):
        row = _row(entries[at], found, at, next_)
        if flagged is not None:
            row.same_outputs, row.in_references = flagged.same[at], flagged.in_references[at]
        rows.append(row)
    return rows


def _row(entry: Entry, found: Standings, at: int, below: int | None) -> BoardRow:
    score, run, ranks, stepped = entry.score, entry.run, found.ranks, found.stepped
    return BoardRow(
        rank=int(ranks.rank[at]),
        rank_interval=ranks.interval(at),
        system=score.system,
        evaluation=score.evaluation_id,
        value=score.value,
        interval=score.interval,
        n=score.n,
        missing=score.missing,
        incomplete=int(found.incomplete[at]),
        unvoted=int(found.unvoted[at]),
        p_vs_next=_p_value(ranks.p_values, at, below),
        rank_interval_step_down=stepped.interval(at) if stepped is not None else None,
        p_vs_next_step_down=_p_value(stepped.p_values, at, below) if stepped is not None else None,
        tie_band=int(ranks.band[at]),
        p_first=finite(found.p_first[at]),
        n_common=int(found.n_common[at]) or None,
        value_common=finite(found.value_common[at]) if found.uneven else None,
        value_bounds=found.bounds[at],
        design_effect=score.design_effect,
        rated=score.rated,
        model=run.model,
        generation=dict(run.generation) if run.generation is not None else None,
        protocol_digest=score.protocol_digest,
        protocol=ProtocolOut(
            digest=entry.protocol.digest, text=entry.protocol.text, **entry.protocol.content
        ),
        notes=entry.notes,
        finished_at=score.finished_at,
    )


def _p_value(p_values: Floats, at: int, below: int | None) -> float | None:
    return finite(p_values[at, below]) if below is not None and len(p_values) else None
