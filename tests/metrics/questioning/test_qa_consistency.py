"""QAGS and QuestEval, with transformers called by hand, question by question."""

from __future__ import annotations

import re
import string
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from inference.pool import ModelPool
from metrics import find, qa_consistency
from metrics.core.evidence import Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.core.verdicts import verdicts_of
from metrics.qa_consistency import CUT, METRIC, NO_QUESTION, NO_SOURCE, NOTHING_ASKED
from metrics.questioning.candidates import Candidate, candidates
from metrics.questioning.evidence import AnsweredQuestion, columns
from metrics.questioning.generation import GeneratedQuestions, Question, keep_questions, prompt
from metrics.statistics.intervals import wilson
from metrics.statistics.weights import Floats
from metrics.text.bags import bag, f1_or_neither
from tests.inference.test_answers import by_hand as answer_by_hand
from tests.inference.test_seq2seq import by_hand as question_by_hand
from tests.metrics.entailment.texts import OUTPUTS, SOURCES
from tests.metrics.statistics.simulation import keys
from tests.rounding import FORWARD

SAMPLES = [Sample(name, (OUTPUTS[name],), prompt=SOURCES[name]) for name in SOURCES]


def squad_f1(gold: str, found: str) -> float:
    """As SQuAD 2.0's script computes it (`compute_f1`), by its description."""

    def tokens(text: str) -> list[str]:
        bare = "".join(char for char in text.lower() if char not in set(string.punctuation))
        return re.sub(r"\b(a|an|the)\b", " ", bare).split()

    first, second = tokens(gold), tokens(found)
    if not first or not second:
        return float(first == second)
    same = sum((Counter(first) & Counter(second)).values())
    if not same:
        return 0.0
    precision, recall = same / len(second), same / len(first)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(
    ("gold", "found"),
    [
        *(("The Eiffel Tower", "Eiffel tower!"), ("a cat", "the dog"), ("", ""), ("", "x")),
        *(("x", ""), ("the", "a"), ("cat cat dog", "cat"), ("в Москве", "В Москве.")),
        *(("今天", "今天"), ("🎉", "🎉 now"), ("كتاب", "كتاب جديد"), ("Straße", "strasse")),
    ],
)
def test_f1_is_squads(gold: str, found: str) -> None:
    assert f1_or_neither(bag(found, "squad"), bag(gold, "squad")) == squad_f1(gold, found)


class ByHand:
    """Questions and answers of one text after the other, each by a pass of its own."""

    def __init__(self, questions: Path, answers: Path) -> None:
        self.questions, self.answers = questions, answers

    def asked(self, text: str, most: int) -> list[tuple[str, str]]:
        """(question, expected), each question once."""
        found: dict[str, str] = {}
        for one in candidates(text, most):
            marked = f"{text[: one.start]} <hl> {one.text} <hl> {text[one.end :]}"
            whole = " ".join(f"generate question: {marked}".split())
            found.setdefault(question_by_hand(self.questions, whole, 4, 48), one.text)
        return [(question, expected) for question, expected in found.items() if question]

    def answer(self, question: str, text: str) -> tuple[str, float]:
        """The answer, empty where there is none, and the probability that there is one."""
        best, none, span = answer_by_hand(self.answers, question, text)
        return (span.strip() if best > none else ""), 1 / (1 + np.exp(none - best))


def values_by_hand(hand: ByHand, sample: Sample, method: str, most: int) -> list[float]:
    output, source = sample.outputs[0], sample.prompt or ""
    own = []
    for question, expected in hand.asked(output, most):
        first = hand.answer(question, output)[0] if method == "qags" else expected
        own.append(squad_f1(first, hand.answer(question, source)[0]))
    precision = float(np.mean(own))
    if method == "qags":
        return [precision]
    asked = hand.asked(source, most)
    recall = float(np.mean([hand.answer(question, output)[1] for question, _ in asked]))
    total = precision + recall
    return [2 * precision * recall / total if total else 0.0, precision, recall]


