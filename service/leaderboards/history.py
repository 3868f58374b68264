"""What a system's other evaluations have otherwise than the one that a board shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, select

from metrics.core.signature import difference
from service.db.stored import Stored
from service.db.tables import datasets, evaluations
from service.leaderboards.store import UNPROMPTED, BoardScore, ranked

GIVEN = "none, the outputs were given"


class Made(Protocol):
    """What two evaluations may differ in."""

    @property
    def dataset_name(self) -> str:
        """Of the dataset, without its version."""

    @property
    def dataset_version(self) -> int:
        """Of the dataset."""

    @property
    def model(self) -> str | None:
        """That the service ran for the outputs; None: they were given."""

    @property
    def generation(self) -> Mapping[str, Any] | None:
        """How the model generated."""

    @property
    def protocol_digest(self) -> str | None:
        """Of the protocol by which records were asked."""


@dataclass(frozen=True, slots=True)
class Run(Stored):
    """An evaluation that succeeded, as far as boards tell of it."""

    id: str
    system: str
    dataset_name: str
    dataset_version: int
    model: str | None
    generation: Mapping[str, Any] | None
    protocol_digest: str | None


def runs(db: Connection, dataset: str, at: datetime | None = None) -> list[Run]:
    """All that succeeded on any version of the dataset of this name, newest first.

    at  those that had finished by then
    """
    query = (
        select(
            evaluations.c.id,
            evaluations.c.system,
            datasets.c.name.label("dataset_name"),
            datasets.c.version.label("dataset_version"),
            evaluations.c.model,
            evaluations.c.generation,
            evaluations.c.protocol_digest,
        )
        .join(datasets, datasets.c.id == evaluations.c.dataset_id)
        .where(datasets.c.name == dataset, evaluations.c.status == "succeeded", ranked())
        .order_by(evaluations.c.id.desc())
    )
    if at is not None:
        query = query.where(evaluations.c.finished_at <= at)
    return [Run.from_row(row) for row in db.execute(query)]


def differing(a: Made, b: Made) -> list[str]:
    """What the two were not made alike in, as `temperature: 0.0 / 0.7`."""
    found = []
    if (a.dataset_name, a.dataset_version) != (b.dataset_name, b.dataset_version):
        found.append(f"dataset: {_dataset(a)} / {_dataset(b)}")
    return found + _settings(a, b)


def notes(shown: Run, others: Sequence[Run], scores: Mapping[str, BoardScore]) -> list[str]:
    """What the system's `others`, newest first, have otherwise; the same thing once.

    scores  by evaluation, those that could stand on the board
    """
    found: dict[str, str] = {}
    for other in others:
        if other.id > shown.id:
            for what in _later(shown, other, scores):
                found.setdefault(what, f"{other.id} is newer and {what}")
        for what in _settings(shown, other):
            found.setdefault(what, f"{other.id} was made with other settings: {what}")
    return list(found.values())


def _later(shown: Run, other: Run, scores: Mapping[str, BoardScore]) -> list[str]:
    """Why a newer evaluation is not the one that is shown."""
    if other.dataset_version != shown.dataset_version:
        return [f"is on version {other.dataset_version} of the dataset"]
    if other.id not in scores:
        return [f"has no value of {scores[shown.id].label}"]
    signatures = scores[shown.id].signature, scores[other.id].signature
    if signatures[0] == signatures[1]:
        return []  # made in another way: a row of its own
    unlike = difference(*signatures)
    return [f"has another signature: {'; '.join(unlike)}"]


def _settings(a: Made, b: Made) -> list[str]:
    """The settings of generation in which the two differ."""
    found = []
    if a.model != b.model:
        found.append(f"model: {a.model or GIVEN} / {b.model or GIVEN}")
    elif a.generation is not None and b.generation is not None:
        names = dict.fromkeys([*a.generation, *b.generation])
        for name in names:
            left, right = a.generation.get(name), b.generation.get(name)
            if left != right:
                found.append(f"{name}: {left} / {right}")
    return found + unlike_protocols(a, b)


def unlike_protocols(a: Made, b: Made) -> list[str]:
    """That records were asked by different protocols, as `protocol: none / 0a1b2c3d4e5f`."""
    if a.protocol_digest == b.protocol_digest:
        return []
    names = [one.protocol_digest or UNPROMPTED for one in (a, b)]
    return [f"protocol: {names[0]} / {names[1]}"]


def protocol_warnings(a: Made, b: Made) -> list[str]:
    """What to say where values of both are compared."""
    return [
        f"records were asked by different protocols ({one.removeprefix('protocol: ')}): a "
        "difference may come of that alone"
        for one in unlike_protocols(a, b)
    ]


def _dataset(one: Made) -> str:
    return f"{one.dataset_name}@{one.dataset_version}"
