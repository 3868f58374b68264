"""Controls: what a metric gives to nonsense and to a human, measured as a system's outputs are.

    control/empty      nothing at all
    control/prompt     the prompt, copied
    control/shuffled   another sample's reference: right in language and style, wrong in content
    control/reference  a reference, compared with the others where there are several

They are evaluations of systems with reserved names, made on request and shown beside a board, never
ranked. A reference that is left out of those it is compared with makes another dataset, which bears
a reserved name, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Connection, select, text

from inference.protocols.conversation import prompt_of
from metrics.core.signature import difference
from service.datasets import store as datasets
from service.datasets.store import Content, Dataset
from service.db.tables import evaluation_metrics, evaluations, scores
from service.errors import invalid
from service.evaluations import outputs
from service.evaluations import store as stored_evaluations
from service.evaluations.checks import bound_metrics
from service.evaluations.plans import MetricRequest, models_of
from service.evaluations.scores import Score, listing
from service.evaluations.store import CONTROL
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Transaction
from service.http.router import Router
from service.jobs import queue
from service.leaderboards.boards_store import BoardKey
from service.leaderboards.schemas import ControlOut, ControlRow, Controls, ControlsIn
from service.leaderboards.store import ranked
from service.settings import Settings

MOST_METRICS = 50
LEFT_OUT = "control-reference"  # datasets of records that lack the reference which is the output
ABOUT = {
    "empty": "no output at all",
    "prompt": "the prompt, copied",
    "shuffled": "the reference of another sample",
    "reference": "a reference, compared with the others of its sample",
}
ITSELF = "a reference, compared with itself: the best that the metric can give"

router = Router(prefix="/v1/leaderboards", tags=["leaderboards"], route_class=BodyRoute)


@dataclass(frozen=True, slots=True)
class Control:
    """Outputs of a control by record, and the records if they are not the dataset's own."""

    name: str
    texts: list[str]
    records: list[Content] | None = None


@router.post("/{dataset:path}/controls", status_code=202, summary="Measure controls of a dataset")
def create_controls(
    dataset: str, body: ControlsIn, db: Transaction, settings: CurrentSettings
) -> Controls:
    """By every metric that systems on the dataset have been measured with and that runs no model,
    or by those that are named; what is measured already is not measured again. The boards of the
    dataset then show them with `controls=true`."""
    version = datasets.require(db, dataset)
    db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 17))"), {"id": version.id})
    wanted, without = _metrics(db, settings, version, body)
    if not wanted:
        message = (
            f"nothing has been evaluated on {version.name!r} by a metric that runs no model: name "
            "`metrics`"
        )
        raise invalid("no_metrics", message, "metrics")
    made, skipped = controls(datasets.read_records(db, version.id), body.seed)
    return Controls(
        dataset=version.name,
        version=version.version,
        dataset_id=version.id,
        metrics=sorted({one.name for one in wanted}),
        data=[_measured(db, settings, version, one, wanted) for one in made],
        left_out=[*skipped, *without],
    )


def controls(records: Sequence[Content], seed: int = 0) -> tuple[list[Control], list[str]]:
    """The controls that the records allow, and why there are no others."""
    chance = np.random.default_rng(seed)
    found, lacking = [Control("empty", [""] * len(records))], list[str]()
    prompts = [prompt_of(record) or "" for record in records]
    if all(prompts):
        found.append(Control("prompt", prompts))
    else:
        lacking.append("prompt: some samples have none")
    references = [list(record.get("references") or []) for record in records]
    if not all(references):
        return found, [*lacking, "shuffled, reference: some samples have no reference"]
    picked = [int(chance.integers(len(own))) for own in references]
    chosen = [own[at] for own, at in zip(references, picked, strict=True)]
    if len(records) > 1:
        found.append(Control("shuffled", shuffled(chosen, chance)))
    else:
        lacking.append("shuffled: there is one sample alone")
    several = any(len(own) > 1 for own in references)
    rest = [
        dict(record) | {"references": [one for place, one in enumerate(own) if place != at] or own}
        for record, own, at in zip(records, references, picked, strict=True)
    ]
    found.append(Control("reference", chosen, rest if several else None))
    return found, lacking


def shuffled(texts: Sequence[str], chance: np.random.Generator) -> list[str]:
    """The texts in another order in which none stands where it stood."""
    order = chance.permutation(len(texts))
    moved = np.empty(len(texts), np.int64)
    moved[order] = np.roll(order, 1)  # one cycle through all
    return [texts[at] for at in moved.tolist()]


def rows(db: Connection, key: BoardKey, signature: str) -> tuple[list[ControlRow], list[str]]:
    """What a board shows of its controls, and what to say of those that are not there."""
    other = datasets.find(db, f"{LEFT_OUT}/{key.dataset_id}")
    sets = [key.dataset_id, *([other.id] if other is not None else [])]
    query = (
        listing()
        .add_columns(evaluations.c.system)
        .where(
            evaluations.c.dataset_id.in_(sets),
            ~ranked(),
            evaluations.c.status == "succeeded",
            scores.c.name == key.score,
            scores.c.slice == key.slice,
        )
        .order_by(evaluations.c.id.desc())
    )
    newest: dict[str, tuple[Score, str]] = {}
    for row in db.execute(query):
        name = row.system.removeprefix(CONTROL)
        score = Score.from_row(row)
        kept = newest.get(name)
        if kept is None or (kept[0].signature != signature == score.signature):
            newest[name] = score, row.dataset_id
    shown = [
        _row(name, newest[name][0], signature, alone=newest[name][1] == key.dataset_id)
        for name in ABOUT
        if name in newest
    ]
    return shown, [] if shown else [_absent(db, sets, key)]


