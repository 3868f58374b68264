"""A study that is not finished: missing votes count against nobody, missing outputs do."""

from __future__ import annotations

from typing import Any

import pytest

from assay import AssayError, Client
from tests.known import known
from tests.service.annotation.people import Study
from tests.service.live import Live
from tests.service.scored import scored
from tests.waiting import until

N, VOTES = 30, 72  # samples, and votes of the 90 outputs less the blank ones
WORTH = {"good": 7, "fair": 4, "poor": 1}
BLANK = {0: "", 7: " \n", 19: "\u00a0\u2003"}  # what `fair` says there
SCORE = "human/clarity"


@pytest.fixture(scope="module")
def study(live: Live, assay: Client) -> Study:
    """Ratings of most outputs of three systems, one of which has three blank ones."""
    made = []
    for system in WORTH:
        blank = BLANK if system == "fair" else {}
        samples = [
            {"id": f"s{at}", "prompt": f"Say {at}", "references": ["x"]}
            | {"output": blank.get(at, f"{system} {at}")}
            for at in range(N)
        ]
        done = scored(assay, system=system, dataset="partly", samples=samples, metrics=["chrf"])
        made.append(str(done.id))
    criteria = [{"name": "clarity", "scale": [1, 10]}]
    asked = {"form": "likert", "criteria": criteria, "overlap": 1, "gold_rate": 0, "seed": 3}
    found = Study(live.base, made, **asked, per_annotator=VOTES)
    person = found.person()
    for _ in range(VOTES):
        item = person.next()["item"]
        system, number = item["output"].split()
        ratings = {"clarity": WORTH[system] + int(number) // WORTH[system] % 3}
        assert person.post("votes", item=item["id"], ratings=ratings).status_code == 200
    assay.publish_scores(found.made["id"])
    return found


def rated(study: Study, system: str) -> dict[str, int]:
    votes = [one for one in study.votes() if one["systems"] == [system]]
    return {one["sample"]: one["answer"]["ratings"]["clarity"] for one in votes}


def evaluation_of(study: Study, system: str) -> str:
    (found,) = [x["evaluation"] for x in study.made["systems"] if x["system"] == system]
    return str(found)


def test_a_board_puts_nobody_behind_for_votes(study: Study, assay: Client) -> None:
    by = {system: rated(study, system) for system in WORTH}
    judged = set().union(*by.values())
    blank = {f"s{at}" for at in BLANK}
    board = assay.leaderboard("partly", SCORE)
    assert [row.system for row in board.rows] == ["good", "poor", "fair"]
    for row in board.rows:
        own = by[row.system]
        assert row.n == len(own) < N
        assert row.value == pytest.approx(sum(own.values()) / len(own))
        lost = blank & judged if row.system == "fair" else set()
        assert row.incomplete == len(lost)
        assert row.unvoted == len(judged) - len(own) - len(lost) > 0
    good, poor, fair = board.rows
    assert [row.rank_interval for row in board.rows] == [(1, 1), (2, 3), (2, 3)]
    assert known(good.p_vs_next) < 0.001
    assert poor.p_vs_next is None  # who left samples blank is called better than nobody
    assert poor.value < fair.value
    shared = by["good"].keys() & by["poor"].keys() & by["fair"].keys()
    assert board.n_common == len(shared)
    assert good.value_common == pytest.approx(sum(by["good"][one] for one in shared) / len(shared))
    assert (good.p_first, good.rank_interval_step_down) == (1.0, None)
    behind, votes = board.warnings[:2]
    assert "1 of 3 systems have no value" in behind
    assert "3 of 3 systems have outputs without a vote" in votes
    assay.create_board("partly", [{"dataset": "partly", "score": SCORE}], "mean")
    rows = assay.board("partly").rows
    assert [row.system for row in rows] == ["good", "poor", "fair"]
    assert known(rows[0].p_vs_next) == pytest.approx(known(good.p_vs_next), abs=1e-4)


def test_a_comparison_withholds_no_verdict_for_votes(study: Study, assay: Client) -> None:
    good, fair, poor = (evaluation_of(study, system) for system in WORTH)
    (found,) = assay.compare(good, poor, metrics=[SCORE])
    mine, theirs = rated(study, "good"), rated(study, "poor")
    assert found.n == len(mine.keys() & theirs.keys())
    assert (found.only_a, found.only_b) == (found.unvoted_b, found.unvoted_a)
    assert found.only_b == len(theirs.keys() - mine.keys()) > 0
    assert (found.significant, found.note, found.bounds) == (True, None, None)
    assert "votes that are lacking" in found.warnings[0]
    (behind,) = assay.compare(fair, poor, metrics=[SCORE])
    blank = {f"s{at}" for at in BLANK} & theirs.keys()
    assert behind.only_b - behind.unvoted_a == len(blank) > 0
    assert known(behind.difference) > 0
    assert behind.significant is None
    assert f"a has no value on {len(blank)} samples" in known(behind.note)
    assert behind.bounds is not None


def test_a_gate_lets_through_what_lacks_votes_alone(study: Study, assay: Client) -> None:
    rules: list[dict[str, Any]] = [{"score": SCORE, "tier": "critical", "max_drop": 0.5}]
    baseline = evaluation_of(study, "poor")
    assay.create_gate("partly", baseline=baseline, dataset="partly", rules=rules)
    checked = assay.check_gate("partly", evaluation=evaluation_of(study, "good"))
    assert (checked.verdict, known(checked.rules)[0].note) == ("go", None)
    blank = assay.check_gate("partly", evaluation=evaluation_of(study, "fair"))
    assert blank.verdict == "inconclusive"
    assert "no value on" in known(known(blank.rules)[0].note)


def test_published_scores_outlive_their_project_and_not_their_votes(
    study: Study, assay: Client
) -> None:
    evaluations = [str(one["evaluation"]) for one in study.made["systems"]]
    labels = ["clear", "dark"]
    other = Study(study.base, evaluations[:1], form="label", labels=labels, overlap=1, gold_rate=0)
    person = other.person()
    item = person.next()["item"]["id"]
    assert person.post("votes", item=item, label="clear").status_code == 200
    assay.publish_scores(other.made["id"])
    assert assay.evaluation(evaluations[0]).score("human/clear").value == 1.0
    (voter,) = other.get("/annotators")["data"]
    assay.delete_annotator(other.made["id"], voter["id"], data=True)
    until(lambda: assay.evaluation(evaluations[0]).score("human/clear").value is None, 60)
    assert assay.delete_annotation_project(other.made["id"]).published == []

    before = assay.leaderboard("partly", SCORE)
    gone = assay.delete_annotation_project(study.made["id"])
    assert (gone.deleted, gone.published) == (True, evaluations)
    after = assay.leaderboard("partly", SCORE)
    assert (after.rows, after.signature) == (before.rows, before.signature)
    assert study.made["id"] in known(after.signature)
    (found,) = assay.compare(evaluations[0], evaluations[2], metrics=[SCORE])
    assert found.significant
    with pytest.raises(AssayError) as refused:
        assay.publish_scores(study.made["id"])
    assert refused.value.status == 404
