"""Projects that are let in: outputs are there, items are made of them, all is stored."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from sqlalchemy import Connection

from inference.protocols.conversation import prompt_of
from service.annotation import items, items_store, store
from service.annotation.answers import draw, of_vote
from service.annotation.items import WITHOUT, SampleOutputs
from service.annotation.items_store import Made
from service.annotation.schemas import OUTPUTS, AnnotationProjectIn, ExampleIn, GoldIn
from service.datasets import store as datasets
from service.errors import invalid
from service.evaluations import outputs
from service.evaluations.store import Evaluation
from service.leaderboards import scopes

MOST_SLOTS = 1_000_000  # items times overlap
MOST_MADE = 2_000_000  # items that are made before some of them are drawn
LEAST_SYSTEMS = {"pairwise": 2, "best_worst": 3}


def admit(db: Connection, body: AnnotationProjectIn) -> str:
    """The id of the project, with its items. Raises 404, 409 or 422 for evaluations that are not
    there or not done, fields that do not go together, and where there is nothing to judge."""
    _check(body)
    for at, one in enumerate(body.examples):
        _expected(body, one, f"examples[{at}]")
    rows = scopes.all_finished(db, body.evaluations, "evaluations")
    _check_systems(body, rows)
    seed = body.seed if body.seed is not None else secrets.randbits(48)
    random = draw(seed, "items")
    left_out: Counter[str] = Counter()
    samples = [one for group in _by_dataset(rows) for one in _samples(db, group, left_out)]
    made = _made(body, samples, random, left_out)
    if not any(one.kind == "item" for one in made):
        said = ", ".join(f"{count} {why}" for why, count in left_out.items()) or "no samples"
        message = f"of these outputs no item can be made: {said}"
        raise invalid("nothing_to_judge", message, "evaluations")
    gold = [
        Made("gold", one.prompt, one.outputs, expected=_expected(body, one, f"gold[{at}]"))
        for at, one in enumerate(body.gold)
    ]
    id = store.create(
        db,
        name=body.name,
        form=body.form,
        definition=body.model_dump(mode="json", exclude={"gold", "seed"}),
        systems=[
            {"system": one.system, "evaluation": one.id, "dataset": one.dataset_id} for one in rows
        ],
        left_out=+left_out,  # without zeros
        seed=seed,
        overlap=body.overlap,
        per_annotator=body.per_annotator,
        lease_minutes=body.lease_minutes,
    )
    items_store.add(db, id, [*made, *gold], body.overlap)
    return id


def _check(body: AnnotationProjectIn) -> None:
    """Raises 422 for fields that do not go together."""
    names = [one.name for one in body.criteria]
    faults = [
        (len(set(names)) < len(names), "same_criterion", "criteria", "two have the same name"),
        (body.form == "likert" and not names, "no_criteria", "criteria", "likert rates by some"),
        (
            body.form == "likert" and any(one.scale is None for one in body.criteria),
            *("no_scale", "criteria", 'of likert, each needs a scale, as "scale": [1, 5]'),
        ),
        (
            body.form == "label" and len(set(body.labels)) < 2,
            *("no_labels", "labels", "label needs two different ones at least"),
        ),
        (len(set(body.labels)) < len(body.labels), "same_label", "labels", "one is there twice"),
        (
            body.form == "edit" and body.gold,
            "gold_of_edit",
            "gold",
            "no edit is the only right one",
        ),
        (
            body.equal_outputs == "control" and not (body.form == "pairwise" and body.ties),
            *("no_controls", "equal_outputs", "controls are pairs, which a tie is expected of"),
        ),
        (
            body.items == "most_informative" and body.form != "pairwise",
            *("not_pairwise", "items", "most_informative chooses among pairs, of pairwise"),
        ),
    ]
    for wrong, code, param, message in faults:
        if wrong:
            raise invalid(code, f"{param}: {message}", param)


def _expected(body: AnnotationProjectIn, one: GoldIn | ExampleIn, at: str) -> dict[str, object]:
    """The answer to a question that comes with one, checked."""
    wanted = OUTPUTS.get(body.form, body.tuple_size)
    if len(one.outputs) != wanted:
        message = f"a question of {body.form} has {wanted} outputs, this has {len(one.outputs)}"
        raise invalid("other_count", message, f"{at}.outputs")
    definition = body.model_dump(mode="json", include={"criteria", "labels", "ties"})
    return of_vote(body.form, definition, one.expected, range(wanted), f"{at}.expected.")


def _check_systems(body: AnnotationProjectIn, rows: Sequence[Evaluation]) -> None:
    """Raises 422 for two evaluations of one system on one dataset, and for too few to compare."""
    seen: dict[tuple[str, str], str] = {}
    for at, row in enumerate(rows):
        other = seen.setdefault((row.dataset_id, row.system), row.id)
        if other != row.id or row.id in body.evaluations[:at]:
            message = f"{other} is of the same system, {row.system!r}, on the same dataset"
            raise invalid("same_system", message, f"evaluations[{at}]")
    least = LEAST_SYSTEMS.get(body.form, 1)
    for group in _by_dataset(rows):
        if len(group) < least:
            message = f"{body.form} compares {least} systems at least on the same dataset version; "
            message += f"on {group[0].dataset_name}@{group[0].dataset_version} there is "
            raise invalid("too_few_systems", f"{message}{len(group)}", "evaluations")


def _by_dataset(rows: Sequence[Evaluation]) -> list[list[Evaluation]]:
    found: dict[str, list[Evaluation]] = {}
    for row in rows:
        found.setdefault(row.dataset_id, []).append(row)
    return list(found.values())


def _samples(
    db: Connection, rows: Sequence[Evaluation], left_out: Counter[str]
) -> Iterator[SampleOutputs]:
    """The first output of each system for each sample; empty ones are none."""
    texts = {row.system: outputs.read(db, row.id) for row in rows}
    for index, record in enumerate(datasets.read_records(db, rows[0].dataset_id)):
        first = {system: (found.get(index) or [""])[0] for system, found in texts.items()}
        there = {system: text for system, text in first.items() if text.strip()}
        left_out[WITHOUT] += len(first) - len(there)
        yield SampleOutputs(rows[0].dataset_id, str(record["id"]), prompt_of(record), there)


def _made(
    body: AnnotationProjectIn,
    samples: Sequence[SampleOutputs],
    random: Random,
    left_out: Counter[str],
) -> list[Made]:
    """The items, in the order in which they are given out."""
    systems = max((len(one.outputs) for one in samples), default=0)
    most = len(samples) * max(systems * (systems - 1) // 2, systems)
    if most > MOST_MADE:
        message = f"{len(samples)} samples of {systems} systems make {most} items: give fewer"
        raise invalid("too_many_items", message, "evaluations")
    if body.form == "pairwise":
        every = items.pairs(samples, body.equal_outputs == "control", left_out)
    elif body.form == "best_worst":
        every = items.tuples(samples, body.tuple_size, random, left_out)
    else:
        every = items.single(samples)
    made = list(every)
    random.shuffle(made)
    if isinstance(body.items, int):
        made = made[: body.items]
    if len(made) * body.overlap > MOST_SLOTS:
        message = f"{len(made)} items with {body.overlap} votes each are more than {MOST_SLOTS}"
        raise invalid("too_many_items", f"{message}: give a number of items", "items")
    return made
