"""Sixteen systems compared over HTTP; every pair is told what it is told alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from assay import FINAL, Client, ComparisonResult
from benchmarks.comparing import Row, bound, furthest, timed
from benchmarks.service import PATIENCE, address, running
from benchmarks.texts import news

SYSTEMS, SAMPLES = 16, 3004  # as of a shared task: 120 pairs
METRICS = ("chrf", "bleu", "exact_match", "token_f1", "length")
ONE, FIVE = 10.0, 30.0  # seconds


def rows(scale: float) -> Iterator[Row]:
    count = max(40, int(SAMPLES * scale))
    with running() as settings, Client(address(settings), timeout=PATIENCE) as assay:
        made = [_evaluate(assay, system, count) for system in range(SYSTEMS)]
        for metrics, limit in ((METRICS[:1], ONE), (METRICS, FIVE)):
            found, seconds = timed(lambda names: assay.compare(made, metrics=names), metrics)
            row = bound(
                f"{SYSTEMS} systems, {count} samples, {len(metrics)} "
                f"metric{'s' if len(metrics) > 1 else ''}: every pair compared over HTTP",
                seconds,
                limit,
                "s",
                f"{len(found)} results, {sum(bool(one.significant) for one in found)} "
                "significant by Holm",
            )
            yield _as_pairs(assay, made, row) if len(metrics) == 1 else row


def _evaluate(assay: Client, system: int, count: int) -> str:
    """An evaluation of one system; its outputs are others' but for a part."""
    texts = news(count, seed=0, system=system % 3)
    sent = [
        {
            "id": one.id,
            "output": one.references[0] if at % 40 < system // 3 else one.outputs[0],
            "references": list(one.references),
        }
        for at, one in enumerate(texts.samples)
    ]
    made = assay.evaluate(system=f"s{system}", dataset="bench", samples=sent, metrics=METRICS)
    done = assay.wait(made.id, timeout=PATIENCE)
    if done.status not in FINAL or done.status != "succeeded":
        raise SystemExit(f"the evaluation {done.status}: {done.error}")
    return made.id


def _as_pairs(assay: Client, made: Sequence[str], row: Row) -> Row:
    """The row with how far the pairs of one answer are from those that are asked for alone."""
    together = assay.compare(made, metrics="chrf", correction="none")

    def one_by_one(pairs: Sequence[tuple[str, str]]) -> list[ComparisonResult]:
        return [assay.compare(a, b, "chrf")[0] for a, b in pairs]

    alone, seconds = timed(one_by_one, list(combinations(made, 2)))
    difference = max(
        furthest(_numbers(a), _numbers(b)) for a, b in zip(together, alone, strict=True)
    )
    told = f"{row.agreement}; against {len(alone)} requests of a pair each ({seconds:.1f} s)"
    return replace(
        row, agreement=f"{told}, largest difference {difference:.1g}", agrees=difference < 1e-9
    )


def _numbers(one: ComparisonResult) -> list[float | None]:
    return [one.difference, one.standard_error, one.p_value, *(one.interval or ())]
