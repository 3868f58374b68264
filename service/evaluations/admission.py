"""What `POST /v1/evaluations` and its `retry` let in: checked, stored, its plan deferred."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, select

from inference.errors import ReportedError
from metrics.core.details import Details
from metrics.core.metric import Sample
from service.catalogue import calibrated
from service.datasets import store as datasets
from service.datasets.store import Content
from service.db.gate_tables import gates
from service.errors import ApiError, invalid, not_found
from service.evaluations import opponents, plans, protocols, shards, usages
from service.evaluations import outputs as stored_outputs
from service.evaluations import store as evaluations
from service.evaluations.checks import (
    RequestedMetric,
    bound_metrics,
    check_budget,
    check_prompts,
    check_remote,
    check_samples,
    check_slices,
    evaluable,
    unique_ids,
)
from service.evaluations.plans import MetricRequest, models_of
from service.evaluations.schemas import BudgetIn, EvaluationIn, GenerationIn, RetryIn
from service.evaluations.store import Evaluation
from service.http.fields import LONGEST_NAME, name_fault
from service.jobs import queue
from service.models import store as models
from service.settings import Settings
from service.suites.choosing import chosen


def admit(db: Connection, body: EvaluationIn, settings: Settings) -> str:
    """Check everything, store everything, defer the plan; returns the evaluation's id."""
    _one_source(body)
    requested = bound_metrics(db, settings, body.metrics, opponents=True)
    if body.model is not None:
        models.require(db, settings, body.model, "model", "chat")
    dataset_id, samples, texts = _content(db, body, requested)
    from_suite, left_out = _of_suite(db, settings, body, samples, requested)
    requested += from_suite
    check_remote(db, body, requested)
    check_slices(body.slices, samples)
    if body.stop_when_settled is not None:
        _check_gate(db, body.stop_when_settled, requested)
    records = datasets.read_records(db, dataset_id) if body.protocol is not None else []
    protocol = protocols.admit(db, body.protocol, body.generation, records)
    if body.cluster is not None:
        datasets.read_clusters(db, dataset_id, body.cluster)  # raises where there is none
    requests = opponents.resolve(db, requested, dataset_id)
    id = evaluations.create(
        db,
        system=body.system or body.model or "",
        dataset_id=dataset_id,
        size=len(samples),
        metrics=requests,
        model=body.model,
        models=sorted(models_of(requests, settings.metric_roots)),
        generation=_generation(body),
        slices=body.slices,
        cluster=body.cluster,
        seed=body.seed,
        replicates=body.replicates or settings.replicates,
        level=body.level or settings.level,
        stop_when_settled=body.stop_when_settled,
        budget=body.budget.model_dump(exclude_none=True) if body.budget else None,
        suite=body.suite.name if body.suite is not None else None,
        left_out=left_out,
        protocol=protocol.content if protocol is not None else None,
        protocol_digest=protocol.digest if protocol is not None else None,
    )
    if texts:
        stored_outputs.add(db, id, texts.items())
    queue.defer(db, "evaluate.plan", evaluation=id)
    return id


def admit_again(
    db: Connection, settings: Settings, evaluation: str, body: RetryIn | None = None
) -> bool:
    """Have what failed of an evaluation measured again; what is measured stays. With a budget, what
    the old one had no room for is asked for.

    False: nothing has failed. Raises 404 where there is no such evaluation, 409 where it has not
    ended or was cancelled.
    """
    locked = evaluations.lock(db, evaluation)
    if locked is None:
        raise not_found("evaluation", evaluation)
    if locked.status not in evaluations.FINAL:
        message = f"the evaluation is {locked.status}: wait, or cancel it"
        raise ApiError(409, "not_ended", message, "evaluation")
    if locked.status == "cancelled":
        message = "the evaluation was cancelled: create another"
        raise ApiError(409, "cancelled", message, "evaluation")
    row = evaluations.get(db, evaluation)
    budget = body.budget if body is not None else None
    if row is not None and row.origin is None and budget is not None:
        _check_raised(db, row, budget)
        evaluations.rebudget(db, evaluation, budget.model_dump(exclude_none=True))
    again = not all(one.concluded for one in plans.read(db, evaluation))
    if row is not None and row.origin is None:
        again |= _forget_failed(db, settings, row, budget is not None)
    if not again:
        return False
    if row is not None and row.origin is not None:
        message = "the evaluation was imported, and cannot be measured here: import its file again"
        raise ApiError(409, "imported", message, "evaluation")
    queue.cancel_all(db, evaluation=evaluation)  # what is left of a failed one
    evaluations.reopen(db, evaluation)
    queue.defer(db, "evaluate.plan", evaluation=evaluation)
    return True


