"""Clusters over HTTP: intervals over passages, what answers show of them, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from assay import AssayError, Client
from tests.known import known
from tests.service.scored import scored


def questions(passages: int = 30, each: int = 8) -> list[dict[str, Any]]:
    """Questions on passages: of every third passage all answers are right, of the rest few."""
    made = []
    for passage in range(passages):
        for at in range(each):
            right = passage % 3 == 0 or at == 0
            made.append(
                {
                    "id": f"q{passage}-{at}",
                    "prompt": f"Question {at} on passage {passage}",
                    "output": "yes" if right else "no",
                    "references": ["yes"],
                    "metadata": {"passage": passage, "half": "a" if passage % 2 else "b"},
                }
            )
    return made


def test_intervals_are_over_the_clusters_that_were_named(assay: Client) -> None:
    given = questions()
    asked: dict[str, Any] = {"samples": given, "metrics": ["exact_match", "chrf", "distinct_n"]}
    plain = scored(assay, dataset="passages", **asked, slices=["half"])
    over = scored(assay, dataset="passages", **asked, slices=["half"], cluster="passage")
    assert (plain.cluster, over.cluster) == (None, "passage")
    for name in ("exact_match", "chrf"):
        alone, together = plain.score(name), over.score(name)
        assert together.value == alone.value
        assert (together.clusters, alone.clusters) == (30, None)
        effect = known(together.design_effect)
        assert 3 < effect < 8
        assert width(together) > 1.5 * width(alone)
        (told,) = [one for one in alone.warnings if '"cluster": "passage"' in one]
        assert "design effect" in told
        assert not any("cluster" in one for one in together.warnings)
    assert over.score("exact_match").interval_method == "wilson_effective_n"
    assert known(over.score("distinct_1").clusters) == 30
    parts = [one for one in over.slices if one.name == "exact_match"]
    assert [one.clusters for one in parts] == [15, 15]
    assert all("only 15 clusters" in " ".join(one.warnings) for one in parts)


def width(score: Any) -> float:
    low, high = known(score.interval)
    return float(high - low)


def test_a_cluster_that_nothing_has_is_refused(assay: Client) -> None:
    with pytest.raises(AssayError) as refused:
        assay.evaluate(system="s", samples=questions(2, 2), metrics=["chrf"], cluster="pasage")
    assert (refused.value.status, refused.value.param) == (422, "cluster")
    assert "passage" in refused.value.message


def test_equal_prompts_can_be_the_cluster(assay: Client) -> None:
    given = questions(4, 3)
    for one in given:
        one["prompt"] = f"Passage {one['metadata']['passage']} " + "on and on " * 40
    done = scored(assay, samples=given, metrics=["exact_match"], cluster="prompt")
    assert done.score("exact_match").clusters == 4


def test_repeats_split_the_variance(assay: Client) -> None:
    given = [
        {
            "id": f"q{at}",
            "prompt": f"Question {at}",
            "outputs": ["yes" if (at + draw) % 4 < at % 3 else "no" for draw in range(4)],
            "references": ["yes"],
        }
        for at in range(24)
    ]
    done = scored(assay, samples=given, metrics=["exact_match", "bleu"])
    variance = known(done.score("exact_match").variance)
    assert variance.draws > 0
    assert variance.questions >= 0
    assert done.score("bleu").variance is None
    once = [{**one, "outputs": one["outputs"][:1]} for one in given]
    alone = scored(assay, samples=once, metrics=["exact_match"])
    assert alone.score("exact_match").variance is None


def test_boards_and_comparisons_say_which_samples_are_alike(assay: Client) -> None:
    given = questions()
    asked: dict[str, Any] = {"dataset": "alike-passages", "slices": ["half"]}
    metrics = ["exact_match"]
    first = scored(assay, system="first", samples=given, metrics=metrics, **asked)
    texts = {one["id"]: one["output"] if one["id"] > "q2" else "yes" for one in given}
    other = scored(
        assay, system="other", outputs=texts, metrics=metrics, **asked, cluster="passage"
    )
    third = scored(assay, system="third", outputs=texts, metrics=metrics, **asked)
    named = "name `cluster=passage`"
    body: dict[str, Any] = {"evaluations": [first.id, third.id]}
    told = assay.request("POST", "/v1/comparisons", body)["notes"]
    assert [named in note for note in told] == [True]
    assert assay.request("POST", "/v1/comparisons", body | {"cluster": "passage"})["notes"] == []
    board = assay.leaderboard("alike-passages", "exact_match")
    assert [named in one for one in board.warnings].count(True) == 1
    part = assay.leaderboard("alike-passages", "exact_match", slice="half=a", cluster="passage")
    assert not any(named in one for one in part.warnings)
    assert {row.evaluation for row in part.rows} == {first.id, other.id, third.id}
    for row in part.rows:  # whether it was measured with clusters or not
        assert known(row.interval)
