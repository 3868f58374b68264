"""maj@k against the votes of every choice of k outputs, counted one by one."""

from __future__ import annotations

import random
import time
from collections import Counter
from fractions import Fraction
from itertools import combinations

import pytest

from inference.errors import InputError
from metrics import find
from metrics.core.metric import Sample
from metrics.core.run import prepare, score
from metrics.maj_at_k import majority


def counted(votes: list[int], right: set[int], k: int) -> Fraction:
    """Every choice, with ties shared."""
    chances = []
    for chosen in combinations(votes, k):
        found = Counter(vote for vote in chosen if vote)
        most = max(found.values(), default=0)
        first = [vote for vote, count in found.items() if count == most]
        chances.append(Fraction(len(right & set(first)), len(first)) if first else Fraction(0))
    return sum(chances, Fraction(0)) / len(chances)


def test_every_choice_of_k_is_counted() -> None:
    draw = random.Random(0)
    seen = []
    for _ in range(60):
        votes = draw.choices([0, 1, 2, 3, 4], [1, 3, 2, 2, 1], k=draw.randrange(1, 10))
        right = set(draw.choice([{1}, {2}, {1, 2}, {4}, set[int]()]))
        for k in range(1, len(votes) + 1):
            found = majority(Counter(votes), {vote: int(vote in right) for vote in votes}, k)
            assert found == pytest.approx(float(counted(votes, right, k)), abs=1e-12)
            seen.append(found)
    assert len({round(one, 3) for one in seen}) > 30


def value(outputs: tuple[str, ...], reference: str, **params: object) -> float | None:
    sample = Sample("1", outputs, (reference,))
    (result,) = score([sample], [find("maj_at_k").bind(params)])
    return result.scores[0].value


@pytest.mark.parametrize(
    ("outputs", "reference", "expected"),
    [
        (("The answer is 1/2.", "\\boxed{0.5}", "Answer: 3"), "0.5", 1),
        (("Ответ: 7", "Ответ: 5"), "7", 0.5),
        (("Ответ: 5", "Ответ: 5", "Ответ: 7"), "7", 0),
        (("Париж", "париж.", "Лион"), "Париж", 1),
        (("答案是 7", "答案：7", "答案：8"), "7", 1),
        (("الجواب: ٧", "الجواب: 7", "8"), "7", 1),
        (("😀", "😀", "😢"), "😀", 1),
        (("", "", "Answer: 7"), "7", 1),  # what is no answer does not vote
        (("", ""), "7", 0),
        (("$2(x+1)$", "$2(x+1)$", "$x$"), "2x+2", 1),
    ],
)
def test_the_vote_of_all(outputs: tuple[str, ...], reference: str, expected: float) -> None:
    assert value(outputs, reference) == expected


def test_one_vote_is_the_share_of_right_outputs() -> None:
    outputs = ("Answer: 7", "Answer: 7", "Answer: 5", "no\nanswer")
    assert value(outputs, "7", k=[1]) == 0.5
    assert value(outputs, "7", take="last_number", k=[1]) == 0.5


def test_more_votes_than_outputs_are_refused() -> None:
    with pytest.raises(InputError, match="maj@3 needs at least 3 outputs"):
        prepare(find("maj_at_k").bind({"k": [1, 3]}), [Sample("1", ("a", "b"), ("a",))])
    with pytest.raises(InputError):
        find("maj_at_k").bind({"k": [0]})


def test_many_outputs_take_no_long_time() -> None:
    draw = random.Random(0)
    votes = draw.choices(range(1, 200), k=256)
    began = time.monotonic()
    found = majority(Counter(votes), {vote: int(vote == 1) for vote in votes}, 64)
    assert 0 <= found < 0.2
    assert time.monotonic() - began < 5
