"""From samples to evidence: deduplicate, plan batches, look up the cache, measure the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Protocol

import numpy as np

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import BoundMetric, Item, Sample
from metrics.core.rows import Ints
from metrics.core.signature import evidence_digest, item_digest


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
    items = [
        Item(output, sample.references, sample.prompt, sample.tests)
        for sample in samples
        for output in sample.outputs
    ]
    counts = np.array([len(sample.outputs) for sample in samples], np.int64)
    return items, np.repeat(np.arange(len(samples), dtype=np.int64), counts)


def measure(
    metric: BoundMetric,
    items: Sequence[Item],
    models: Models,
    cache: EvidenceCache | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evidence:
    """Evidence of every item, in order.

    Equal items are measured once. Batches are planned over all distinct items before the cache is
    looked up, so what a batch is made of, and with it the last digits of a model's numbers, does
    not depend on what happened to be cached; a batch whose items are all cached is not run.
    `progress` is called with the number of items finished, between batches; it may raise to stop.
    """
    if not items:
        return Evidence({}, 0)
    what = list(map(attrgetter(*metric.reads), items))  # of each item, all that is measured
    positions: dict[object, int] = {}
    inverse = np.array([positions.setdefault(one, len(positions)) for one in what], np.int64)
    distinct = [items[index] for index in np.unique(inverse, return_index=True)[1]]
    repeats = np.bincount(inverse, minlength=len(distinct))

    batches = metric.plan(distinct, models)
    use_cache = cache is not None and metric.cached
    prefix = evidence_digest(metric, models) if use_cache else b""
    keys = [prefix + item_digest(metric, item) for item in distinct] if use_cache else []

    parts: list[Evidence] = []
    order: list[int] = []
    for batch in batches:
        batch_keys = [keys[index] for index in batch] if use_cache else []
        found = dict(cache.find(batch_keys)) if cache is not None and use_cache else {}
        if not use_cache or len(found) < len(set(batch_keys)):
            evidence = metric.measure([distinct[index] for index in batch], models)
            if len(evidence) != len(batch):
                raise ValueError(
                    f"{metric.name}: {len(evidence)} items of evidence for {len(batch)}"
                )
            if cache is not None and use_cache:
                fresh = {
                    key: evidence.take([at])
                    for at, key in enumerate(batch_keys)
                    if key not in found
                }
                cache.keep(fresh)
                if found:  # what was stored first stands
                    evidence = Evidence.concat([found.get(k) or fresh[k] for k in batch_keys])
        else:
            evidence = Evidence.concat([found[key] for key in batch_keys])
        parts.append(evidence)
        order.extend(batch)
        if progress is not None:
            progress(int(repeats[batch].sum()))

    if sorted(order) != list(range(len(distinct))):
        raise ValueError(f"{metric.name}: the plan does not hold every item exactly once")
    place = np.empty(len(distinct), np.int64)
    place[np.asarray(order, np.int64)] = np.arange(len(order))
    return Evidence.concat(parts).take(place[inverse])
