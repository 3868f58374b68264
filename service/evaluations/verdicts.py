"""What metrics found of the parts of outputs, sentence by sentence, as their evidence keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise

import numpy as np
from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics import find
from metrics.core.metric import BoundMetric
from metrics.core.verdicts import Verdict, verdicts_of
from service.evaluations import outputs, plans, shards
from service.evaluations.sample_schemas import VerdictOut, VerdictsOut
from service.evaluations.store import Evaluation

Found = dict[int, list[list[Verdict]]]  # of each sample's index, of each of its outputs


def verdicts(
    db: Connection, row: Evaluation, chosen: Sequence[int]
) -> dict[int, list[VerdictsOut]]:
    """Of each chosen sample, by its index, what each metric that gives verdicts said."""
    shown: dict[int, list[VerdictsOut]] = {index: [] for index in chosen}
    for position, metric in _metrics(db, row).items():
        for index, each in _found(db, row, position, metric, chosen).items():
            listed = [[VerdictOut.model_validate(asdict(one)) for one in own] for own in each]
            shown[index].append(VerdictsOut(metric=metric.name, position=position, outputs=listed))
    return shown


def _metrics(db: Connection, row: Evaluation) -> dict[int, BoundMetric]:
    """Those of the evaluation that give verdicts, by their position."""
    found = {}
    for one in plans.read(db, row.id):
        try:
            metric = find(one.name)
            if metric.verdicts is not None:
                params = one.resolved if one.resolved is not None else one.params
                found[one.position] = metric.bind(params)
        except ReportedError:  # not in this catalogue, or of a version of other parameters
            continue
    return found


def _found(
    db: Connection, row: Evaluation, position: int, metric: BoundMetric, chosen: Sequence[int]
) -> Found:
    wanted = np.sort(np.array(chosen, np.int64))
    if not len(wanted):
        return {}
    parts = [
        (part, wanted[(wanted >= part.start) & (wanted < part.stop)].tolist())
        for part in shards.overlapping(db, row.id, int(wanted[0]), int(wanted[-1]) + 1)
    ]
    parts = [(part, own) for part, own in parts if own]
    found: Found = {}
    for part, own in parts:  # one at a time: a page may be of as many shards as samples
        evidence = shards.evidence_of(db, row.id, position, [part.number]).get(part.number)
        if evidence is None:
            continue
        texts = outputs.read(db, row.id, part.start, part.stop)
        counts = [len(texts.get(index, ())) for index in range(part.start, part.stop)]
        spans = list(pairwise(np.cumsum([0, *counts]).tolist()))
        for index in own:
            items = evidence.take(range(*spans[index - part.start]))
            found[index] = verdicts_of(metric, items)
    return found