def _forget_failed(db: Connection, settings: Settings, row: Evaluation, raised: bool) -> bool:
    """Forget outputs that could not be made, and what metrics could not measure for a reason that
    may pass; whether there was some. `raised`: the budget."""
    lost = stored_outputs.drop_failed(db, row.id, raised) if row.model is not None else []
    if lost:
        shards.forget(db, row.id, lost)
    found = bool(lost)
    for one in plans.read(db, row.id):
        with suppress(ReportedError):  # a metric that is gone: told where it is planned again
            metric = one.bound(settings.metric_roots)
            found |= shards.forget_passing(db, row.id, one.position, metric)
    return found


def _check_raised(db: Connection, row: Evaluation, budget: BudgetIn) -> None:
    """Raises 422 for a budget that the evaluation cannot have, or has spent more than already."""
    calls_url = any(one.name == "remote" for one in plans.read(db, row.id))
    check_budget(db, budget.cost is not None, row.models, calls_url, "budget")
    usage = usages.read(db, [row.id]).get(row.id)
    if usage is None:
        return
    for name in ("requests", "tokens", "cost"):
        most, spent = getattr(budget, name), usage.charged[name]
        if most is not None and most < spent:
            message = f"{spent:g} {name} are spent already: a budget is of the whole evaluation"
            raise invalid("budget_spent", message, f"budget.{name}")


def _check_gate(db: Connection, name: str, requested: Sequence[RequestedMetric]) -> None:
    """Raises 422 where there is no such gate, it must be looked at only once, or it asks for a
    score that is not measured."""
    plain, at, version = name.rpartition("@")
    query = select(gates.c.content, gates.c.version).where(gates.c.name == (plain if at else name))
    rows = db.execute(query.order_by(gates.c.version.desc())).all()
    found = next((row for row in rows if not at or str(row.version) == version), None)
    if found is None:
        raise invalid("gate_not_found", f"there is no gate {name!r}", "stop_when_settled")
    if not found.content.get("sequential"):
        message = f"the gate {name!r} is not sequential: looked at after each shard, it would err "
        raise invalid("not_sequential", message + "more often than it says", "stop_when_settled")
    there = {name for one in requested for name in (one.metric.name, *one.metric.score_names)}
    lacking = [rule["score"] for rule in found.content["rules"] if rule["score"] not in there]
    if lacking:
        message = f"the gate {name!r} asks for {lacking[0]!r}, which is none of the metrics here"
        raise invalid("gate_without_score", message, "metrics")


def _of_suite(
    db: Connection,
    settings: Settings,
    body: EvaluationIn,
    samples: Sequence[Sample],
    requested: Sequence[RequestedMetric],
) -> tuple[list[RequestedMetric], list[dict[str, Any]]]:
    """The metrics of the suite that can be measured, beside those asked for, and what cannot.
    Raises 422 where there is nothing to measure."""
    if body.suite is None:
        return [], []
    taken = {one.metric.name for one in requested}
    found = chosen(db, settings, body.suite, samples, taken)
    metrics = []
    for one in found.picked:
        bound = one.metric
        params = calibrated.filled(db, bound.metric, one.option.params, "suite")
        metrics.append(RequestedMetric(bound, MetricRequest(bound.name, params)))
    if not metrics and not requested:
        told = "; ".join(one.reason for one in found.left_out)
        message = f"nothing of the suite {body.suite.name!r} can be measured: {told}"
        raise invalid("nothing_to_measure", message, "suite")
    return metrics, [asdict(one) for one in found.left_out]


def _one_source(body: EvaluationIn) -> None:
    """Outputs come from exactly one place, and something is measured."""
    if not body.metrics and body.suite is None:
        message = 'name metrics, as ["chrf"], or a suite, as "summarization"'
        raise invalid("missing_metrics", message, "metrics")
    if body.model is None and body.system is None:
        raise invalid("missing_system", "name the system whose outputs these are", "system")
    if (body.system or "").startswith(evaluations.CONTROL):
        message = f"{body.system!r}: names that begin with {evaluations.CONTROL} are of controls, "
        raise invalid("reserved_name", f"{message}which boards measure themselves", "system")
    if body.model is None and body.generation is not None:
        raise invalid("no_model", "generation is for a model that the service runs", "generation")
    if body.model is None and body.protocol is not None:
        message = "a protocol is for a model that the service runs: outputs that are given were "
        raise invalid("no_model", message + "made by another", "protocol")
    if body.outputs is not None and body.samples is not None:
        raise invalid("two_sources", "give samples or outputs, not both", "outputs")
    if body.outputs is not None and body.model is not None:
        raise invalid("two_sources", "give outputs or a model to make them, not both", "model")
    if body.samples is None and body.outputs is None and body.model is None:
        raise invalid("no_outputs", "give samples, outputs over a dataset, or a model", "samples")
    if body.samples is None and body.dataset is None:
        raise invalid("missing_dataset", "name the dataset the outputs belong to", "dataset")