def _absent(db: Connection, sets: Sequence[str], key: BoardKey) -> str:
    query = select(evaluations.c.id).where(
        evaluations.c.dataset_id.in_(sets),
        ~ranked(),
        evaluations.c.status.in_(["queued", "running"]),
    )
    if db.scalar(query.limit(1)) is not None:
        return "controls are being measured"
    over = f" for {key.slice}" if key.slice else ""
    return (
        f"no control has been measured by {key.score}{over}: POST /v1/leaderboards/{{dataset}}/"
        "controls measures them"
    )


def _row(name: str, score: Score, signature: str, *, alone: bool) -> ControlRow:
    notes = []
    if score.signature is not None and score.signature != signature and score.value is not None:
        unlike = "; ".join(difference(signature, score.signature))
        notes.append(f"another signature than the board's: {unlike}")
    if score.error is not None:
        notes.append(str(score.error.get("message", "no value")))
    return ControlRow(
        control=name,
        about=ITSELF if name == "reference" and alone else ABOUT[name],
        evaluation=score.evaluation_id,
        value=score.value,
        interval=score.interval,
        n=score.n,
        missing=score.missing,
        notes=notes,
    )


def _metrics(
    db: Connection, settings: Settings, version: Dataset, body: ControlsIn
) -> tuple[list[MetricRequest], list[str]]:
    """What to measure by, and which metrics are left out because they run a model."""
    if body.metrics is not None:
        return [one.request for one in bound_metrics(db, settings, body.metrics)], []
    table = evaluation_metrics.c
    query = (
        select(table.name, table.resolved)
        .join(evaluations, evaluations.c.id == table.evaluation_id)
        .where(
            evaluations.c.dataset_id == version.id,
            evaluations.c.status == "succeeded",
            table.result.is_not(None),
            table.resolved.is_not(None),
            ranked(),
        )
        .order_by(evaluations.c.id.desc(), table.position)
    )
    found = {_key(name, params): MetricRequest(name, params) for name, params in db.execute(query)}
    free, without = [], []
    for one in found.values():
        models = models_of([one], settings.metric_roots)
        if models:
            without.append(f"{one.name}: it runs {', '.join(sorted(models))}; name it in `metrics`")
        else:
            free.append(one)
    return free[:MOST_METRICS], list(dict.fromkeys(without))


def _key(name: str, params: Mapping[str, Any] | None) -> bytes:
    return orjson.dumps([name, params], option=orjson.OPT_SORT_KEYS)


def _measured(
    db: Connection,
    settings: Settings,
    version: Dataset,
    control: Control,
    wanted: Sequence[MetricRequest],
) -> ControlOut:
    """The control's evaluation, made now by the metrics that no earlier one has."""
    dataset_id, system = version.id, CONTROL + control.name
    if control.records is not None:
        other, _ = datasets.put(db, f"{LEFT_OUT}/{version.id}", "eval", control.records)
        dataset_id = other.id
    there = _earlier(db, dataset_id, system)
    have = {_key(name, params) for _, _, name, params in there}
    lacking = [one for one in wanted if _key(one.name, one.params) not in have]
    if not lacking:
        return ControlOut(control=control.name, evaluation=there[-1][0], status=there[-1][1])
    id = stored_evaluations.create(
        db,
        system=system,
        dataset_id=dataset_id,
        size=len(control.texts),
        metrics=lacking,
        model=None,
        models=sorted(models_of(lacking, settings.metric_roots)),
        generation=None,
        slices=sorted(_sliced(db, version))[:10],
        seed=0,
        replicates=settings.replicates,
        level=settings.level,
    )
    outputs.add(db, id, ((at, [own]) for at, own in enumerate(control.texts)))
    queue.defer(db, "evaluate.plan", evaluation=id)
    return ControlOut(control=control.name, evaluation=id, status="queued")


def _earlier(
    db: Connection, dataset_id: str, system: str
) -> list[tuple[str, str, str, Mapping[str, Any]]]:
    """The control's evaluations, oldest first: id, status, and each metric with its parameters."""
    table = evaluation_metrics.c
    query = (
        select(evaluations.c.id, evaluations.c.status, table.name, table.params)
        .join(evaluations, evaluations.c.id == table.evaluation_id)
        .where(
            evaluations.c.dataset_id == dataset_id,
            evaluations.c.system == system,
            evaluations.c.status.not_in(["failed", "cancelled"]),
        )
        .order_by(evaluations.c.id)
    )
    return [(row[0], row[1], row[2], row[3]) for row in db.execute(query)]


def _sliced(db: Connection, version: Dataset) -> set[str]:
    """Metadata fields that systems have been asked for slices of."""
    query = select(evaluations.c.slices).where(
        evaluations.c.dataset_id == version.id, evaluations.c.status == "succeeded", ranked()
    )
    return {field for fields in db.scalars(query) for field in fields}
