"""What react's tools find, and what they refuse."""

from __future__ import annotations

import pytest

from inference.protocols.calculator import Unreadable, calculated
from inference.protocols.react import observed, parsed
from inference.protocols.search import Corpus


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", "14"),
        ("(2+3)*4 =", "20"),
        ("-2^2", "-4"),
        ("2**3**2", "512"),
        ("2^-1", "0.5"),
        ("7 // 2 % 2", "1"),
        ("1,234 × 2", "2468"),
        ("sqrt(16) / 3", "1.33333333333"),
        ("0.1 + 0.2", "0.3"),
        ("8 ^ (1/3)", "2"),
    ],
)
def test_arithmetic(expression: str, value: str) -> None:
    assert calculated(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1 +",
        "(1",
        "1 2",
        "1/0",
        "0^-1",
        "9^9^9^9",
        "10^100000",
        "(-8)^(1/3)",
        "__import__('os')",
        "(" * 100 + "1" + ")" * 100,
        "2" + "^2" * 200,
        "1" * 501,
    ],
)
def test_what_is_no_arithmetic_is_refused(expression: str) -> None:
    with pytest.raises(Unreadable):
        calculated(expression)


def test_rare_words_find_their_texts_first() -> None:
    corpus = Corpus(["the cat sat on the mat", "the dog sat on the log", "Кошка спит", ""])
    assert corpus.found("Cat", 2) == "[1] the cat sat on the mat"
    assert corpus.found("the dog", 1) == "[1] the dog sat on the log"
    assert corpus.found("кошка", 3) == "[1] Кошка спит"
    assert corpus.found("whale", 3) == "nothing was found"
    both = corpus.scores("the dog")  # by hand: Okapi BM25 with k1 = 1.5, b = 0.75, mean length 3.5
    norm = 1.5 * (0.25 + 0.75 * 6 / 3.5)
    import math

    dog = math.log(1 + 3.5 / 1.5) * 2.5 / (1 + norm)
    the = math.log(1 + 2.5 / 2.5) * 2 * 2.5 / (2 + norm)
    assert both[1] == pytest.approx(dog + the, rel=1e-12)


def test_of_a_turn_the_first_of_action_and_answer_counts() -> None:
    step = parsed("Thought: add\nAction: calculator[(1+2)*3]\nObservation: 8\nFinal Answer: 8")
    assert (step.thought, step.action, step.input, step.final) == (
        "add",
        "calculator",
        "(1+2)*3",
        None,
    )
    assert step.text == "Thought: add\nAction: calculator[(1+2)*3]"
    done = parsed("Thought: known\nFinal Answer: **9**\nAction: calculator[1]")
    assert (done.final or "").startswith("9")
    assert "there is no tool" in observed(parsed("Action: shell[ls]"), {"calculator": str})
    assert "Action: tool[input]" in observed(parsed("I wonder"), {})