def _content(
    db: Connection, body: EvaluationIn, requested: list[RequestedMetric]
) -> tuple[str, list[Sample], dict[int, list[str]]]:
    """The dataset's id, the samples, and their outputs by record index (none: to generate)."""
    if body.samples is not None:
        return _inline(db, body, requested)
    dataset = evaluable(db, body.dataset or "", "dataset")
    records = datasets.read_records(db, dataset.id)
    outputs = _by_record(body, records, dataset.name) if body.outputs is not None else {}
    pending = _pending(body)
    details = (Details(),) * len(pending)  # will be known
    samples = [
        replace(Sample.of(record, outputs.get(index, pending)), details=details)
        for index, record in enumerate(records)
    ]
    if _asks_prompts(body):
        check_prompts(samples, "records", "dataset")
    check_samples(requested, samples, "records", "dataset")
    return dataset.id, samples, outputs


def _inline(
    db: Connection, body: EvaluationIn, requested: list[RequestedMetric]
) -> tuple[str, list[Sample], dict[int, list[str]]]:
    given = body.samples or []
    name = body.dataset or _inline_name(body.system or body.model or "")
    fault = name_fault(name)
    if fault is not None:
        message = f"samples make a version of the dataset {name!r}, which {fault}; give a plain "
        raise invalid("fixed_dataset", message + "name, or `outputs`", "dataset")
    for index, sample in enumerate(given):
        if body.model is None and not sample.texts:
            message = f"samples[{index}] has no output, and no model is named to make one"
            raise invalid("missing_output", message, f"samples[{index}].output")
        if body.model is not None and sample.texts:
            message = f"samples[{index}] has an output, and {body.model} is to make one"
            raise invalid("two_sources", message, f"samples[{index}].output")
    pending = _pending(body)
    samples = [sample.sample(index) for index, sample in enumerate(given)]
    unique_ids(samples)
    if pending:
        details = (Details(),) * len(pending)
        samples = [replace(sample, outputs=pending, details=details) for sample in samples]
    if _asks_prompts(body):
        check_prompts(samples)
    check_samples(requested, samples)
    content = [sample.record(index) for index, sample in enumerate(given)]
    dataset, _ = datasets.put(db, name, "eval", content, "dataset")
    texts = {} if pending else {at: list(one.outputs) for at, one in enumerate(samples)}
    return dataset.id, samples, texts


def _inline_name(system: str) -> str:
    """What samples are called that come without a dataset's name: after their system, within what
    a name may be, so that it can be asked for."""
    name = f"inline-{system}".replace("@", "-").replace("\n", "-")
    if name_fault(name) is not None:
        name = name.replace("/", "-")
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: LONGEST_NAME - 17]}-{digest}"


def _by_record(body: EvaluationIn, records: list[Content], dataset: str) -> dict[int, list[str]]:
    """Outputs by record index; every record has to have some, and no other id may occur."""
    given: Mapping[str, Any] = body.outputs or {}
    place = {record["id"]: index for index, record in enumerate(records)}
    for record_id in given:
        if record_id not in place:
            message = f"dataset {dataset!r} has no record {record_id!r}"
            raise invalid("unknown_record", message, f"outputs.{record_id}")
    lacking = [record_id for record_id in place if record_id not in given]
    if lacking:
        shown = ", ".join(map(repr, lacking[:5])) + (", …" if len(lacking) > 5 else "")
        message = f"{len(lacking)} of {len(records)} records have no output: {shown}"
        raise invalid("missing_outputs", message, "outputs")
    return {
        place[record_id]: [texts] if isinstance(texts, str) else list(texts)
        for record_id, texts in given.items()
    }


def _asks_prompts(body: EvaluationIn) -> bool:
    """Whether the model is given prompts; a template may do without."""
    template = body.protocol is not None and body.protocol.template is not None
    return body.model is not None and not template


def _pending(body: EvaluationIn) -> tuple[str, ...]:
    """As many empty outputs as the model will make, so that counts can be checked now."""
    if body.model is None:
        return ()
    return ("",) * (body.generation.num_outputs if body.generation else 1)


def _generation(body: EvaluationIn) -> dict[str, Any] | None:
    if body.model is None:
        return None
    return (body.generation or GenerationIn()).model_dump(mode="json")
