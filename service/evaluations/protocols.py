"""The protocol of a request: its datasets found, tried on every record, its digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from inference.errors import InputError
from inference.protocols.answers import check
from inference.protocols.asking import asked
from inference.protocols.declaration import Protocol, digest
from service.datasets import store as datasets
from service.datasets.store import Content, Dataset
from service.errors import invalid
from service.evaluations.schemas import GenerationIn

EXAMPLES = ("eval", "code", "prompts", "sft")  # kinds of datasets that have them
MOST_RECORDS = 100_000  # of a dataset of examples, or that is searched


@dataclass(frozen=True, slots=True)
class Admitted:
    """A protocol as it is stored, and what names it."""

    content: Mapping[str, Any]
    digest: str


def admit(
    db: Connection,
    protocol: Protocol | None,
    generation: GenerationIn | None,
    records: Sequence[Content],
) -> Admitted | None:
    """The request's protocol, if it has one. Raises 422 naming what is wrong with it, and the
    first record that it cannot ask."""
    if protocol is None:
        return None
    ids = {named: _dataset(db, named, f"protocol.{at}").id for at, named in protocol.datasets}
    resolved = protocol.resolved(ids)
    generation = generation or GenerationIn()
    _fits(resolved, generation)
    try:
        check(resolved.taken)
        asked(resolved, records, examples_of(db, resolved), generation.system)
    except InputError as error:
        at = f"protocol.{error.field}" if error.field else "protocol"
        raise invalid("invalid_protocol", error.message, at) from None
    return Admitted(resolved.model_dump(mode="json"), digest(resolved))


def examples_of(db: Connection, protocol: Protocol) -> list[Content]:
    """The records that examples are taken from."""
    few_shot = protocol.few_shot
    return [] if few_shot is None else datasets.read_records(db, few_shot.dataset)


def _dataset(db: Connection, named: str, param: str) -> Dataset:
    found = datasets.require(db, named, param)
    if found.kind not in EXAMPLES:
        message = f"dataset {found.name!r} is of kind {found.kind}; it takes one of "
        raise invalid("wrong_kind", message + ", ".join(EXAMPLES), param)
    if found.size > MOST_RECORDS:
        message = f"dataset {found.name!r} has {found.size} records, and {MOST_RECORDS} are the "
        raise invalid("too_many_records", message + "most", param)
    return found


def _fits(protocol: Protocol, generation: GenerationIn) -> None:
    """Raises 422 where the settings of generation are not such as the style needs."""
    name = protocol.style.name
    if name == "self_consistency" and generation.temperature == 0:
        message = "self_consistency draws several times: it needs a temperature above 0, as 0.7"
        raise invalid("greedy_outputs", message, "generation.temperature")
    if name in ("self_consistency", "react") and generation.num_outputs > 1:
        message = f"{name} makes one output a sample: leave num_outputs out"
        raise invalid("several_outputs", message, "generation.num_outputs")
