"""Verdicts on sentences and instructions, shown with the samples over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from assay import Client
from metrics.text.segments import sentences_of
from tests.metrics.entailment.texts import OUTPUTS, SOURCES, grid
from tests.service.live import Live


def sample(name: str) -> dict[str, Any]:
    asked = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    return {
        "id": name,
        "prompt": SOURCES[name],
        "outputs": [OUTPUTS[name], "One, more. Another!", ""],
        "references": [SOURCES[name]],
        "metadata": asked | {"contexts": [SOURCES[name]]},
    }


def test_verdicts_are_shown_with_the_samples(assay: Client, live: Live, tiny_nli: Path) -> None:
    params = {"model": tiny_nli.name, "threshold": 0.6}
    metrics: list[Any] = [
        "chrf",
        {"name": "faithfulness", "params": params},
        {"name": "context_recall", "params": params},
        "ifeval",
    ]
    made = assay.evaluate(
        system="x", dataset="verdicts", samples=[sample(name) for name in SOURCES], metrics=metrics
    )
    assert assay.wait(made.id, timeout=120).status == "succeeded"
    seen = set()
    shown = assay.samples(made.id, sort="faithfulness", limit=4)
    assert len(shown) == 4
    for one in shown:
        faithfulness, recall, ifeval = one.verdicts
        assert [(said.metric, said.position) for said in one.verdicts] == [
            ("faithfulness", 1),
            ("context_recall", 2),
            ("ifeval", 3),
        ]
        sources = sentences_of(SOURCES[one.id])
        for output, found in zip(one.outputs, faithfulness.outputs, strict=True):
            assert [verdict.text for verdict in found] == sentences_of(output)
            for verdict in found:
                assert verdict.source in sources
                pairs = grid(tiny_nli, sources, [verdict.text])[:, :, 0].max(1)
                assert abs(verdict.values["entailment"] - pairs[0]) < 1e-3
                seen.add(verdict.verdict)
        assert [said.text for said in recall.outputs[0]] == sources
        told = [[verdict.verdict for verdict in found] for found in ifeval.outputs]
        commas = ["," in output for output in one.outputs[:2]]
        want = [["not followed" if comma else "followed"] for comma in commas]
        assert told == [*want, ["not followed"]]
    assert len(seen) > 1
    first = httpx.get(f"{live.base}/v1/evaluations/{made.id}/samples?limit=1").json()["data"][0]
    assert first["verdicts"][2]["outputs"][0][0]["text"] == "punctuation:no_comma {}"


def test_questions_are_shown_with_both_answers(
    assay: Client, live: Live, tiny_questions: Path, tiny_answers: Path
) -> None:
    params = {"questions": tiny_questions.name, "answers": tiny_answers.name, "keep": "all"}
    metrics: list[Any] = [
        {"name": "qa_consistency", "params": params | {"method": "questeval", "num_beams": 1}}
    ]
    samples = [sample(name) for name in ("en", "ru")]
    made = assay.evaluate(system="x", dataset="asked", samples=samples, metrics=metrics)
    done = assay.wait(made.id, timeout=120)
    assert [one.error for one in done.scores] == [None] * 3
    shown = assay.samples(made.id)
    assert len(shown) == 2
    for one in shown:
        (said,) = one.verdicts
        assert said.outputs[1:] == [[], []]  # nothing that could be asked about
        own = [verdict for verdict in said.outputs[0] if "f1" in verdict.values]
        assert own
        for verdict in own:
            assert verdict.text
            assert verdict.expected is not None
            assert verdict.expected in one.outputs[0]
            assert verdict.found is None or verdict.found in SOURCES[one.id]
            assert 0 <= verdict.values["answerable"] <= 1
        others = {one.verdict for one in said.outputs[0] if "f1" not in one.values}
        assert others
        assert others <= {"kept", "left_out"}
    wrong = {"name": "qa_consistency", "params": params | {"answers": tiny_questions.name}}
    body = {"system": "x", "samples": samples, "dataset": "asked", "metrics": [wrong]}
    error = httpx.post(f"{live.base}/v1/evaluations", json=body).json()["error"]
    assert (error["code"], error["param"]) == ("wrong_model_kind", "metrics[0].params.answers")
    wrong["params"] = params | {"questions": "nowhere/t5"}
    error = httpx.post(f"{live.base}/v1/evaluations", json=body).json()["error"]
    assert (error["code"], error["param"]) == ("unknown_model", "metrics[0].params.questions")


def test_tests_of_programs_are_shown_with_the_samples(assay: Client, live: Live) -> None:
    pairs = [{"input": "3\n", "output": "6"}, {"input": "<b>", "output": "<b><b>"}]
    programs = ["print(input() * 2)", "print(int(input()) * 2)", "print('\\x00😀')"]
    asserts = "assert double(3) == 6\nassert double('a') == 'aa'\n"
    made = assay.evaluate(
        system="x",
        dataset="programs",
        samples=[
            {"id": "pairs", "prompt": "Double it.", "outputs": programs, "tests": pairs},
            {"id": "asserts", "prompt": "", "outputs": ["def double(x): return x + 3"] * 3}
            | {"tests": asserts},
        ],
        metrics=[{"name": "pass_at_k", "params": {"k": [1, 3]}}],
    )
    done = assay.wait(made.id, timeout=120)
    assert done.status == "succeeded"
    assert {score.name: score.value for score in done.scores} == {"pass@1": 0, "pass@3": 0}
    own = {one.id: one.verdicts[0] for one in assay.samples(made.id)}
    told = own["pairs"].outputs
    assert [[test.verdict for test in each] for each in told] == [
        ["wrong_answer", "passed"],
        ["passed", "exception"],
        ["wrong_answer", "wrong_answer"],
    ]
    assert told[0][0].source == "line 1: expected '6', got '33'"
    assert told[1][1].text == "<b>"
    assert str(told[1][1].source).startswith("ValueError: invalid literal for int()")
    assert [test.text for test in own["asserts"].outputs[0]] == asserts.split("\n")[:-1]
    assert [test.verdict for test in own["asserts"].outputs[0]] == ["passed", "exception"]


def test_tests_of_no_use_are_refused_by_their_field(live: Live) -> None:
    sample = {"id": "1", "prompt": "", "output": "x"}
    for tests, params in (
        ([{"input": "1"}], {}),
        ("assert f(1)", {"language": "perl"}),
        ("assert (", {}),
        ("def check(f):\n    assert f(1)\n", {}),
    ):
        body = {"system": "x", "dataset": "refused", "samples": [sample | {"tests": tests}]}
        metrics = [{"name": "pass_at_k", "params": params}]
        answer = httpx.post(f"{live.base}/v1/evaluations", json=body | {"metrics": metrics})
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == "samples[0].tests"


def test_others_have_none(assay: Client) -> None:
    made = assay.evaluate(
        system="x", dataset="verdicts", samples=[sample("en")], metrics=["chrf", "length"]
    )
    assay.wait(made.id)
    (one,) = assay.samples(made.id)
    assert one.verdicts == []
