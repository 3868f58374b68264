"""An arena's board: strengths, win rates and ranks by all votes so far.

Votes never change, so a board is that of its arena and number of votes: the last one of an arena is
kept by each process until there is another vote.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
from sqlalchemy import Connection

from metrics.statistics.comparison_graph import comparison_graph
from metrics.statistics.strengths import elo, strengths
from metrics.statistics.votes import Votes
from metrics.statistics.win_rates import win_rates
from service.arenas import store
from service.arenas.schemas import ArenaBoardOut, ArenaModelOut
from service.arenas.store import Arena, VoteRow
from service.figures.numbers import finite, interval

LEVEL = 0.95
MOST_KEPT = 64  # arenas
OUTCOMES = {"a": 1, "b": -1, "tie": 0, "both_bad": 0}

_kept: OrderedDict[str, ArenaBoardOut] = OrderedDict()
_lock = Lock()  # of many who ask after a vote, one computes


def board(db: Connection, arena: Arena) -> ArenaBoardOut:
    """The board, with every vote that is stored now."""
    now = store.count_votes(db, arena.id)
    with _lock:
        found = _kept.get(arena.id)
        if found is None or found.votes < now:
            found = computed(arena, store.votes(db, arena.id))
            _kept[arena.id] = found
        _kept.move_to_end(arena.id)
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return found


def computed(arena: Arena, cast: Sequence[VoteRow]) -> ArenaBoardOut:
    """The board of these votes. Each vote of nobody in particular is a voter's own; equal prompts
    are one item."""
    votes = votes_of(arena.models, cast)
    graph = comparison_graph(votes.wins, votes.ties)
    rows, warnings = _rows(votes, cast) if cast else (_unknown(arena.models), ["no votes yet"])
    component = dict(zip(arena.models, graph.component.tolist(), strict=True))
    return ArenaBoardOut(
        arena=arena.id,
        votes=len(cast),
        voters=len(set(_voters(cast))),
        prompts=len({one.item for one in cast}),
        level=LEVEL,
        models=sorted(rows, key=lambda one: (component[one.model], -(one.strength or 0.0))),
        connected=graph.connected,
        components=[
            [name for name in arena.models if component[name] == part]
            for part in range(max(component.values()) + 1)
        ],
        warnings=warnings,
    )


def votes_of(models: Sequence[str], cast: Sequence[VoteRow]) -> Votes:
    """The votes, answer "a" first."""
    place = {name: at for at, name in enumerate(models)}
    return Votes.of(
        models,
        np.array([place[one.model_a] for one in cast], np.int64),
        np.array([place[one.model_b] for one in cast], np.int64),
        np.array([OUTCOMES[one.choice] for one in cast], np.int64),
        annotators=_voters(cast),
        items=[one.item for one in cast],
    )


def _voters(cast: Sequence[VoteRow]) -> list[str]:
    return [one.voter or one.id for one in cast]


def _unknown(models: Sequence[str]) -> list[ArenaModelOut]:
    return [ArenaModelOut(model=name, votes=0, wins=0, ties=0, losses=0) for name in models]


def _rows(votes: Votes, cast: Sequence[VoteRow]) -> tuple[list[ArenaModelOut], list[str]]:
    """A row for each model, in their order, and sentences for the reader."""
    found, rates = strengths(votes, level=LEVEL), win_rates(votes, level=LEVEL)
    points = elo(found.values)
    bad = Counter(
        name for one in cast if one.choice == "both_bad" for name in (one.model_a, one.model_b)
    )
    rows = [
        ArenaModelOut(
            model=name,
            votes=int(rates.votes[at]),
            wins=int(rates.wins[at]),
            ties=int(rates.ties[at]),
            losses=int(rates.votes[at] - rates.wins[at] - rates.ties[at]),
            both_bad=bad[name],
            strength=finite(found.values[at]),
            interval=interval(found.low[at], found.high[at]),
            elo=finite(points[at]),
            win_rate=finite(rates.values[at]),
            win_rate_interval=interval(rates.low[at], rates.high[at]),
            rank=int(found.ranks.rank[at]) if found.ranks is not None else None,
            rank_interval=found.ranks.interval(at) if found.ranks is not None else None,
        )
        for at, name in enumerate(votes.systems)
    ]
    return rows, list(dict.fromkeys([*found.warnings, *rates.warnings]))
