"""Warnings about the data of a job: counted at POST, kept in its report, said in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.db import events
from service.training import store as training
from service.training.overlap import overlap, sentence

OVERLAPS = ("overlap", "validation_overlap")  # in the report, and as events
REPEATED = 0.01  # share of records that are copies of others, above which it is said


def look(
    db: Connection, job: str, trained: Dataset, blocks: Mapping[str, Mapping[str, Any] | None]
) -> None:
    """Count and store; what is to be warned of is an event, too.

    blocks  the job's, whose `dataset_id` checkpoints are measured on, by what is told: of OVERLAPS
    """
    counts = {"records": trained.size, "distinct": datasets.distinct(db, trained.id)}
    training.add_to_report(db, job, {"data": counts})
    if of_data(counts) is not None:
        events.append(db, job, "repeated_data", counts)
    for name, block in blocks.items():
        if block is None:
            continue
        found = overlap(db, trained, datasets.require(db, block["dataset_id"]))
        training.add_to_report(db, job, {name: found})
        if sentence(found) is not None:
            events.append(db, job, name, found)


def of_training(report: Mapping[str, Any]) -> list[str]:
    """Sentences about a job with this report."""
    found = of_data(report["data"]) if "data" in report else None
    return [one for one in (found, *of_scores(report)) if one is not None]


def of_scores(report: Mapping[str, Any]) -> list[str]:
    """Sentences about the scores of its checkpoints."""
    said = [sentence(report[name]) for name in OVERLAPS if name in report]
    return [one for one in said if one is not None]


def of_data(counts: Mapping[str, int]) -> str | None:
    """A sentence where a single record, or the same again and again, would be learned by heart."""
    records, distinct = counts["records"], counts["distinct"]
    if distinct == 1:
        which = "one record" if records == 1 else f"{records} copies of one record"
        return f"the training data are {which}, which will be learned by heart"
    if records - distinct > REPEATED * records:
        return f"of {records} training records {records - distinct} repeat others, and weigh more"
    return None
