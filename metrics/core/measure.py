"""From samples to evidence: deduplicate, plan batches, look up the cache, measure the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.protocol import Models
from inference.remote.asking import watched
from metrics.core.asked_language import language_of
from metrics.core.choices import Choices
from metrics.core.contexts import contexts_of
from metrics.core.details import failures, with_failures
from metrics.core.evidence import FLAG, Evidence
from metrics.core.instructions import Instruction, instructions_of
from metrics.core.metric import BoundMetric, Item, Sample
from metrics.core.rows import Ints
from metrics.core.signature import evidence_digest, item_digest

OfMetadata = tuple[Choices | None, tuple[str, ...], tuple[Instruction, ...], str | None]
NOTHING: OfMetadata = (None, (), (), None)


class EvidenceCache(Protocol):
    """Evidence by key (32 bytes: evidence digest, item digest). The first stored wins."""

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Evidence]:
        """The evidence of one item each, of those keys that are stored."""
        ...

    def keep(self, found: Mapping[bytes, Evidence]) -> None:
        """Store evidence of one item each."""
        ...


def items_of(samples: Sequence[Sample]) -> tuple[list[Item], Ints]:
    """One item per output, and the unit (index of its sample) of each."""
    items: list[Item] = []
    for one in samples:
        given = _of_metadata(one.metadata) if one.metadata else NOTHING
        known = len(one.details)
        for at, output in enumerate(one.outputs):
            details = one.details[at] if at < known else None
            items.append(
                Item(output, one.references, one.prompt, one.tests, one.opponent, details, *given)
            )
    counts = np.array([len(sample.outputs) for sample in samples], np.int64)
    return items, np.repeat(np.arange(len(samples), dtype=np.int64), counts)


def _of_metadata(metadata: Mapping[str, Any]) -> OfMetadata:
    """The fields that an item ends with."""
    return (
        Choices.of(metadata),
        contexts_of(metadata),
        instructions_of(metadata),
        language_of(metadata),
    )


def measure(
    metric: BoundMetric,
    items: Sequence[Item],
    models: Models,
    cache: EvidenceCache | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evidence:
    """Evidence of every item, in order.

    Outputs that are none (`metrics.core.details`) are not measured by what reads outputs.
    Equal items are measured once. Batches are planned over all distinct items before the cache is
    looked up, so what a batch is made of, and with it the last digits of a model's numbers, does
    not depend on what happened to be cached; a batch whose items are all cached is not run, and of
    one whose items are independent only the rest is.
    `progress` is called with the number of items finished, between batches, and with 0 while a
    model behind a URL takes long; it may raise to stop.
    """
    if progress is None:
        return _in_batches(metric, items, models, cache, None)
    with watched(partial(progress, 0)):
        return _in_batches(metric, items, models, cache, progress)


def _in_batches(
    metric: BoundMetric,
    items: Sequence[Item],
    models: Models,
    cache: EvidenceCache | None,
    progress: Callable[[int], None] | None,
) -> Evidence:
    if not items:
        return Evidence({}, 0)
    codes = failures([item.details for item in items])
    if codes.any() and "output" in metric.reads:
        answered = [item for item, code in zip(items, codes, strict=True) if not code]
        if progress is not None:
            progress(len(items) - len(answered))
        return with_failures(_in_batches(metric, answered, models, cache, progress), codes)
    distinct, inverse = _distinct(metric, items)
    repeats = np.bincount(inverse, minlength=len(distinct))
    keys: list[bytes] = []
    if cache is not None and metric.cached:
        prefix = evidence_digest(metric, models)
        keys = [prefix + item_digest(metric, item) for item in distinct]
    parts: list[Evidence] = []
    order: list[int] = []
    for batch in metric.plan(distinct, models):
        chosen = [distinct[index] for index in batch]
        if cache is not None and keys:
            found = _cached(metric, chosen, models, cache, [keys[index] for index in batch])
        else:
            found = _measured(metric, chosen, models)
        parts.append(found)
        order.extend(batch)
        if progress is not None:
            progress(int(repeats[batch].sum()))
    if sorted(order) != list(range(len(distinct))):
        raise ValueError(f"{metric.name}: the plan does not hold every item exactly once")
    place = np.empty(len(distinct), np.int64)
    place[np.asarray(order, np.int64)] = np.arange(len(order))
    return Evidence.concat(parts).take(place[inverse])


def _distinct(metric: BoundMetric, items: Sequence[Item]) -> tuple[list[Item], Ints]:
    """Items that differ in what the metric reads, and for each item the index of its equal."""
    what = list(map(attrgetter(*metric.reads), items))
    if len(set(what)) == len(what):  # as they mostly are
        return list(items), np.arange(len(items))
    positions: dict[object, int] = {}
    inverse = np.array([positions.setdefault(one, len(positions)) for one in what], np.int64)
    return [items[index] for index in np.unique(inverse, return_index=True)[1].tolist()], inverse


def _measured(metric: BoundMetric, items: Sequence[Item], models: Models) -> Evidence:
    evidence = metric.measure(items, models)
    if len(evidence) != len(items):
        raise ValueError(f"{metric.name}: {len(evidence)} items of evidence for {len(items)}")
    return evidence


def _cached(
    metric: BoundMetric,
    items: Sequence[Item],
    models: Models,
    cache: EvidenceCache,
    keys: Sequence[bytes],
) -> Evidence:
    """Evidence of one batch: from the cache where all of it is there, else measured and stored.

    What does not last is not stored. Of independent items only those are measured that lack.
    """
    found = dict(cache.find(keys))
    lacking = [at for at, key in enumerate(keys) if key not in found]
    if not lacking:
        return Evidence.concat([found[key] for key in keys])
    chosen = lacking if metric.independent else range(len(keys))
    evidence = _measured(metric, [items[at] for at in chosen], models)
    passes = passing(metric, evidence)
    fresh = {keys[at]: row for row, at in enumerate(chosen) if keys[at] not in found}
    cache.keep({key: evidence.take([row]) for key, row in fresh.items() if not passes[row]})
    if not found:
        return evidence
    return Evidence.concat(  # the first stands
        [found[key] if key in found else evidence.take([fresh[key]]) for key in keys]
    )


def passing(metric: BoundMetric, evidence: Evidence) -> NDArray[np.bool_]:
    """(n_items,) which of the evidence another run may show otherwise: what a machine's load, a
    server or a budget decided."""
    if FLAG not in evidence:
        return np.zeros(len(evidence), np.bool_)
    codes = [code for code, flag in metric.flags.items() if not flag.lasting]
    return np.isin(evidence[FLAG], codes)
