"""Boards that are defined over several datasets, Pareto's fronts, controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.board_models import BoardDefinition, Controls, DefinedBoard, DeletedBoard, Front
from assay.endpoints.evaluations import several
from assay.exchange import Script, ask, create, delete, get, post
from assay.models import MetricLike, Page

ROOT = "/v1/boards"


def create_board(
    name: str,
    parts: Sequence[Mapping[str, object]],
    aggregate: str = "mean",
    *,
    allow_unlike_scales: bool = False,
    idempotency_key: str | None = None,
) -> Script[BoardDefinition]:
    """Define a board over several datasets and scores.

    Args:
        parts: each {"dataset", "score"}, with a "slice" and a "weight" where there are any.
        aggregate: mean, z, mean_rank or win_rate.
        allow_unlike_scales: take the mean of scores whose ranges differ.
        idempotency_key: the same key and body give the same answer.
    """
    body = {
        "name": name,
        "parts": [dict(part) for part in parts],
        "aggregate": aggregate,
        "allow_unlike_scales": allow_unlike_scales,
    }
    return (yield from ask(create(ROOT, body, idempotency_key), BoardDefinition))


def boards() -> Script[list[BoardDefinition]]:
    """Which boards have been defined."""
    return (yield from ask(get(ROOT), Page[BoardDefinition])).data


def board(name: str, *, at: str | None = None) -> Script[DefinedBoard]:
    """A defined board: systems with a value in every part, best first.

    Args:
        at: a day, as 2026-11-24, at whose end it stood so, or a time.
    """
    return ask(get(ROOT, name, query={"at": at}), DefinedBoard)


def delete_board(name: str) -> Script[DeletedBoard]:
    """Delete a defined board; the evaluations stay."""
    return ask(delete(ROOT, name), DeletedBoard)


def pareto(
    dataset: str,
    metrics: Sequence[str],
    *,
    lower: Sequence[str] = (),
    slice: str | None = None,
) -> Script[Front]:
    """Systems that none beats in everything.

    Args:
        metrics: two or more scores, as chrf and length.
        lower: those of them of which lower is better here.
        slice: as lang=ru; default: the whole set.
    """
    query = {"metric": list(metrics), "lower": list(lower), "slice": slice}
    return ask(get("/v1/pareto", dataset, query=query), Front)


def create_controls(
    dataset: str, metrics: MetricLike | Sequence[MetricLike] | None = None, seed: int = 0
) -> Script[Controls]:
    """Have nonsense and references measured as a system's outputs are; `leaderboard` then shows
    them with `controls=True`.

    Args:
        metrics: default: those that systems were measured with and that run no model.
        seed: of the order of shuffled references.
    """
    body: dict[str, object] = {"seed": seed}
    if metrics is not None:
        body["metrics"] = several(metrics)
    return ask(post("/v1/leaderboards", dataset, "controls", body=body), Controls)
