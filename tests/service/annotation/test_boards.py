"""People's votes as scores: on boards, in comparisons, gates and slices, and beside metrics."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from assay import AssayError, Client
from metrics import find
from metrics.core.archive import Archive
from metrics.core.verification import Options, sound, verify
from metrics.statistics.strengths import strengths
from metrics.statistics.votes import Votes
from tests.known import known
from tests.service.annotation.people import Person, Study
from tests.service.archives.elsewhere import from_elsewhere
from tests.service.live import Live
from tests.service.scored import scored
from tests.waiting import until

N = 20
WORDS = {"good": 9, "fair": 6, "poor": 2}  # right words of ten in a system's outputs
SCORES = ["human/strength", "human/win_rate"]
Vote = Callable[[dict[str, Any]], dict[str, Any]]


def evaluated(assay: Client, dataset: str, metrics: list[Any], systems: int = 3) -> list[str]:
    """Evaluations of systems, the longer the better, with slices."""
    found = []
    for system, words in [*WORDS.items()][:systems]:
        samples = [
            {
                "id": f"s{at}",
                "prompt": f"Count, {at}",
                "output": " ".join(f"w{word}" for word in range(words)) + f" of {system} {at}",
                "references": [" ".join(f"w{word}" for word in range(10))],
                "metadata": {"lang": "ru" if at % 4 == 0 else "en"},
            }
            for at in range(N)
        ]
        done = scored(
            assay, system=system, dataset=dataset, samples=samples, metrics=metrics, slices=["lang"]
        )
        found.append(str(done.id))
    return found


def system_of(text: str) -> str:
    return text.partition(" of ")[2].partition(" ")[0]


def number(item: dict[str, Any]) -> int:
    return int(item["prompt"].split(", ")[1])


def chosen(item: dict[str, Any]) -> dict[str, Any]:
    """The output with more words; of every tenth sample the other, of every seventh a tie."""
    if number(item) % 7 == 3:
        return {"choice": "tie"}
    longer = "a" if WORDS[system_of(item["a"])] > WORDS[system_of(item["b"])] else "b"
    other = {"a": "b", "b": "a"}[longer]
    return {"choice": other if number(item) % 10 == 1 else longer}


def voted(person: Person, vote: Vote, most: int = 1000) -> int:
    """Votes until nothing is left."""
    for done in range(most):
        item = person.next()["item"]
        if item is None:
            return done
        said = person.post("votes", item=item["id"], **vote(item))
        assert said.status_code == 200, said.text
    return most


@pytest.fixture(scope="module")
def study(live: Live, assay: Client) -> Study:
    """A project with all votes but three."""
    asked = {"overlap": 1, "gold_rate": 0, "seed": 1}  # every system has a vote on every sample
    found = Study(live.base, evaluated(assay, "people", ["chrf"]), **asked)
    people = [found.person(name) for name in ("Ada", "Bob", "Eve")]
    assert sum(voted(one, chosen, 19) for one in people) == 3 * N - 3
    return found


def win_rates(votes: list[dict[str, Any]], system: str) -> dict[str, float]:
    """By sample, the mean over votes, as the definition has it."""
    won: dict[str, list[float]] = {}
    for one in votes:
        if system in one["systems"]:
            side = "ab"[one["systems"].index(system)]
            share = {"tie": 0.5, side: 1.0}.get(one["answer"]["choice"], 0.0)
            won.setdefault(one["sample"], []).append(share)
    return {sample: float(np.mean(of)) for sample, of in won.items()}


def test_people_and_metrics_stand_on_boards_alike(study: Study, assay: Client) -> None:
    published = assay.publish_scores(study.made["id"])
    votes = study.votes()
    assert published.votes == len(votes) == 3 * N - 3
    for one in published.systems:
        strength, rate = sorted(one.scores, key=lambda score: score.name)
        assert [strength.name, rate.name] == SCORES
        by_sample = win_rates(votes, one.system)
        assert known(rate.value) == pytest.approx(np.mean(list(by_sample.values())))
        n = len(by_sample)
        assert (rate.n, rate.missing, rate.rated) == (n, N - n, n)
        low, high = known(rate.interval)
        assert low < known(rate.value) < high
        assert any("of 3 annotators" in warning for warning in rate.warnings)
        russian = next(x for x in one.slices if x.slice == "lang=ru")
        own = [value for id, value in by_sample.items() if int(id[1:]) % 4 == 0]
        assert known(russian.value) == pytest.approx(np.mean(own))
    board = assay.leaderboard("people", "human/win_rate")
    assert [row.system for row in board.rows] == ["good", "fair", "poor"]
    assert board.rows[0].rank_interval == (1, 1)
    assert known(board.rows[1].p_vs_next) < 0.05
    assert assay.leaderboard("people", "chrf").rows[0].system == "good"
    ru = assay.leaderboard("people", "human/win_rate", slice="lang=ru")
    assert {row.n for row in ru.rows} <= {N // 4, N // 4 - 1}
    parts = [{"dataset": "people", "score": score} for score in ("human/win_rate", "chrf")]
    assay.create_board("people and metrics", parts, "mean_rank")
    assert assay.board("people and metrics").rows[0].system == "good"


def test_strengths_are_those_of_the_fit_and_are_not_tested(study: Study, assay: Client) -> None:
    votes = study.votes()
    systems = sorted(WORDS)
    cast = Votes.of(
        systems,
        [systems.index(one["systems"][0]) for one in votes],
        [systems.index(one["systems"][1]) for one in votes],
        [{"a": 1, "b": -1, "tie": 0}[one["answer"]["choice"]] for one in votes],
        annotators=[str(one["annotator"]) for one in votes],
        items=[str(one["sample"]) for one in votes],
    )
    fit = strengths(cast)
    board = assay.leaderboard("people", "human/strength")
    (why,) = [one for one in board.warnings if "not tested" in one]
    assert why.startswith("3 of 3 systems are not tested: strengths of a fit have no rows")
    for row in board.rows:
        at = systems.index(row.system)
        assert row.value == pytest.approx(fit.values[at], abs=1e-9)
        assert known(row.interval) == pytest.approx((fit.low[at], fit.high[at]), abs=1e-9)
        assert row.p_vs_next is None
    good, fair, _ = study.made["systems"]
    tests = {x.name: x for x in assay.compare(good["evaluation"], fair["evaluation"])}
    assert tests["human/strength"].p_value is None
    assert "have no rows" in str(tests["human/strength"])


def test_two_systems_are_compared_and_gated(study: Study, assay: Client) -> None:
    good, _, poor = (one["evaluation"] for one in study.made["systems"])
    (found,) = assay.compare(good, poor, metrics=["human/win_rate"])
    rates = [win_rates(study.votes(), system) for system in ("good", "poor")]
    both = rates[0].keys() & rates[1].keys()
    assert found.n == len(both)
    assert found.difference == pytest.approx(
        np.mean([rates[0][id] for id in both]) - np.mean([rates[1][id] for id in both])
    )
    assert known(found.p_value) < 0.01
    (russian,) = assay.compare(good, poor, metrics=["human/win_rate"], slice="lang=ru")
    assert russian.n < found.n
    rules = [{"score": "human/win_rate", "tier": "critical", "max_drop": 0.05}]
    assay.create_gate("people", baseline=good, dataset="people", rules=rules)
    assert assay.check_gate("people", evaluation=poor).verdict == "no_go"


def test_metrics_are_held_to_people(study: Study, assay: Client) -> None:
    (criterion,) = assay.judges(study.made["id"]).criteria
    decided = [one for one in study.votes() if one["answer"]["choice"] != "tie"]
    right = 0
    for one in decided:
        winner = one["systems"]["ab".index(one["answer"]["choice"])]
        right += WORDS[winner] == max(WORDS[system] for system in one["systems"])
    (chrf,) = criterion.metrics  # which orders outputs by their right words
    assert (chrf.name, chrf.judge) == ("chrf", False)
    assert chrf.agreement.value == pytest.approx(right / len(decided))
    low, high = known(chrf.agreement.interval)
    assert low < right / len(decided) < high
    assert criterion.people.value is None  # nobody was asked the same
    (russian,) = assay.judges(study.made["id"], slice="lang=ru").criteria
    assert russian.metrics[0].agreement.n < chrf.agreement.n
    with pytest.raises(AssayError) as refused:
        assay.judges(study.made["id"], slice="lang=xx")
    assert refused.value.code == "unknown_slice"
    found = assay.meta_evaluate([x["evaluation"] for x in study.made["systems"]], "human/win_rate")
    assert [one.name for one in found.metrics] == ["chrf"]


def test_another_vote_changes_the_board(study: Study, assay: Client) -> None:
    before = {row.system: row for row in assay.leaderboard("people", "human/win_rate").rows}
    assert voted(study.person("Dan"), lambda item: {"choice": "tie"}, 3) == 3
    assert voted(study.person("Dan"), chosen) == 0
    study_id = study.made["id"]
    assay.publish_scores(study_id)
    after = {row.system: row for row in assay.leaderboard("people", "human/win_rate").rows}
    assert after.keys() == before.keys()
    assert any(after[one].value != before[one].value for one in after)
    votes = study.votes()
    for one in after.values():
        assert one.value == pytest.approx(np.mean(list(win_rates(votes, one.system).values())))
    again = assay.publish_scores(study_id)
    assert all(len(one.scores) == 2 for one in again.systems)
    shown = assay.evaluation(study.made["systems"][0]["evaluation"])
    params = [one["params"] for one in shown.metrics if one["name"] == "human/win_rate"]
    assert [(one["project"], one["annotators"], one["form"]) for one in params] == [
        (study_id, 4, "pairwise")
    ]


def test_ratings_correct_a_judge(live: Live, assay: Client, tiny_judge: Path) -> None:
    judge = {"model": "tiny-judge", "calibrate": {"ratings": "human/helpfulness"}}
    made = evaluated(assay, "graded", [{"name": "judge", "params": judge}], 2)
    first = assay.evaluation(made[0])
    assert first.scores[1].error is not None  # nobody has rated yet
    criteria = [{"name": "helpfulness", "scale": [1, 5]}, {"name": "style", "scale": [0, 10]}]
    study = Study(live.base, made, form="likert", criteria=criteria, overlap=1, gold_rate=0)

    def rated(item: dict[str, Any]) -> dict[str, Any]:
        words = WORDS[system_of(item["output"])]
        ratings = {"helpfulness": 1 + words // 3 + number(item) % 2, "style": number(item) % 10}
        return {"ratings": ratings}

    assert voted(study.person(), rated) == 2 * N
    assay.publish_scores(study.made["id"])
    for id, (system, words) in zip(made, WORDS.items(), strict=False):
        done = assay.evaluation(id)
        by = {one.name: one for one in done.scores}
        assert known(by["human/helpfulness"].value) == pytest.approx(1.5 + words // 3), system
        assert by["judge/people"].value == by["human/helpfulness"].value
        assert (by["judge/calibrated"].rated, by["judge/calibrated"].n) == (N, N)
        assert by["judge/calibrated"].value == pytest.approx(by["judge/people"].value, abs=1e-6)
    held = {one.score: one for one in assay.judges(study.made["id"]).criteria}
    assert set(held) == {"human/helpfulness", "human/style"}
    judged = {one.name: one for one in held["human/helpfulness"].metrics}["judge"]
    assert judged.judge
    assert judged.agreement.n == N
    assert held["human/style"].metrics[0].agreement.n == 0  # all alike on a sample


def test_what_cannot_be_published(live: Live, assay: Client, study: Study) -> None:
    evaluations = [one["evaluation"] for one in study.made["systems"]]
    edits = Study(live.base, evaluations, form="edit")
    with pytest.raises(AssayError) as refused:
        assay.publish_scores(edits.made["id"])
    assert (refused.value.status, refused.value.code) == (422, "no_scores")
    with pytest.raises(AssayError) as refused:
        assay.publish_scores("annproj_none")
    assert refused.value.status == 404
    asked = {"name": "human/win_rate", "params": {"project": "p", "form": "pairwise"}}
    with pytest.raises(AssayError) as refused:
        assay.evaluate(
            system="x",
            dataset="people",
            samples=[{"id": "s", "output": "x", "references": ["x"]}],
            metrics=[asked],
        )
    assert "publish" in str(refused.value)
    with pytest.raises(AssayError) as refused:
        assay.meta_evaluate(evaluations, "human/style", metrics=["chrf"])
    assert "human/win_rate" in str(refused.value)


def test_closing_publishes_and_archives_hold_the_votes(
    live: Live, assay: Client, tmp_path: Path
) -> None:
    study = Study(live.base, evaluated(assay, "closed", ["chrf"], 2), overlap=2, items=3)
    person, other = study.person(), study.person()
    assert voted(person, chosen) == 3
    late = other.next()["item"]
    assay.close_annotation_project(study.made["id"])
    evaluation = study.made["systems"][0]["evaluation"]
    until(lambda: votes_in(assay, evaluation) == 3, 60)
    said = other.post("votes", item=late["id"], choice="tie")
    assert said.status_code == 200
    until(lambda: votes_in(assay, evaluation) == 4, 60)
    file = assay.archive(evaluation, tmp_path / "eval.zip")
    found = list(verify(Archive(io.BytesIO(file.read_bytes())), find, Options(fraction=0.2)))
    assert sound(found)
    assert {(one.metric, one.what) for one in found if one.status != "equal"} == {
        (SCORES[1], "sample")  # nobody but people can say it again
    }
    done = assay.evaluation(evaluation)
    loaded = assay.import_archive(from_elsewhere(file, tmp_path))
    numbers = {(one.name, one.value, one.interval, one.signature) for one in done.scores}
    assert {one[0] for one in numbers} == {"chrf", *SCORES}
    assert {(one.name, one.value, one.interval, one.signature) for one in loaded.scores} == {
        one for one in numbers if one[0] != SCORES[0]
    }
    (gone,) = [one for one in study.get("/annotators")["data"] if one["votes"] == 3]
    url = f"{study.url}/annotators/{gone['id']}"
    assert httpx.delete(url, params={"data": True}).json()["votes"] == 3
    until(lambda: votes_in(assay, evaluation) == 1, 60)


def votes_in(assay: Client, evaluation: str) -> int:
    """How many votes the published win rate of an evaluation is of."""
    metrics = assay.evaluation(evaluation).metrics
    return sum(one["params"].get("votes", 0) for one in metrics if one["name"] == SCORES[1])
