"""Evaluations: outputs in, scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from assay.analysis_models import Analysis
from assay.endpoints.waiting import until
from assay.exchange import Script, address, ask, create, get, keyed, post, waited
from assay.files import OnProgress
from assay.judge_models import JudgeReport, Transcript
from assay.models import Dataset, Evaluation, MetricLike, Page, Sample
from assay.streams import EventStream, Listing

ROOT = "/v1/evaluations"
ANALYSED = 120.0  # seconds, after which the service answers that nobody did


def evaluate(
    *,
    metrics: MetricLike | Sequence[MetricLike] = (),
    suite: str | Mapping[str, object] | None = None,
    system: str | None = None,
    dataset: str | None = None,
    samples: Sequence[Mapping[str, object]] | None = None,
    outputs: Mapping[str, str | Sequence[str]] | None = None,
    model: str | None = None,
    generation: Mapping[str, object] | None = None,
    protocol: Mapping[str, object] | None = None,
    budget: Mapping[str, float] | None = None,
    slices: Sequence[str] | None = None,
    cluster: str | None = None,
    seed: int | None = None,
    replicates: int | None = None,
    level: float | None = None,
    stop_when_settled: str | None = None,
    idempotency_key: str | None = None,
    **more: object,
) -> Script[Evaluation]:
    """Queue an evaluation of inline `samples`, of `outputs` over a dataset, or of a `model`.

    Args:
        metrics: one or several, each a name or `{"name": …, "params": {…}}`; with a suite, none.
        suite: what the task is measured by, as summarization, or `{"name": …, "language": "ru"}`.
        system: whose outputs these are; default: the model.
        dataset: a name, name@version or `ds_…`; inline samples make a version of it.
        outputs: one or several texts by record id.
        generation: how the model generates (`max_new_tokens`, `temperature`, …).
        protocol: how the model is asked and what of its reply is the answer (`template`,
            `few_shot`, `style`, `answer`).
        budget: the most that a registered model may take: `requests`, `tokens`, `cost`.
        slices: keys of the metadata by which scores are computed for parts, too.
        cluster: the metadata's key, or `prompt`, whose equal values say that samples belong
            together: intervals are then over those clusters.
        replicates: of the bootstrap.
        level: of the intervals, between 0 and 1.
        stop_when_settled: a sequential gate; once it is settled, the evaluation ends.
        idempotency_key: the same key and request again is the same evaluation.
        more: fields of the request that this client does not know.
    """
    fields = {
        "system": system,
        "dataset": dataset,
        "samples": samples,
        "outputs": outputs,
        "model": model,
        "generation": generation,
        "protocol": protocol,
        "budget": budget,
        "suite": suite,
        "metrics": several(metrics) or None,
        "slices": slices,
        "cluster": cluster,
        "seed": seed,
        "replicates": replicates,
        "level": level,
        "stop_when_settled": stop_when_settled,
        **more,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return ask(create(ROOT, body, idempotency_key), Evaluation)


def several(metrics: MetricLike | Sequence[MetricLike]) -> list[MetricLike]:
    """A list, of one metric too."""
    return [metrics] if isinstance(metrics, str | Mapping) else list(metrics)


def evaluation(evaluation: str, wait: float = 0.0) -> Script[Evaluation]:
    """The evaluation as it is now, or once it has ended, at most `wait` seconds later."""
    return ask(waited(get(ROOT, evaluation), wait), Evaluation)


def evaluations(
    *,
    system: str | None = None,
    dataset: str | None = None,
    status: str | None = None,
    order: str = "desc",
    limit: int | None = None,
) -> Listing[Evaluation]:
    """Evaluations, newest first."""
    query = {"system": system, "dataset": dataset, "status": status, "order": order}
    return Listing(Page[Evaluation], ROOT, query=query, limit=limit)


def wait(
    evaluation: str, timeout: float = 600.0, progress: OnProgress | None = None
) -> Script[Evaluation]:
    """The evaluation once it has ended.

    Args:
        timeout: in seconds.
        progress: called about three times a second with the measurements done so far.

    Raises:
        WaitTimedOut: It has not ended within the timeout.
    """
    return until(
        ROOT,
        evaluation,
        Evaluation,
        ended=lambda current: current.finished,
        timeout=timeout,
        report=(lambda current: progress(current.progress)) if progress else None,
    )


def cancel(evaluation: str) -> Script[Evaluation]:
    """Stop an evaluation; cancelling twice is fine."""
    return ask(post(ROOT, evaluation, "cancel"), Evaluation)


def retry(
    evaluation: str,
    idempotency_key: str | None = None,
    *,
    budget: Mapping[str, float] | None = None,
) -> Script[Evaluation]:
    """Have the failed metrics of an evaluation that has ended measured again.

    What is measured stays; where nothing has failed, nothing happens.

    Args:
        budget: in place of the evaluation's own, what is spent included: samples that the old one
            had no room for are asked for, too.
    """
    body = {"budget": budget} if budget is not None else None
    request = post(ROOT, evaluation, "retry", body=body)
    headers = {**request.headers, **keyed(idempotency_key)}
    return ask(replace(request, headers=headers), Evaluation)


def best_outputs(
    evaluation: str,
    name: str,
    score: str,
    *,
    at_least: float | None = None,
    idempotency_key: str | None = None,
) -> Script[Dataset]:
    """Make a dataset to train `sft` on of the best output of each sample.

    Args:
        name: of the dataset.
        score: by which outputs are compared, as `reward`.
        at_least: leaves samples out whose best output is worse.
    """
    body = {"name": name, "score": score, "at_least": at_least}
    return ask(create(address(ROOT, evaluation, "best"), body, idempotency_key), Dataset)


def samples(
    evaluation: str,
    sort: str | None = None,
    order: str | None = None,
    limit: int = 20,
    *,
    slice: str | None = None,
) -> Script[list[Sample]]:
    """The first `limit` samples by a score, worst first, or in the dataset's order.

    Args:
        sort: a score's name.
        order: `asc` or `desc`, of the values themselves, whatever is better.
        slice: only those with this value in their metadata, as lang=ru.
    """
    query = {"sort": sort, "order": order, "slice": slice, "limit": limit}
    return (yield from ask(get(ROOT, evaluation, "samples", query=query), Page[Sample])).data


def all_samples(
    evaluation: str,
    sort: str | None = None,
    order: str | None = None,
    *,
    slice: str | None = None,
) -> Listing[Sample]:
    """All samples by a score, worst first, or in the dataset's order; see `samples`."""
    query = {"sort": sort, "order": order, "slice": slice}
    return Listing(Page[Sample], ROOT, evaluation, "samples", query=query)


