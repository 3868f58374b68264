"""Judges over HTTP, by a small model: scores, transcripts, bias, and what requests get wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import AssayError, Client
from tests.service.live import Live

JUDGE = "tiny-judge"


def sample(index: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": f"s{index}",
        "prompt": f"Count to {index}.",
        "output": "one two three " * (1 + index % 5),
        "references": ["one two three"],
    }
    return found | ({"metadata": {"grade": 1 + index % 5}} if index < 24 else {})


SAMPLES = [sample(index) for index in range(40)]


@pytest.fixture(autouse=True)
def judge(tiny_judge: Path) -> None:
    """The folder is there."""


def test_a_judge_over_http(assay: Client, live: Live) -> None:
    metrics = [
        {"name": "judge", "params": {"model": JUDGE, "calibrate": {"ratings": "grade"}}},
        {"name": "judge", "params": {"model": JUDGE, "mode": "pairwise", "language": "ru"}},
    ]
    made = assay.evaluate(system="counter", dataset="judged", samples=SAMPLES, metrics=metrics)
    done = assay.wait(made.id, timeout=120)
    assert done.status == "succeeded"
    grade, calibrated, people, wins = done.scores
    assert [one.name for one in done.scores] == [
        *("judge", "judge/calibrated", "judge/people"),
        "judge",
    ]
    for score in done.scores:
        assert score.error is None
        assert not any("'grade'" in one for one in score.warnings)  # people's, no cluster
        assert score.value is not None
        assert score.interval is not None
        assert score.interval[0] <= score.value <= score.interval[1]
    assert 1 <= (grade.value or 0) <= 5
    assert people.value == pytest.approx(sum(1 + at % 5 for at in range(24)) / 24)
    assert calibrated.value == pytest.approx(people.value, abs=1)
    assert [one.n for one in done.scores] == [len(SAMPLES), len(SAMPLES), 24, len(SAMPLES)]
    assert [one.rated for one in done.scores] == [None, 24, 24, None]
    board = assay.leaderboard("judged", "judge/calibrated").rows
    assert [(one.n, one.rated) for one in board] == [(len(SAMPLES), 24)]
    assert 0 <= (wins.value or -1) <= 1

    told = list(assay.transcripts(made.id))
    assert [one.id for one in told] == [one["id"] for one in SAMPLES]
    (call,) = told[3].judges[0].outputs[0]
    assert "Count to 3." in call.asked
    assert call.likelihoods is not None
    assert sum(call.likelihoods.values()) == pytest.approx(1, abs=1e-3)
    assert call.answers[0].value == pytest.approx(
        sum(int(grade) * share for grade, share in call.likelihoods.items()), abs=2e-3
    )
    orders = [one.order for one in told[3].judges[1].outputs[0]]
    assert orders == ["given", "swapped"]

    report = assay.judge_report(made.id)
    alone, compared = report.judges
    assert alone.position is None
    assert alone.length is not None
    assert alone.length.n == 40
    assert alone.length_beyond_people is not None
    assert alone.length_beyond_people.n == 24
    assert compared.position is not None
    assert compared.order_flips is not None
    assert abs(compared.position.value) <= 0.5
    assert report.agreement == []


def test_corrected_systems_are_compared(assay: Client) -> None:
    records = [one | {"id": one["id"]} for one in SAMPLES]
    for at, one in enumerate(records[:30]):
        one["metadata"] = {"first": 1 + at % 5, "second": 1 + at % 3}
    made = []
    for system, field in (("one", "first"), ("two", "second")):
        params = {"model": JUDGE, "calibrate": {"ratings": field}}
        metric = {"name": "judge", "params": params}
        asked = assay.evaluate(system=system, dataset="rated", samples=records, metrics=[metric])
        made.append(assay.wait(asked.id, timeout=120))
    results = assay.compare(made[0].id, made[1].id)
    found = {one.name: one for one in results}
    assert set(found) == {"judge", "judge/calibrated", "judge/people"}
    people, both = found["judge/people"], found["judge/calibrated"]
    assert (people.n, both.n) == (len(SAMPLES), len(SAMPLES))
    assert [one.rated for one in results] == [None, 30, 30]
    assert people.difference == pytest.approx(1.0)
    assert both.difference == pytest.approx(1.0, abs=0.3)
    assert both.p_value is not None
    assert both.interval is not None


def test_what_cannot_be_read_is_missing_with_its_reason(assay: Client) -> None:
    params = {"model": JUDGE, "likelihoods": False, "max_new_tokens": 2}
    made = assay.evaluate(
        system="counter",
        dataset="unread",
        samples=SAMPLES[:4],
        metrics=[{"name": "judge", "params": params}, "length"],
    )
    done = assay.wait(made.id, timeout=120)
    judge = next(one for one in done.scores if one.metric == "judge")
    answers = [
        answer
        for one in assay.transcripts(made.id)
        for call in one.judges[0].outputs[0]
        for answer in call.answers
    ]
    unread = [one for one in answers if one.value is None]
    assert len(answers) == 4
    assert judge.missing == len(unread) > 0
    for one in unread:
        assert one.missing == "unreadable"
        assert one.reason
    # what was kept survives: the same again is not asked anew
    again = assay.evaluate(
        system="again",
        dataset="unread",
        samples=SAMPLES[:4],
        metrics=[{"name": "judge", "params": params}],
    )
    assay.wait(again.id, timeout=120)
    assert list(assay.transcripts(again.id)) == list(assay.transcripts(made.id))


def test_against_another_system(assay: Client) -> None:
    first = assay.evaluate(system="older", dataset="duel", samples=SAMPLES[:6], metrics=["length"])
    assay.wait(first.id, timeout=60)
    outputs = {one["id"]: one["output"] + "four" for one in SAMPLES[:6]}
    for against in ({"evaluation": first.id}, {"system": "older"}):
        params = {"model": JUDGE, "mode": "pairwise", "against": against}
        made = assay.evaluate(
            system="newer",
            dataset="duel",
            outputs=outputs,
            metrics=[{"name": "judge", "params": params}],
        )
        done = assay.wait(made.id, timeout=60)
        assert done.score("judge").value is not None
        assert done.metrics[0]["params"]["against"]["evaluation"] == first.id
        asked = next(iter(assay.transcripts(made.id))).judges[0].outputs[0][1].asked
        assert asked.index(SAMPLES[0]["output"]) < asked.index("four")
    with pytest.raises(AssayError) as refused:
        assay.score(metrics=[{"name": "judge", "params": params}], samples=SAMPLES[:1])
    assert refused.value.param == "metrics[0].params.against"


@pytest.mark.parametrize(
    ("params", "param", "said"),
    [
        ({"rubric": "Is {{ output good?"}, "rubric", "line 1"),
        ({"rubric": "Is {{ answer }} good?"}, "rubric", "no variable 'answer'"),
        ({"rubric": "{{ output.__class__() }}"}, "rubric", "has no call"),
        ({"rubric": "fluent"}, "rubric", "did you mean 'fluency'"),
        ({"criteria": ["fluency", "coherense"]}, "criteria", "did you mean 'coherence'"),
        ({"repeats": 3}, "", "temperature above 0"),
        ({"mode": "label"}, "", "labels"),
        ({"model": "nobody"}, "model", "nobody"),
        ({"mode": "pairwise", "against": {"evaluation": "ev_none"}}, "against.evaluation", "no"),
        ({"mode": "pairwise", "against": {"system": "nobody"}}, "against.system", "nobody"),
        ({"calibrate": {"ratings": "grades"}}, "calibrate.ratings", "did you mean 'grade'"),
    ],
)
def test_what_a_request_gets_wrong(
    live: Live, params: dict[str, Any], param: str, said: str
) -> None:
    body = {
        "system": "x",
        "samples": SAMPLES[:2],
        "metrics": [{"name": "judge", "params": {"model": JUDGE, **params}}],
    }
    answer = httpx.post(f"{live.base}/v1/evaluations", json=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["param"] == ".".join(filter(None, ["metrics[0].params", param]))
    assert said in error["message"]


def test_no_judge_no_report(assay: Client) -> None:
    made = assay.evaluate(system="x", dataset="plain", samples=SAMPLES[:2], metrics=["length"])
    assay.wait(made.id, timeout=60)
    assert [one.judges for one in assay.transcripts(made.id)] == [[], []]
    with pytest.raises(AssayError) as refused:
        assay.judge_report(made.id)
    assert refused.value.code == "nothing_judged"
