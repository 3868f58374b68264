"""Answers to render: hostile and Russian names, no rows, many rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from service.evaluations.schemas import EvaluationOut, Progress, ScoreOut
from service.leaderboards.schemas import BoardRow, ComparisonOut, Leaderboard, LeftOut, ResultOut

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOSTILE = [
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-2+3|cmd",
    "@SUM(A1)",
    "\ttab",
    "'=quoted",
    "a&b_c%d$e#f{g}h~i^j\\k",
    "[x]* -- ``y'' | <b>bold</b>",
    "</text><script>alert(1)</script>",
    "$\\frac{1}{2}$ & $x^2$",
    "модель «Ёж», v2",
    "line\none; line\r\ntwo",
    "\x1b[31mred\u202e",
    "日本語モデル 🙂",
]


def board(systems: Sequence[str], **fields: Any) -> Leaderboard:
    """A board on which each is a point behind the one above."""
    rows = [
        BoardRow(
            rank=at + 1,
            rank_interval=(max(1, at), at + 2),
            system=system,
            evaluation=f"eval_{at}",
            value=60.0 - at,
            interval=(58.75 - at, 61.25 - at) if at != 2 else None,
            n=120,
            missing=0,
            p_vs_next=(0.0, 0.03, 0.2)[at % 3] if at + 1 < len(systems) else None,
            model="m" if at == 0 else None,
            generation={"temperature": 0.7, "stop": ["\n"]} if at == 0 else None,
            notes=["one", "two"] if at == 0 else [],
            finished_at=NOW,
        )
        for at, system in enumerate(systems)
    ]
    made: dict[str, Any] = {
        "dataset": "news/ru",
        "version": 3,
        "dataset_id": "ds_1",
        "metric": "chrf",
        "slice": None,
        "higher_is_better": True,
        "signature": "chrf|v:1",
        "signatures": ["chrf|v:1"],
        "rows": rows,
        "left_out": [LeftOut(system="a_b", evaluation="e", signature=None, reason="no value")],
    }
    return Leaderboard(**(made | fields))


def result(name: str, difference: float | None, p_value: float, **fields: Any) -> ResultOut:
    """A result of two systems."""
    given = difference is not None
    made: dict[str, Any] = {
        "metric": name,
        "name": name,
        "evaluation_a": "eval_a",
        "evaluation_b": "eval_b",
        "system_a": "модель_a",
        "system_b": "b$",
        "a": 41.25,
        "b": 41.25 - (difference or 0.0),
        "difference": difference,
        "interval": (difference - 1.0, difference + 1.0) if difference is not None else None,
        "p_value": p_value if given else None,
        "p_corrected": p_value if given else None,
        "significant": p_value <= 0.05 if given else None,
        "n": 50,
        "test": "paired_bootstrap",
        "higher_is_better": name != "perplexity",
        "signature": "s",
    }
    return ResultOut(**(made | fields))


def comparison(results: Sequence[ResultOut], a: str = "модель_a", b: str = "b$") -> ComparisonOut:
    """Of two systems."""
    made: dict[str, Any] = {
        "a": "eval_a",
        "b": "eval_b",
        "system_a": a,
        "system_b": b,
        "evaluations": ["eval_a", "eval_b"],
        "systems": [a, b],
        "baseline": None,
        "test": "paired_bootstrap",
        "recipe": "centred",
        "correction": "holm",
        "trials": 10_000,
        "cluster": None,
        "slice": None,
        "differs": ["dataset: news@1 / news@2"],
        "notes": [],
        "results": list(results),
    }
    return ComparisonOut(**made)


def score(name: str, value: float | None, slice_: str | None = None) -> ScoreOut:
    """A score with an interval, or one that failed."""
    return ScoreOut(
        metric=name,
        name=name,
        slice=slice_,
        value=value,
        interval=(value - 2.5, value + 2.5) if value is not None else None,
        level=0.95,
        n=20,
        missing=0,
        higher_is_better=True,
        interval_method="bootstrap",
        signature=f"{name}|v:1",
        warnings=["few samples"] if slice_ else [],
        error=None if value is not None else {"code": "x", "message": "it failed"},
    )


def evaluation(scores: Sequence[ScoreOut], slices: Sequence[ScoreOut] = ()) -> EvaluationOut:
    """One that has ended."""
    return EvaluationOut(
        id="eval_1",
        status="succeeded",
        system="модель_a",
        dataset="news",
        dataset_version=1,
        dataset_id="ds_1",
        model=None,
        generation=None,
        metrics=[],
        progress=Progress(done=1, total=1),
        scores=list(scores),
        slices=list(slices),
        error=None,
        seed=0,
        replicates=1000,
        created_at=NOW,
        started_at=NOW,
        finished_at=NOW,
    )