@pytest.mark.parametrize("method", ["qags", "questeval"])
def test_equals_the_papers(
    method: str, tiny_questions: Path, tiny_answers: Path, model_pool: ModelPool
) -> None:
    params = {"questions": tiny_questions.name, "answers": tiny_answers.name, "keep": "all"}
    bound = METRIC.bind(params | {"method": method, "max_questions": 2})
    samples = SAMPLES if method == "qags" else SAMPLES[1:3]
    (result,) = score(samples, [bound], model_pool)
    hand = ByHand(tiny_questions, tiny_answers)
    want = [values_by_hand(hand, sample, method, 2) for sample in samples]
    assert result.per_sample is not None
    # a probability differs by at most a quarter of the difference of two sums of logits
    np.testing.assert_allclose(result.per_sample, want, rtol=0, atol=64 * FORWARD)
    assert np.ptp(want) > 0.05
    assert [one.name for one in result.scores] == list(bound.score_names)
    for one in result.scores:
        assert one.value is not None
        assert one.interval is not None
        assert one.interval[0] <= one.value <= one.interval[1]


def test_each_question_is_kept_with_both_answers(
    tiny_questions: Path, tiny_answers: Path, model_pool: ModelPool
) -> None:
    params = {"questions": tiny_questions.name, "answers": tiny_answers.name, "keep": "all"}
    for method in ("qags", "questeval"):
        bound = METRIC.bind(params | {"method": method, "num_beams": 1})
        evidence = measure(bound, items_of(SAMPLES)[0], model_pool)
        evidence = Evidence.decode(evidence.encode())
        hand = ByHand(tiny_questions, tiny_answers)
        for said, sample in zip(verdicts_of(bound, evidence), SAMPLES, strict=True):
            assert said
            for one in [one for one in said if "f1" in one.values][:2]:
                found, _ = hand.answer(one.text, sample.prompt or "")
                first = hand.answer(one.text, sample.outputs[0])[0] or None
                assert one.found == (found or None)
                if method == "qags":
                    assert one.expected == first
                else:
                    assert (one.expected or "-") in sample.outputs[0]
                assert one.values["f1"] == pytest.approx(
                    squad_f1(one.expected or "", found), abs=1e-4
                )
                whole = {1.0: "same", 0.0: "different"}.get(one.values["f1"], "partly")
                unanswered = not found and one.values["f1"] < 1
                assert one.verdict == ("unanswered" if unanswered else whole)
        words = {one.verdict for said in verdicts_of(bound, evidence) for one in said}
        assert (words & {"kept", "left_out"} != set()) == (method == "questeval")


