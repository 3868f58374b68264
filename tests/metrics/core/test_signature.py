"""Signatures: complete, stable, and clear about what differs."""

from metrics.core import signature
from metrics.core.metric import Item, Score
from tests.metrics.core.toy import MODELS, WORDS, WordsParams


def test_every_parameter_and_library_is_in_it() -> None:
    import numpy

    text = signature.text(signature.parts(WORDS.bind(), MODELS))
    assert text == f"words|version:1|lower:false|shown:plain|numpy:{numpy.__version__}"


def test_what_a_score_does_not_depend_on_is_left_out() -> None:
    found = signature.parts(WORDS.bind(), MODELS)
    score = Score("words_per_byte", higher_is_better=False, comparable_across=("lower", "numpy"))
    assert signature.text(found, score) == "words|version:1|shown:plain"


def test_text_of_users_cannot_forge_a_part() -> None:
    sly = WordsParams(shown="a|lower:true\n")
    text = signature.text(signature.parts(WORDS.bind(sly), MODELS))
    assert "shown:a%7Clower:true%0A" in text
    assert text.count("|") == 4


def test_differences_are_named() -> None:
    a, b = (
        signature.text(signature.parts(WORDS.bind(params), MODELS))
        for params in (WordsParams(), WordsParams(lower=True))
    )
    assert signature.difference(a, b) == ["lower: false / true"]
    assert signature.difference(a, a) == []
    assert signature.difference("x|a:1|b:2", "x|b:2|c:3") == ["a: 1 / absent", "c: absent / 3"]


def test_evidence_does_not_depend_on_settling() -> None:
    plain, shown, lower = (
        signature.evidence_digest(WORDS.bind(params), MODELS)
        for params in (WordsParams(), WordsParams(shown="bold"), WordsParams(lower=True))
    )
    assert plain == shown
    assert plain != lower
    assert len(plain) == 16


def test_items_differ_by_what_is_read_only() -> None:
    def digest(output: str, references: tuple[str, ...] = (), prompt: str | None = None) -> bytes:
        return signature.item_digest(WORDS.bind(), Item(output, references, prompt))

    assert digest("да") == digest("да", ("нет",), "?")
    assert digest("да") != digest("да ")


def test_fields_cannot_run_together() -> None:
    from dataclasses import replace

    metric = replace(WORDS, reads=("output", "references", "prompt")).bind()
    items = [
        Item("a", ("b",)),
        Item("a", ("b", "")),
        Item("a", ("", "b")),
        Item("ab"),
        Item("a", ("b",), ""),
        Item("a", ("b",), "-"),
        Item("a", ("1:b",)),
        Item("", ("a", "b")),
    ]
    assert len({signature.item_digest(metric, item) for item in items}) == len(items)