def events(evaluation: str, after: int = 0) -> EventStream:
    """An evaluation's events after number `after`, as they happen, until it ends."""
    return EventStream(ROOT, evaluation, "events", after=after)


def transcripts(evaluation: str) -> Listing[Transcript]:
    """What the metric `judge` asked and was told about each sample, in the dataset's order."""
    return Listing(Page[Transcript], ROOT, evaluation, "transcripts")


def analysis(
    evaluation: str,
    *,
    metric: str | None = None,
    correction: str | None = None,
    clusters: str | None = None,
    encoder: str | None = None,
    wait: float = 0.0,
) -> Script[Analysis]:
    """Where a score is lost: slices, clusters of texts, disagreements, worst samples.

    Args:
        metric: a score's name; default: the evaluation's first.
        correction: holm, bh or none, of all tests together.
        clusters: words (TF-IDF), or embedding: texts that an encoder finds alike.
        encoder: a model's name, for the latter.
        wait: seconds to wait for it; default: two minutes.
    """
    query = {"metric": metric, "correction": correction, "clusters": clusters, "encoder": encoder}
    request = get(ROOT, evaluation, "analysis", query=query, patience=ANALYSED)
    return ask(waited(request, wait), Analysis)


def judge_report(evaluation: str) -> Script[JudgeReport]:
    """What an evaluation's judges are biased by, and how far those of a panel agree."""
    return ask(get(ROOT, evaluation, "judge_report"), JudgeReport)
