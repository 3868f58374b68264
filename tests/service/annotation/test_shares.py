"""Votes of each form as numbers of systems, and as orders of their outputs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from service.annotation.shares import means, orders, scales
from service.annotation.store import Project
from service.annotation.votes_store import Cast


def project(form: str, **definition: Any) -> Project:
    systems = [{"system": one, "evaluation": f"e{one}", "dataset": "d"} for one in "xyz"]
    now = datetime.now(UTC)
    return Project("p", "p", form, definition, systems, {}, 0, b"", 1, 9, 15, "", now, None)


def vote(systems: str, sample: str = "s", **answer: Any) -> Cast:
    return Cast("ann", answer, "d", sample, list(systems))


def test_wins_ties_and_losses() -> None:
    study = project("pairwise")
    votes = [vote("xy", choice="a"), vote("xy", choice="tie"), vote("yx", choice="a")]
    assert means(study, votes)["human/win_rate"] == {("d", "s", "x"): 0.5, ("d", "s", "y"): 0.5}
    assert orders(study, votes)["human/win_rate"] == {
        ("d", "s", "x", "y"): (1, 0),
        ("d", "s", "y", "x"): (1, 0),
    }


def test_best_and_worst_of_several() -> None:
    study = project("best_worst")
    votes = [vote("xyz", best="a", worst="c"), vote("zyx", best="b", worst="a")]
    (found,) = means(study, votes).values()
    assert found == {("d", "s", "x"): 0.5, ("d", "s", "y"): 0.5, ("d", "s", "z"): -1.0}
    (ordered,) = orders(study, votes).values()
    assert ordered == {("d", "s", "x", "z"): (1, 0), ("d", "s", "y", "z"): (1, 0)}


def test_ratings_by_criterion_and_labels() -> None:
    likert = project("likert", criteria=[{"name": "style", "scale": [1, 7]}])
    votes = [vote("x", ratings={"style": 3}), vote("x", ratings={"style": 6})]
    votes += [vote("y", ratings={"style": 5})]
    assert means(likert, votes)["human/style"] == {("d", "s", "x"): 4.5, ("d", "s", "y"): 5.0}
    assert orders(likert, votes) == {"human/style": {("d", "s", "x", "y"): (0, 1)}}
    assert (scales(likert)["human/style"].low, scales(likert)["human/style"].high) == (1, 7)
    label = project("label", labels=["true", "false"])
    found = means(label, [vote("x", label="true"), vote("x", label="false")])
    assert found == {name: {("d", "s", "x"): 0.5} for name in ("human/true", "human/false")}
    assert orders(label, [vote("x", label="true")]) == {}  # neither label is better


def test_edits_have_no_scores() -> None:
    assert scales(project("edit")) == {}
