"""Extractive answers, with transformers called by hand, window by window and span by span."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference import answers
from inference.answers import LONGEST_ANSWER, Answer, best_spans
from inference.errors import InputError
from inference.pool import ModelPool
from tests.metrics.entailment.texts import SOURCES
from tests.rounding import FORWARD

QUESTIONS = {
    "en": "Who came at noon?",
    "ru": "Где родился Пушкин?",
    "zh": "今天天气怎么样？",
    "ar": "هل الكتاب جديد؟",
    "emoji": "Does it work 🎉?",
}
PAIRS = [(question, SOURCES[name]) for name, question in QUESTIONS.items()]
LONG = ("What is long?", " ".join(f"{at}. {SOURCES['en']} {SOURCES['ru']}" for at in range(12)))


@cache
def loaded(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    return AutoTokenizer.from_pretrained(folder), model


def by_hand(folder: Path, question: str, text: str) -> tuple[float, float, str]:
    """The best span's score, that of no answer, the span: every window and span looked at. Of a
    question 64 tokens are read."""
    import torch

    tokenizer, model = loaded(folder)
    room = tokenizer.model_max_length
    own = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)
    question = question[: max((end for _, end in own["offset_mapping"][:64]), default=0)]
    stride = min(128, (room - min(64, room // 4) - 3) // 2)
    options: dict[str, Any] = {"truncation": "only_second", "max_length": room, "stride": stride}
    options |= {"return_overflowing_tokens": True, "return_offsets_mapping": True}
    encoded = tokenizer(question, text, **options)
    found: list[tuple[float, str]] = []
    nulls = []
    for at, ids in enumerate(encoded["input_ids"]):
        segments = torch.tensor([encoded["token_type_ids"][at]])
        with torch.no_grad():
            out = model(torch.tensor([ids]), token_type_ids=segments)
        start, end = out.start_logits[0].tolist(), out.end_logits[0].tolist()
        nulls.append(start[0] + end[0])
        inside = [place for place, of in enumerate(encoded.sequence_ids(at)) if of == 1]
        for first in inside:
            for last in [one for one in inside if first <= one < first + LONGEST_ANSWER]:
                places = encoded["offset_mapping"][at]
                found.append((start[first] + end[last], text[places[first][0] : places[last][1]]))
    return *max(found, key=lambda one: one[0])[:1], min(nulls), max(found, key=lambda o: o[0])[1]


def test_equals_every_span_tried(tiny_answers: Path, model_pool: ModelPool) -> None:
    pairs = [*PAIRS, LONG]
    found = model_pool.answers(tiny_answers.name).answers(pairs)
    for one, (question, text) in zip(found, pairs, strict=True):
        score, no_answer, span = by_hand(tiny_answers, question, text)
        assert one.score == pytest.approx(score, abs=64 * FORWARD)
        assert one.no_answer == pytest.approx(no_answer, abs=64 * FORWARD)
        assert text[one.start : one.end] == span
        assert one.found == (score > no_answer)
    assert {one.found for one in found} == {True, False}


def test_a_long_text_is_read_in_windows_that_overlap(
    tiny_answers: Path, model_pool: ModelPool
) -> None:
    model = model_pool.answers(tiny_answers.name)
    owner, windows = model.windows([LONG, PAIRS[0]])
    assert owner.tolist() == [0] * (len(windows) - 1) + [1]
    assert len(windows) > 5
    read = np.zeros(len(LONG[1]), int)
    for window in windows[:-1]:
        assert len(window.ids) <= model.max_length
        inside = window.places[window.places[:, 1] >= 0]
        read[inside[0, 0] : inside[-1, 1]] += 1
    assert read.min() >= 1
    assert read.max() >= 2


def test_a_long_question_leaves_room_for_the_text(
    tiny_answers: Path, model_pool: ModelPool
) -> None:
    model = model_pool.answers(tiny_answers.name)
    long = "Why " * 5000
    found = model.answers([(long, SOURCES["en"]), (long[:300], SOURCES["en"])])
    assert found[0] == found[1]


def test_what_is_blank_has_no_answer(tiny_answers: Path, model_pool: ModelPool) -> None:
    model = model_pool.answers(tiny_answers.name)
    empty, blank, no_question = model.answers([("Who?", ""), ("Who?", "\n"), ("", "Ann came.")])
    assert (empty.start, empty.end, empty.found, empty.answerable) == (0, 0, False, 0.0)
    assert 0 <= blank.answerable <= 1
    assert 0 <= no_question.start < no_question.end <= len("Ann came.")
    assert model.answers([]) == []


def test_equal_pairs_are_read_once(tiny_answers: Path, model_pool: ModelPool) -> None:
    before = model_pool.calls
    first, *others = model_pool.answers(tiny_answers.name).answers([PAIRS[0]] * 300)
    assert model_pool.calls == before + 1
    assert others == [first] * 299


def test_parts_of_many_texts_are_read_one_after_the_other(
    tiny_answers: Path, model_pool: ModelPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_pool.answers(tiny_answers.name)
    whole = model.answers([*PAIRS, LONG])
    monkeypatch.setattr(answers, "MOST_CHARACTERS", 100)
    for one, other in zip(whole, model.answers([*PAIRS, LONG]), strict=True):
        assert (one.start, one.end, one.found) == (other.start, other.end, other.found)
        assert one.score == pytest.approx(other.score, abs=64 * FORWARD)


def test_best_spans_by_hand() -> None:
    starts = np.array([[9.0, 1.0, 5.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    ends = np.array([[9.0, 6.0, 0.0, 5.0], [0.0, 0.0, 0.0, 0.0]])
    inside = np.array([[False, True, True, True], [False] * 4])
    score, first, last = best_spans(starts, ends, inside)
    assert (score[0], first[0], last[0]) == (10.0, 2, 3)
    assert score[1] == -np.inf
    score, first, last = best_spans(starts, ends, inside, longest=1)
    assert (score[0], first[0], last[0]) == (7.0, 1, 1)  # the first of two that are equal


def test_answerable_is_a_probability() -> None:
    assert Answer(0, 1, 2.0, 2.0).answerable == 0.5
    assert not Answer(0, 1, 2.0, 2.0).found
    assert Answer(0, 1, 1e4, -1e4).answerable == pytest.approx(1)
    assert Answer(0, 1, -1e4, 1e4).answerable == pytest.approx(0)


def test_other_models_are_refused(tiny_nli: Path, model_pool: ModelPool) -> None:
    with pytest.raises(InputError, match="not a QuestionAnswering model"):
        model_pool.answers(tiny_nli.name)


def test_logits_that_are_no_numbers_are_no_missing_answer(
    tiny_answers: Path, tmp_path: Path
) -> None:
    model = ModelPool([tiny_answers.parent], tmp_path).answers(tiny_answers.name)
    model.model.qa_outputs.bias.data.fill_(float("nan"))
    with pytest.raises(InputError, match="float32") as caught:
        model.answers(PAIRS[:1])
    assert caught.value.field == "params.dtype"
