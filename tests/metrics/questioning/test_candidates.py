"""What texts are asked about, in several scripts, and from which passage."""

from __future__ import annotations

import time

import pytest

from metrics.questioning.candidates import LONGEST_PASSAGE, Candidate, candidates, passage
from tests.metrics.entailment.texts import SOURCES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The Eiffel Tower was built in 1889 by Gustave Eiffel's company.",
            ["Eiffel Tower", "built", "1889", "Gustave Eiffel's", "company"],
        ),
        ("It cost $1.5 million on 6 June 1799.", ["cost", "1.5", "million", "6 June 1799"]),
        (SOURCES["ru"], ["Пушкин", "родился", "1799", "Москве", "писал стихи", "Шёл", "дождь"]),
        (SOURCES["zh"], ["今天天气", "去公园"]),
        (SOURCES["ar"], ["كتاب جديد", "جيد"]),
        ("Ann met ann and ANN.\nAnn\nBob", ["Ann", "met ann", "Bob"]),
        ("हिन्दी में", ["हिन्दी में"]),  # marks belong to words
        ("🙂 … !\n—", []),
        ("", []),
        ("the of and\x00 it", []),
    ],
)
def test_candidates(text: str, expected: list[str]) -> None:
    found = candidates(text, 20)
    assert [one.text for one in found] == expected
    assert all(text[one.start : one.end] == one.text for one in found)


def test_of_many_some_are_taken_evenly_and_names_come_first() -> None:
    text = " ".join(f"a town{at} by City{at}." for at in range(100))
    assert [one.text for one in candidates(text, 3)] == ["City0", "City49", "City99"]
    few = "By Ann a cat, a dog, a fox, a hen."
    assert [one.text for one in candidates(few, 3)] == ["Ann", "cat", "hen"]


def test_the_passage_is_the_text_or_the_sentences_around() -> None:
    short = Candidate("Ann", 0, 3)
    assert passage("Ann came.", short) == ("Ann came.", 0)
    text = " ".join(f"Sentence number {at} tells of Town{at}." for at in range(300))
    for one in candidates(text, 9):
        own, at = passage(text, one)
        assert own[at:].startswith(one.text)
        assert own in text
        assert own.startswith("Sentence")
        assert own.endswith(".")
        assert LONGEST_PASSAGE - 100 < len(own) <= LONGEST_PASSAGE
    endless = "word " * 3000 + "Ann " + "word " * 3000
    at = endless.index("Ann")
    own, place = passage(endless, Candidate("Ann", at, at + 3))
    assert own[place : place + 3] == "Ann"
    assert len(own) == LONGEST_PASSAGE


@pytest.mark.parametrize(
    "text",
    ["a" * 50_000, "A " * 25_000, "1." * 25_000, "a-" * 25_000, "中" * 50_000, "é́" * 25_000],
)
def test_hostile_texts_take_no_time(text: str) -> None:
    begun = time.perf_counter()
    for one in candidates(text, 20):
        passage(text, one)
    assert time.perf_counter() - begun < 2
