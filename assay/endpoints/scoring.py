"""Scores at once, leaderboards, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.board_models import BoardEntry, Leaderboard
from assay.comparison_models import Comparison, ComparisonResult
from assay.endpoints.evaluations import several
from assay.exchange import Script, ask, get, post
from assay.models import (
    MetricLike,
    Page,
    SetScore,
    SetScores,
)
from assay.streams import MOST

ANSWERED = 120.0  # seconds within which the service scores, or says that it cannot


def score(
    metrics: MetricLike | Sequence[MetricLike], samples: Sequence[Mapping[str, object]]
) -> Script[dict[str, SetScore]]:
    """Values and per-sample values by score, at once; nothing is stored."""
    body = {"metrics": several(metrics), "samples": list(samples)}
    return (yield from ask(post("/v1/score", body=body, patience=ANSWERED), SetScores)).scores


def leaderboards() -> Script[list[BoardEntry]]:
    """Which leaderboards there are."""
    return (yield from ask(get("/v1/leaderboards"), Page[BoardEntry])).data


def leaderboard(
    dataset: str,
    metric: str,
    *,
    slice: str | None = None,
    signature: str | None = None,
    cluster: str | None = None,
    protocol: str | None = None,
    at: str | None = None,
    limit: int | None = None,
    controls: bool = False,
) -> Script[Leaderboard]:
    """Systems on a dataset by a score, all pages of it.

    Args:
        metric: a score's name, as rougeL.
        slice: as lang=ru; default: the whole set.
        signature: default: the one that most systems have.
        cluster: a field of the metadata, or `prompt`, by which samples are resampled together.
        protocol: how records were asked: a digest, `none`, or `any`; default: the one that most
            systems have.
        at: a day, as 2026-11-24, at whose end it stood so, or a time.
        limit: only so many of the first rows.
        controls: show what the score gives to nonsense and to references, too; see
            `create_controls`.
    """
    query: dict[str, str | int | None] = {"metric": metric, "slice": slice, "signature": signature}
    query |= {"cluster": cluster, "protocol": protocol, "at": at}
    query |= {"limit": MOST if limit is None else min(limit, MOST)}
    query |= {"controls": "true"} if controls else {}
    board = yield from ask(get("/v1/leaderboards", dataset, query=query), Leaderboard)
    while board.has_more and (limit is None or len(board.rows) < limit):
        left = MOST if limit is None else min(MOST, limit - len(board.rows))
        query |= {"limit": left, "after": board.last_id}
        more = yield from ask(get("/v1/leaderboards", dataset, query=query), Leaderboard)
        page = {"last_id": more.last_id, "has_more": more.has_more}
        board = board.model_copy(update=page | {"rows": board.rows + more.rows})
    return board


def compare(
    a: str | Sequence[str],
    b: str | None = None,
    metrics: str | Sequence[str] | None = None,
    *,
    baseline: str | None = None,
    slice: str | None = None,
    cluster: str | None = None,
    **more: object,
) -> Script[list[ComparisonResult]]:
    """Whether evaluations differ, a result for each pair and score.

    Args:
        a: an evaluation to compare with `b`, or several.
        metrics: names of metrics or of scores; default: all that both have.
        baseline: an evaluation that each is compared with; default: every pair.
        slice: as lang=ru; default: the whole set.
        cluster: a field of metadata by which samples belong together; default: that of the
            evaluations.
        more: `test`, `recipe`, `correction`, `trials`; see `POST /v1/comparisons`.
    """
    some = [a] if isinstance(a, str) else list(a)
    body: dict[str, object] = {"evaluations": some if b is None else [*some, b], **more}
    given = {"baseline": baseline, "slice": slice, "cluster": cluster}
    body |= {name: value for name, value in given.items() if value is not None}
    if metrics is not None:
        body["metrics"] = [metrics] if isinstance(metrics, str) else list(metrics)
    return (yield from ask(post("/v1/comparisons", body=body), Comparison)).results
