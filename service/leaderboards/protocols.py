"""How a system's outputs were made: model, settings of generation, prompt template, draws, and
the evaluation's own `protocol`, by which records were asked.

Values of one system made in two ways are of two things: a board shows a row for each. What is luck
alone, the seed, is no part of it; of temperature 0 neither is what only sampling reads. Evaluations
of different `protocol` do not even stand on one board, unless that is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import CollectionAggregate, Connection, any_, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from service.db.board_tables import protocols
from service.db.columns import TEXTS
from service.db.tables import evaluations, outputs
from service.figures.words import short

LUCK = frozenset({"seed", "num_outputs"})  # the second is `draws`
SAMPLING = frozenset({"top_p", "top_k"})
TEMPLATE = ("chat", "system", "chat_template_kwargs")
GIVEN = "the outputs were given"


@dataclass(frozen=True, slots=True)
class Protocol:
    """`digest` names it, `text` is for people, `content` has its parts."""

    digest: str
    text: str
    content: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        model: str | None,
        generation: Mapping[str, Any] | None,
        draws: str,
        prompts: Mapping[str, Any] | None = None,
    ) -> Protocol:
        """The protocol of outputs that `model` generated, or that were given where it is None.

        draws    outputs of a sample: "1", or "1-4" where samples have unlike numbers
        prompts  the evaluation's `protocol`, resolved, with its digest
        """
        content: dict[str, Any] = {"model": model, "draws": draws}
        if model is not None:
            options = dict(generation or {})
            unread = LUCK | (SAMPLING if not options.get("temperature") else frozenset())
            content["template"] = {name: options.get(name) for name in TEMPLATE}
            content["generation"] = {
                name: value
                for name, value in options.items()
                if name not in unread and name not in TEMPLATE
            }
        if prompts is not None:
            content["prompts"] = dict(prompts)
        digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
        return cls(digest.hexdigest()[:16], _text(content), content)


def read(db: Connection, evaluation_ids: Collection[str]) -> dict[str, Protocol]:
    """The protocols of evaluations that have succeeded; those not known yet are stored."""
    wanted = sorted(evaluation_ids)
    query = select(protocols).where(protocols.c.evaluation_id == _any(wanted))
    found = {
        row.evaluation_id: Protocol(row.digest, _text(row.content), row.content)
        for row in db.execute(query)
    }
    unknown = [id for id in wanted if id not in found]
    if unknown:
        found |= _stored(db, unknown)
    return found


def _stored(db: Connection, evaluation_ids: list[str]) -> dict[str, Protocol]:
    counts = func.cardinality(outputs.c.texts)
    drawn = {
        row.evaluation_id: _draws(row.least, row.most)
        for row in db.execute(
            select(
                outputs.c.evaluation_id,
                func.min(counts).label("least"),
                func.max(counts).label("most"),
            )
            .where(outputs.c.evaluation_id == _any(evaluation_ids), counts > 0)
            .group_by(outputs.c.evaluation_id)
        )
    }
    columns = ("id", "model", "generation", "protocol", "protocol_digest")
    query = select(*(evaluations.c[name] for name in columns)).where(
        evaluations.c.id == _any(evaluation_ids)
    )
    found = {
        row.id: Protocol.of(
            row.model,
            row.generation,
            drawn.get(row.id, "0"),
            None if row.protocol is None else {**row.protocol, "digest": row.protocol_digest},
        )
        for row in db.execute(query)
    }
    rows = [
        {"evaluation_id": id, "digest": one.digest, "content": one.content}
        for id, one in sorted(found.items())
    ]
    if rows:
        db.execute(insert(protocols).on_conflict_do_nothing(), rows)
    return found


def _any(ids: list[str]) -> CollectionAggregate[bool]:
    """Of these; however many, they are one parameter."""
    return any_(literal(ids, TEXTS))


def _draws(least: int, most: int) -> str:
    return str(most) if least == most else f"{least}-{most}"


def _text(content: Mapping[str, Any]) -> str:
    """As `tiny, temperature 0.7, max_new_tokens 64, chat template, 4 outputs a sample`."""
    one = content["draws"] == "1"
    draws = f"{content['draws']} output{'' if one else 's'} a sample"
    if content["model"] is None:
        return f"{GIVEN}, {draws}"
    template = content["template"]
    chat = {True: "chat template", False: "no template", None: "chat template if there is one"}
    parts = [content["model"]]
    parts += [
        f"{name} {value}"
        for name, value in content["generation"].items()
        if value not in ([], None)
    ]
    parts.append(chat[template["chat"]])
    if template["system"]:
        parts.append(f"system prompt {short(template['system'], 60)!r}")
    for name, value in (template["chat_template_kwargs"] or {}).items():
        parts.append(f"{name} {value}")
    if content.get("prompts"):
        parts.append(_prompted(content["prompts"]))
    return ", ".join([*parts, draws])


def _prompted(prompts: Mapping[str, Any]) -> str:
    """As `protocol 0a1b2c3d4e5f (template, 5 examples, chain_of_thought)`."""
    few_shot = prompts["few_shot"]
    said = ["template"] if prompts["template"] else []
    said += [f"{few_shot['k']} example{'s' if few_shot['k'] > 1 else ''}"] if few_shot else []
    return f"protocol {prompts['digest']} ({', '.join([*said, prompts['style']['name']])})"