def test_what_cannot_be_measured_is_missing(
    tiny_questions: Path,
    tiny_answers: Path,
    model_pool: ModelPool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(qa_consistency, "LONGEST_TEXT", 500)
    samples = [
        Sample("empty", ("",), prompt="A source."),
        Sample("emoji", ("🙂",), prompt="A source."),
        Sample("no source", ("Ann came.",), prompt=" "),
        Sample("long", ("Ann came.",), prompt="Bob went. " * 51),
        Sample("whole", ("Ann came.",), prompt="Bob went."),
    ]
    params = {"questions": tiny_questions.name, "answers": tiny_answers.name, "num_beams": 1}
    bound = METRIC.bind(params | {"keep": "all", "max_questions": 1})
    found = measure(bound, items_of(samples)[0], model_pool)
    assert found["flag"].tolist() == [NOTHING_ASKED, NOTHING_ASKED, NO_SOURCE, CUT, 0]
    strict = measure(METRIC.bind(params), items_of(samples[-1:])[0], model_pool)
    assert strict["flag"].tolist() == [NO_QUESTION]
    (result,) = score(samples, [bound], model_pool)
    assert result.missing.tolist() == [True] * 3 + [False] * 2
    assert result.scores[0].missing == 3


class Reader:
    """Answers every question with the text's second word, and none that ends in "none?"."""

    def answers(self, pairs: list[tuple[str, str]]) -> list[Any]:
        from inference.answers import Answer

        found = []
        for question, text in pairs:
            start = text.index(" ") + 1
            end = text.index(" ", start)
            found.append(Answer(start, end, 1.0, 2.0 if question.endswith("none?") else 0.0))
        return found


def test_filters_by_hand() -> None:
    """QAGS's: up to the question mark, no repetition, three words, answered as expected."""
    asked = [
        GeneratedQuestions(
            [
                Question("Who met the cat? He", "Ann"),
                Question("Who met the cat? She", "Ann"),
                Question("Who met Bob?", "cat"),
                Question("Who?", "Ann"),
                Question("No mark here", "Ann"),
                Question("Who met none?", "Ann"),
                Question("谁见了猫？对", "ann!"),
            ],
            6,
            False,
        )
    ]
    reader: Any = Reader()
    texts = ["Yesterday Ann met a cat."]
    found = {
        keep: [one.text for one in keep_questions(asked, texts, reader, keep, "squad", True)[0]]
        for keep in ("consistent", "answered", "all")
    }
    assert found["consistent"] == ["Who met the cat?", "谁见了猫？"]
    assert found["answered"] == ["Who met the cat?", "Who met Bob?", "谁见了猫？"]
    assert len(found["all"]) == 7


def test_templates() -> None:
    text = "Ann {answer} came."
    one = Candidate("came", 13, 17)
    assert prompt("generate question: {highlighted}", text, one) == (
        "generate question: Ann {answer} <hl> came <hl> ."
    )
    assert prompt("answer: {answer} context: {passage}", text, one) == (
        "answer: came context: Ann {answer} came."
    )


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"template": "ask"}, "params.template"),
        ({"method": "questeval", "no_answer": False}, "params"),
        ({"max_questions": 0}, "params.max_questions"),
        ({"keep": "some"}, "params.keep"),
    ],
)
def test_wrong_parameters(params: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as error:
        METRIC.bind({"questions": "q", "answers": "a"} | params)
    assert error.value.field == field


def test_models_are_named_by_their_parameters() -> None:
    params = {"questions": "q", "answers": "a"}
    needed = (("q", "questions", "seq2seq"), ("a", "answers", "answers"))
    assert METRIC.bind(params).required_models == needed
    function = {"method": "linear", "knots": [[0, 1], [1, 5]]}
    own = {"metric": "qa_consistency", "score": "qa_consistency", "params": params}
    assert find("calibrated").bind(own | {"function": function}).required_models == needed


def test_the_intervals_cover() -> None:
    """Sets of 40 outputs with one to five questions, most of them answered alike: 95 of 100 hold
    the true means, QuestEval's harmonic one, too."""
    bound = METRIC.bind({"questions": "q", "answers": "a", "method": "questeval"})
    draw = np.random.default_rng(0)
    asked, f1s = Question("Who came?", "Ann"), [1.0, 1.0, 1.0, 0.5, 0.0]

    def settled(count: int) -> Floats:
        told = [
            [
                *(
                    AnsweredQuestion(asked, 0, "x", 1.0, f1)
                    for f1 in draw.choice(f1s, draw.integers(1, 6))
                ),
                *(
                    AnsweredQuestion(asked, 1, "x", p, 0.0)
                    for p in draw.beta(4, 0.5, draw.integers(1, 6))
                ),
            ]
            for _ in range(count)
        ]
        parts = [columns(one) for one in told]
        evidence = Evidence.of_ragged({name: [one[name] for one in parts] for name in parts[0]})
        return bound.settle(evidence, np.arange(count)).rows

    truth = settled(5_000)[:, :-1].mean(0)
    covered = []
    for _ in range(100):
        found = wilson(settled(40), keys(40), bound.reduce, replicates=1)
        covered.append((found.low <= truth) & (truth <= found.high))
    assert np.mean(covered, axis=0).min() >= 0.91


def test_sources(tiny_questions: Path, tiny_answers: Path, model_pool: ModelPool) -> None:
    """Contexts come before the prompt; references are asked for by name."""
    params = {"questions": tiny_questions.name, "answers": tiny_answers.name, "keep": "all"}
    text, output = SOURCES["ru"], OUTPUTS["ru"]
    samples = [
        Sample("1", (output,), prompt=text),
        Sample("1", (output,), prompt="?", metadata={"contexts": [text]}),
        Sample("1", (output,), references=(text,)),
    ]
    values = []
    for sample, source in zip(samples, ("auto", "auto", "references"), strict=True):
        bound = METRIC.bind(params | {"source": source})
        (result,) = score([sample], [bound], model_pool)
        values.append(result.scores[0].value)
    assert values[0] == values[1] == values[2]
    assert METRIC.bind(params | {"source": "prompt"}).needs == ("prompt",)
