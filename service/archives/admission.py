"""What `POST /v1/archives` lets in: an archive that is whole, whose numbers its rows lead to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from inference.errors import ReportedError
from metrics import find
from metrics.core.archive import Archive
from metrics.core.manifest import MetricFacts
from metrics.core.stored_zip import UnreadableArchive
from metrics.core.verification import NOT_KEPT, Options, verify
from service.archives import store as archives
from service.archives.schemas import AskedIn, MetricIn, OriginIn, OutputsIn
from service.datasets import store as datasets
from service.datasets.schemas import checked
from service.datasets.staging import Staged
from service.errors import ApiError, invalid, of_metric
from service.evaluations import outputs as stored_outputs
from service.evaluations import plans, shards
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.checks import EVALUABLE, check_ceilings
from service.evaluations.plans import MetricRequest, models_of
from service.evaluations.sample_schemas import DetailsOut
from service.settings import Settings

MOST_SHOWN = 5  # differences that a refusal tells


@dataclass(frozen=True, slots=True)
class Opened:
    """An archive that may be loaded, and the scores whose intervals take evidence to check that it
    does not have: `distinct_2`, `chrf lang=ru`."""

    archive: Archive
    unchecked: list[str]


def opened(file: IO[bytes], settings: Settings) -> Opened:
    """The archive in the file. Raises 422 where it is none, was changed, or holds numbers that its
    rows do not lead to."""
    with _refusing():
        archive = Archive(file)
        archive.provenance()
        for index, facts in enumerate(archive.manifest.metrics):
            _check_metric(facts, settings, f"metrics[{index}]")
        lookup = partial(find, roots=settings.metric_roots)
        checks = list(verify(archive, lookup, Options(rows_only=True)))
    values = [check for check in checks if check.what == "value" and check.status == "unchecked"]
    wrong = [check for check in checks if check.status == "differs"]
    wrong += [check for check in values if not check.slice and check.detail != NOT_KEPT]
    if wrong:
        told = [f"{one.metric} {one.score or one.what}: {one.detail}" for one in wrong]
        message = f"the archive's numbers are not those of its rows: {'; '.join(told[:MOST_SHOWN])}"
        raise invalid("archive_differs", message)
    return Opened(archive, [f"{one.score} {one.slice}".strip() for one in values])


def load(db: Connection, found: Opened, settings: Settings, dataset: str | None) -> str:
    """Store the archive as an evaluation that has succeeded, and return its id.

    dataset  the name to store its records under; None: the one they had
    """
    archive, manifest = found.archive, found.archive.manifest
    with _refusing():
        asked = AskedIn.model_validate(
            manifest.evaluation.model_dump() | {"dataset": dataset or manifest.dataset.name}
        )
        origin = _origin(archive) | {"unchecked": found.unchecked}
        version = _dataset(db, archive, asked.dataset, settings)
        requests = [MetricRequest(one.name, one.params) for one in manifest.metrics]
        id = evaluations.create(
            db,
            system=asked.system,
            dataset_id=version,
            size=manifest.dataset.size,
            metrics=requests,
            model=asked.model,
            models=sorted(models_of(requests, settings.metric_roots)),
            generation=asked.generation,
            slices=asked.slices,
            seed=manifest.evaluation.seed,
            replicates=manifest.evaluation.replicates,
            level=manifest.evaluation.level,
            cluster=asked.cluster,
            protocol=asked.protocol,
            protocol_digest=asked.protocol_digest,
            origin=origin,
        )
        _content(db, archive, id)
    evaluations.lock(db, id)
    shown = {name: origin[name] for name in ("service", "evaluation", "digest")}
    evaluations.start(db, id, {"origin": shown})
    scores = results.read_scores(db, [id])[id]
    summary = {score.name: score.value for score in scores if not score.slice}
    evaluations.finish(db, id, "succeeded", {"scores": summary})
    return id


def _content(db: Connection, archive: Archive, id: str) -> None:
    """Outputs, rows, evidence and scores."""
    manifest = archive.manifest
    stored_outputs.add(db, id, _texts(archive), _details(archive))
    shards.create(db, id, manifest.dataset.size, manifest.dataset.size)
    shards.finish(db, id, 0, manifest.dataset.size)
    for one in manifest.metrics:
        facts = {"resolved": one.resolved, "signature": one.signature, "error": one.error}
        plans.complete(db, id, one.position, **facts)
        packed = archive.packed(one)
        if packed is not None:
            results.keep_result(db, id, one.position, packed)
        evidence = archive.evidence(one)
        if evidence is not None:
            archives.keep_evidence(db, id, {one.position: evidence})
    rows = archives.score_rows(archive.scores(), len(manifest.metrics))
    results.replace_scores(db, id, rows)


def _check_metric(facts: MetricFacts, settings: Settings, where: str) -> None:
    """Raises 422 for a metric that is not here, or may not be asked for so."""
    MetricIn.model_validate(facts.model_dump())
    if facts.result is None:
        return
    try:
        given = facts.resolved if facts.resolved is not None else facts.params
        metric = find(facts.name, settings.metric_roots).bind(given)
    except ReportedError as error:
        raise of_metric(error, where) from None
    check_ceilings(metric, settings, where)


def _origin(archive: Archive) -> dict[str, Any]:
    """Where it comes from, as it is stored and shown."""
    told = OriginIn.model_validate(archive.provenance())
    return {
        "service": told.service,
        "evaluation": told.evaluation,
        "digest": archive.manifest.digest,
        "content": archive.manifest.content,
        "when": told.finished_at,
        "origin": told.origin,
        "provenance": told.provenance,
    }


def _dataset(db: Connection, archive: Archive, name: str, settings: Settings) -> str:
    """The id of the version that the archive's records are."""
    facts = archive.manifest.dataset
    if facts.kind not in EVALUABLE:
        message = f"the records are of kind {facts.kind!r}; it takes one of {', '.join(EVALUABLE)}"
        raise invalid("wrong_kind", message)
    with Staged() as staged:
        staged.fill(checked(archive.records(), facts.kind, "records"), settings)
        if datasets.digest(facts.kind, staged) != facts.digest:
            raise invalid("unreadable_archive", "the records are not as a dataset stores them")
        return datasets.put(db, name, facts.kind, staged, "dataset")[0].id


def _texts(archive: Archive) -> Iterator[tuple[int, list[str]]]:
    for index, texts in enumerate(archive.outputs()):
        if texts is not None:
            yield index, OutputsIn(texts=texts).texts


def _details(archive: Archive) -> dict[int, list[dict[str, Any]]]:
    """What `details` of samples can be, and no more of what a file says."""
    return {
        index: [DetailsOut.model_validate(one).model_dump(exclude_defaults=True) for one in each]
        for index, each in enumerate(archive.details())
        if each is not None
    }


@contextmanager
def _refusing() -> Iterator[None]:
    """What an archive cannot hold is the sender's fault: 422 says what."""
    try:
        yield
    except UnreadableArchive as error:
        raise invalid(error.code, error.message, error.field) from None
    except ApiError:
        raise
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise invalid("unreadable_archive", f"{place}: {first['msg']}", place or None) from None
    except (DataError, IntegrityError):
        message = "the archive's scores or metrics cannot be stored: their fields are not of a kind"
        raise invalid("unreadable_archive", message, "scores.json") from None
