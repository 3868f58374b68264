"""Rubrics, strict reading, and a judge that says what it is told to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.chat import ChatModel, Reply, Request
from inference.errors import InputError
from inference.protocol import DType, Identity, NoModels
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.run import score
from metrics.judge import METRIC
from metrics.judging import templates
from metrics.judging.answers import Unreadable, read

GRADES = {str(grade): float(grade) for grade in range(1, 6)}
LABELS = {"good": 1.0, "bad": 0.0}


class Saying:
    """Answers each request by a function of its last turn, its number of turns and the draw."""

    def __init__(self, say: Callable[[str, int, int], Reply]) -> None:
        self.identity = Identity("told", "0", "0")
        self.say = say

    def reply(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[list[Reply]]:
        return [
            [
                self.say(one.messages[0].content, len(one.messages), draw)
                for draw in range(one.options.num_outputs)
            ]
            for one in requests
        ]

    def choices(
        self, requests: Sequence[Request], labels: Sequence[str]
    ) -> NDArray[np.float64] | None:
        return None


class Judges(NoModels):
    def __init__(self, **judges: ChatModel) -> None:
        self.judges = judges

    def identity(self, name: str) -> Identity:
        return Identity(name, "0", "0")

    def chat(self, name: str, dtype: DType = "float32") -> ChatModel:
        return self.judges[name]


def judged(
    say: Callable[[str, int, int], Reply], outputs: Sequence[str], **params: object
) -> Result:
    samples = [
        Sample(str(at), (output,), ("reference",), "task") for at, output in enumerate(outputs)
    ]
    (found,) = score(samples, [METRIC.bind({"model": "j", **params})], Judges(j=Saying(say)))
    return found


@pytest.mark.parametrize(
    ("said", "reasons", "value"),
    [
        ("4", False, 4.0),
        (" **4**.", False, 4.0),
        ("3,5", False, 3.5),
        ("<think>maybe 2</think>\n5", False, 5.0),
        ('{"reason": "ok", "answer": 2}', True, 2.0),
        ('```json\n{"answer": "3"}\n```', True, 3.0),
    ],
)
def test_numbers_are_read(said: str, reasons: bool, value: float) -> None:
    assert read(Reply(said), GRADES, numbers=True, reasons=reasons) == value


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        *(("", False), ("6", False), ("4 of 5", False), ("nan", False), ("I say 4", False)),
        *(("4", True), ('{"answer": true}', True), ('{"answer": [4]}', True)),
        *(('x {"answer": 4}', True), ("[" * 100_000, True), ('{"answer": NaN}', True)),
    ],
)
def test_what_is_no_number_is_not_guessed(said: str, reasons: bool) -> None:
    with pytest.raises(Unreadable):
        read(Reply(said), GRADES, numbers=True, reasons=reasons)


def test_labels_are_read_whatever_their_case() -> None:
    assert read(Reply("«GOOD»."), LABELS, numbers=False, reasons=False) == 1
    with pytest.raises(Unreadable, match="none of good, bad"):
        read(Reply("goodish"), LABELS, numbers=False, reasons=False)


def test_ready_rubrics_are_there_in_both_languages() -> None:
    ready = templates.ready()
    assert (
        set(ready["en"])
        == set(ready["ru"])
        == {
            *("helpfulness", "faithfulness", "coherence", "fluency", "relevance", "harmlessness"),
            "instruction-following",
        }
    )
    for text in [*ready["en"].values(), *ready["ru"].values()]:
        assert templates.check_text(text) == text
        assert not templates.is_whole(text)


@pytest.mark.parametrize(
    "rubric",
    [
        "{{ output | nothing }}",
        "{{ 'a' * 9 }}",
        "{% for a in references %}{% for b in references %}{% for c in references %}x"
        "{% endfor %}{% endfor %}{% endfor %}",
        "{% include 'x' %}",
        "{{ output.upper() }}",
        "{{ cycler }}",
        '{{ output }} {{ "%1000000000d" % 1 }}',
        "{{ 'a' | replace('a', 'aaaaaaaaaaaaaaaaaaaa') }}",
        "{% set a = output ~ output %}{{ a }}",
        "{{ references | join(output) }}",
        "{{ output | tojson | tojson }}",
        "{{ output | join('b') | join('c') }}",
    ],
)
def test_a_rubric_cannot_run_wild(rubric: str) -> None:
    with pytest.raises(InputError) as refused:
        METRIC.bind({"model": "j", "rubric": rubric})
    assert refused.value.field == "params.rubric"


def test_braces_in_an_output_stay_text() -> None:
    asked = []

    def say(text: str, turns: int, draw: int) -> Reply:
        asked.append(text)
        return Reply("1")

    judged(say, ["{{ prompt }} {% if %}"], rubric="Is {{ output }} short?")
    assert asked[0].startswith("Is {{ prompt }} {% if %} short?")


def test_what_cannot_be_read_is_asked_for_once_more() -> None:
    def say(text: str, turns: int, draw: int) -> Reply:
        return Reply("about four") if turns == 1 or "hopeless" in text else Reply("4")

    found = judged(say, ["fine", "hopeless"])
    assert found.scores[0].value == 4
    assert found.scores[0].missing == 1
    assert "asked twice" in found.scores[0].warnings[0]


def test_refusals_and_failures_are_no_scores() -> None:
    def say(text: str, turns: int, draw: int) -> Reply:
        if "a bomb" in text:
            return Reply("1", refusal="no")
        return Reply("", error="server gone") if "lost" in text else Reply("5")

    found = judged(say, ["a bomb", "lost", "fine"])
    assert found.scores[0].value == 5
    assert found.scores[0].missing == 2


def test_both_orders_and_their_mean() -> None:
    def first(text: str, turns: int, draw: int) -> Reply:
        return Reply("A")  # whatever stands there

    assert judged(first, ["x", "y", "z"], mode="pairwise").scores[0].value == 0.5

    def better(text: str, turns: int, draw: int) -> Reply:
        before, _, after = text.partition("response B")
        return Reply("A" if "best" in before else "B" if "best" in after else "tie")

    assert judged(better, ["best", "best", "worse"], mode="pairwise").scores[0].value == (
        pytest.approx((1 + 1 + 0.5) / 3)
    )


def test_repeats_add_the_judges_part_to_the_variance() -> None:
    def say(text: str, turns: int, draw: int) -> Reply:
        return Reply(str(1 + (draw + len(text)) % 3))

    found = judged(say, ["x" * at for at in range(30)], repeats=2, temperature=1.0)
    variance = found.scores[0].variance
    assert variance is not None
    assert variance.judge == variance.draws > 0


def test_criteria_and_checklists() -> None:
    def say(text: str, turns: int, draw: int) -> Reply:
        if "Question" in text:
            return Reply("yes" if "polite" in text else "no")
        return Reply("5" if "Fluency" in text else "2")

    found = judged(say, ["x", "y"], criteria=["fluency", "relevance"])
    assert [(one.name, one.value) for one in found.scores] == [
        ("judge/fluency", 5),
        ("judge/relevance", 2),
    ]
    listed = judged(say, ["x"], mode="checklist", criteria={"manners": "Is it polite?", "b": "So?"})
    assert [one.value for one in listed.scores] == [0.5, 1, 0]


def test_a_panel_is_the_mean_of_its_judges() -> None:
    judges = Judges(
        a=Saying(lambda text, turns, draw: Reply("2")),
        b=Saying(lambda text, turns, draw: Reply("5" if "odd" in text else "no idea")),
    )
    samples = [Sample("1", ("odd",)), Sample("2", ("even",))]
    (found,) = score(samples, [METRIC.bind({"panel": ["a", "b"]})], judges)
    assert found.per_sample is not None
    assert found.per_sample[:, 0].tolist() == [3.5, 2]
    assert not math.isnan(found.scores[0].value or math.nan)
