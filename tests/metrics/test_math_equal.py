"""Math equality against math-verify 0.9.0, and answers that would take a machine down."""

from __future__ import annotations

import logging
import random
import time

import pytest
from math_verify import parse, verify

from inference.errors import InputError
from inference.protocol import NoModels
from inference.protocols.solutions import declared, final
from metrics import find
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from metrics.math_equal import METRIC
from metrics.text.equality import equal, key, simplest
from metrics.text.verdicts import NO_ANSWER, UNDECIDED, SolutionParams

HALF = Item("0.5", ("\\frac12",))


def theirs(reference: str, answer: str) -> bool:
    logging.disable()
    try:
        left, right = (parse(f"${simplest(text)}$") for text in (reference, answer))
        return bool(verify(left, right))
    finally:
        logging.disable(logging.NOTSET)


def measured(items: list[Item], **params: object) -> tuple[list[int], list[int]]:
    found = METRIC.measure(items, SolutionParams.model_validate(params), NoModels())
    return found["row"][:, 0].tolist(), found["flag"].tolist()


def a_number(draw: random.Random) -> str:
    n, d = draw.randrange(-30, 60), draw.randrange(1, 9)
    forms = [f"{n}", f"{n / 10}", f"\\frac{{{n}}}{{{d}}}", f"{n}/{d}", f"{n * 1000:,}"]
    forms += [f"\\dfrac{{{n}}}{{4}}", f"{n}.00", f"\\text{{{n}}}", f"{abs(n)}%"]
    return draw.choice(forms)


def test_what_is_decided_at_once_is_what_math_verify_says() -> None:
    draw, decided, right = random.Random(0), 0, 0
    for _ in range(250):
        pair = a_number(draw), a_number(draw)
        if draw.random() < 0.4:  # the same in other words
            pair = pair[0], key(pair[0])
        found = equal(*pair)
        if found is not None:
            assert found == theirs(*pair), pair
            decided, right = decided + 1, right + found
    assert decided > 200
    assert right > 50


FORMULAS = [
    ("x^2+2x+1", "(x+1)^2"),
    ("x^2+2x+1", "(x+2)^2"),
    ("\\{1,2,3\\}", "\\{3,1,2\\}"),
    ("(1,2)", "(2,1)"),
    ("(1,2)", "(1, 2)"),
    ("[0,1]", "(0,1)"),
    ("x \\ge 2", "[2,\\infty)"),
    ("\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}"),
    ("5", "x=5"),
    ("x=5", "5"),
    ("\\frac{1}{3}", "0.33333333"),
    ("\\frac{1}{3}", "0.333"),
    ("2\\pi", "6.283185307"),
    ("5!", "120"),
    ("1+i", "i+1"),
    ("\\pm 2", "-2, 2"),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
    ("3,5", "5,3"),
    ("x+1", "x-1"),
]


def test_formulas_are_compared_as_math_verify_does() -> None:
    items = [Item(f"So it is \\boxed{{{answer}}}.", (wanted,)) for wanted, answer in FORMULAS]
    right, flags = measured(items)
    assert right == [theirs(*pair) for pair in FORMULAS]
    assert 5 < sum(right) < len(right)
    assert not any(flags)


@pytest.mark.parametrize(
    ("reference", "answer", "expected"),
    [
        ("1234.5", "1,234.50", True),
        ("1234", "1 234", True),
        ("3.5", "3,5", True),
        ("3", "٣", True),
        ("12", "１２", True),
        ("-5", "−5", True),
        ("0.001", "1e-3", True),
        ("1500", "1.5\\times10^3", True),
        ("50%", "0.5", True),
        ("50%", "50", True),
        ("50%", "5000%", False),
        ("-9%", "-9", True),  # math-verify has it for numbers above 0 alone
        ("18", "$18.00", True),
        ("18 рублей", "18", True),
        ("18 рублей", "18 копеек", False),
        ("B", "(B)", True),
        ("Paris", "siarP", False),  # a product of letters to a parser of LaTeX
        ("Париж", "париж.", True),
        ("北京", "北京。", True),
        ("القاهرة", "القاهرة", True),
        ("😀", "😀", True),
        ("1/0", "2/0", None),
        ("9" * 200, "9" * 199, None),
        ("9" * 5000, "9" * 4999, False),
    ],
)
def test_values_by_hand(reference: str, answer: str, expected: bool | None) -> None:
    assert equal(reference, answer) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So \\boxed{1} and \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("6*7=<<6*7=42>>42\n#### 1,234", "1,234"),
        ("The answer is $x=5$, since 2+3=5.", "x=5"),
        ("The answer is 42, since 6*7=42.", "42"),
        ("Ответ: **3,5**", "3,5"),
        ("答案是 7。", "7"),
        ("The answer is Paris.", "Paris"),
        ("We add 3 and 4.\nThat makes 7 apples.", "7"),
        ("He pays $18 and then $20 more.", "20"),
        ("(x+1)^2", "(x+1)^2"),
        ("yes", "yes"),
        ("none\nof it", None),
        ("", None),
    ],
)
def test_the_answer_of_a_solution(text: str, expected: str | None) -> None:
    assert final(text) == expected


def test_a_reference_is_its_box_its_hashes_or_all_of_it() -> None:
    assert declared("2+2 is 4\n#### 4") == "4"
    assert declared("so \\boxed{x}") == "x"
    assert declared("12 cm") == "12 cm"


def test_thoughts_do_not_count_and_no_answer_is_wrong() -> None:
    items = [
        Item("<think>it is 5</think>The answer is 4.", ("5", "4")),
        Item("<think>it is 5", ("5",)),
        Item("", ("5",)),
    ]
    assert measured(items) == ([1, 0, 0], [0, NO_ANSWER, NO_ANSWER])


def test_what_takes_too_long_is_missing_and_the_rest_is_decided() -> None:
    began = time.monotonic()
    tower = Item("\\boxed{9^{9^{9^9}}}", ("3",))
    nested = Item("\\boxed{" + "(" * 300 + "1" + ")" * 300 + "x}", ("2x",))
    items = [tower, nested, Item("\\boxed{2x+2}", ("2(x+1)",)), HALF]
    right, flags = measured(items, seconds=1)
    assert (right[0], flags[0]) == (0, UNDECIDED)
    assert (right[2:], flags[2:]) == ([1, 1], [0, 0])
    assert time.monotonic() - began < 40
    (result,) = score([Sample("1", ("\\boxed{9^{9^{9^9}}}",), ("3",))], [METRIC.bind()])
    assert result.scores[0].value is None
    assert "could not be compared" in (result.scores[0].error or "")


def test_code_in_an_answer_is_no_code(tmp_path: object) -> None:
    code = f"__import__('os').mkdir('{tmp_path}/made')"
    right, _ = measured([Item(f"\\boxed{{{code}}}", ("1",)), Item(f"${code}$", ("x+1",))])
    assert right == [0, 0]
    assert not list(tmp_path.iterdir())  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["(" * 100_000, "1," * 100_000, "\\boxed{" * 30_000, "$" * 99_999])
def test_long_texts_take_no_long_time(text: str) -> None:
    began = time.monotonic()
    measured([Item(text, ("1",)), Item("1", (text,))], seconds=1)
    assert time.monotonic() - began < 20  # two that may take five times as long as they were given


def test_another_way_to_take_the_answer() -> None:
    assert measured([Item("7 of 9", ("7",))], take="regex", pattern=r"(\d) of") == ([1], [0])
    with pytest.raises(InputError, match="no regular expression"):
        find("math_equal").bind({"take": "regex", "pattern": "("})
