"""What a meta-evaluation is of: ratings and scores of systems, aligned by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from metrics.core.names import hint
from metrics.core.rows import Floats
from metrics.core.signature import unlike
from service.datasets import store as datasets
from service.errors import invalid
from service.evaluations import ratings
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.leaderboards import scopes
from service.leaderboards.paired import paired_results, without_rows
from service.meta_evaluations.schemas import MetaEvaluationIn
from service.settings import Settings

LEAST = 10  # outputs with a rating
MOST_CELLS = 2_000_000  # systems times samples


@dataclass(frozen=True, slots=True)
class Gathered:
    """Systems, people's ratings (M, N) and each score's values (M, N), more is better; NaN where
    there is none. `named` has the scores as the first system has them, `notes` what is left out."""

    rows: Sequence[Evaluation]
    fields: Sequence[str]
    people: Floats
    scores: Mapping[str, Floats]
    named: Mapping[str, Score]
    notes: Sequence[str]


def gathered(db: Connection, settings: Settings, asked: MetaEvaluationIn) -> Gathered:
    """Raises 404, 409 or 422 for evaluations that are not there, on other samples, without ratings,
    or that share no score of samples."""
    rows = scopes.all_finished(db, asked.evaluations, "evaluations")
    for at, row in enumerate(rows[1:], 1):
        scopes.check_same_samples(db, rows[0], row, f"evaluations[{at}]")
    ids = {row.dataset_id: datasets.read_ids(db, row.dataset_id) for row in rows}
    place: dict[str, int] = {}
    for one in ids.values():
        for id in one:
            place.setdefault(id, len(place))
    if len(rows) * len(place) > MOST_CELLS:
        message = f"{len(rows)} systems on {len(place)} samples are more outputs than {MOST_CELLS}"
        raise invalid("too_many_outputs", message, "evaluations")
    columns = [np.array([place[id] for id in ids[row.dataset_id]], np.int64) for row in rows]
    people, fields = np.full((len(rows), len(place)), np.nan), []
    for at, row in enumerate(rows):
        field, param = _field(row, asked)
        people[at, columns[at]] = ratings.require(db, row, field, param)
        fields.append(field)
    if np.isfinite(people).sum() < LEAST:
        message = f"{np.isfinite(people).sum()} outputs have ratings: {LEAST} are the least"
        raise invalid("too_few_ratings", message, "ratings")
    named = _shared(db, rows, asked)
    found: dict[str, Floats] = {}
    notes: list[str] = []
    for name, ends in named.items():
        values, why = _values(db, settings, ends, columns, people.shape)
        if values is None:
            notes.append(f"{name} is left out: {why}")
        else:
            found[name] = values
    if not found:
        raise invalid("nothing_in_common", "; ".join(notes) or "no score is shared", "metrics")
    first = {name: named[name][0] for name in found}
    return Gathered(rows, fields, people, found, first, notes)


def _field(row: Evaluation, asked: MetaEvaluationIn) -> tuple[str, str]:
    """The field of this evaluation's ratings, and what names it in the request."""
    if isinstance(asked.ratings, str):
        return asked.ratings, "ratings"
    for name in (row.id, row.system):
        if name in asked.ratings:
            return asked.ratings[name], f"ratings.{name}"
    message = f"no field is named for {row.id} of {row.system!r}"
    raise invalid("missing_ratings", f"{message}; {hint(row.system, asked.ratings)}", "ratings")


def _shared(
    db: Connection, rows: Sequence[Evaluation], asked: MetaEvaluationIn
) -> dict[str, list[Score]]:
    """Scores of whole sets that all evaluations have, by name. Raises 422 for one that is none."""
    listed = read_scores(db, [row.id for row in rows])
    own: list[dict[str, Score]] = []
    for row in rows:
        first: dict[str, Score] = {}  # of a name
        for one in listed[row.id]:
            rated = one.name == _field(row, asked)[0]  # people's own: it agrees with itself
            if not one.slice and one.value is not None and not rated:
                first.setdefault(one.name, one)
        own.append(first)
    shared = [name for name in own[0] if all(name in one for one in own[1:])]
    for name in asked.metrics or []:
        if name not in shared:
            message = f"{name!r} is not a score of all the evaluations; {hint(name, shared)}"
            raise invalid("unknown_score", message, "metrics")
    chosen = list(dict.fromkeys(asked.metrics or shared))
    return {name: [one[name] for one in own] for name in chosen}


def _values(
    db: Connection,
    settings: Settings,
    ends: Sequence[Score],
    columns: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]],
    shape: tuple[int, ...],
) -> tuple[Floats | None, str]:
    """A score's values of samples, or why there are none."""
    for end in ends[1:]:
        why = unlike(ends[0].signature or "", end.signature or "")
        if why is not None:
            return None, why
    results = paired_results(db, settings, ends)
    values = np.full(shape, np.nan)
    sign = 1.0 if ends[0].higher_is_better else -1.0
    for at, one in enumerate(results):
        if one is None:
            return None, without_rows(*ends)
        if one.result.per_sample is None:
            return None, "it is of a set, and no sample has a value of it"
        values[at, columns[at]] = sign * one.result.per_sample[:, one.index]
    return values, ""
