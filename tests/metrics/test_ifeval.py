"""IFEval against lm-evaluation-harness 0.4.13, whose verdicts are in ifeval_golden.json.

They were made once in an environment of its own, with langdetect 1.0.9 (seed 0) and NLTK's English
Punkt: of each instruction a digit for each response, strictly and loosely.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from inference.protocol import NoModels
from metrics.core.details import Details
from metrics.core.errors import MissingInput
from metrics.core.evidence import Evidence
from metrics.core.instructions import instructions_of
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.run import prepare, score
from metrics.core.verdicts import verdicts_of
from metrics.ifeval import METRIC
from metrics.text.instructions import KINDS, Check, check_of, variants

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("ifeval_golden.json").read_text())
RESPONSES: list[str] = GOLDEN["responses"]
LETTERS = 40  # from which on both tell a language
LETTER = {"letter": "#", "let_frequency": 2, "let_relation": "at least"}
SENTENCES = "length_constraints:number_sentences"
# Punkt ends no sentence at ideographic and Arabic marks, but at a lone "P.S."; a sentence that ends
# in a quote is one here, and its mark is none
APART = ("今天天气", "هذا كتاب", "Text.\nP.S.", '"The weather')


def checked(id: str, **arguments: Any) -> Check:
    return check_of(_instructions(id, arguments)[0])


def _instructions(id: str, arguments: Any) -> Any:
    return instructions_of({"instruction_id_list": [id], "kwargs": [arguments]})


def comparable(id: str, response: str) -> bool:
    """Whether both have the same conventions for the response."""
    if id == SENTENCES:
        return not response.startswith(APART)
    if id.startswith("language:") or "english" in id:
        letters = sum(map(str.isalpha, response))
        return letters >= LETTERS or letters == 0
    return True


def test_verdicts_equal_the_harness() -> None:
    compared, followed = 0, 0
    for id, arguments, strict, loose in GOLDEN["cases"]:
        check = checked(id, **arguments)
        for response, want, wanted in zip(RESPONSES, strict, loose, strict=True):
            if comparable(id, response):
                found = check.strict(response), any(map(check.strict, variants(response)))
                assert found == (want == "1", wanted == "1"), (id, arguments, response)
                compared, followed = compared + 1, followed + found[0]
    assert {case[0] for case in GOLDEN["cases"]} == set(KINDS)
    assert len(KINDS) == 25
    assert compared > 0.93 * len(RESPONSES) * len(GOLDEN["cases"])
    assert 0.2 < followed / compared < 0.6


def test_values_over_samples() -> None:
    asked = {
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{"relation": None}, {"num_words": 3.0, "relation": "at least", "keyword": None}],
    }
    one = {"instruction_id_list": ["detectable_format:title"], "kwargs": [None]}
    samples = [
        Sample("all", ("Ни одной запятой.",), metadata=asked),
        Sample("half, loosely all", ("Sure, here:\nIt rains all day.",), metadata=asked),
        Sample("two outputs", ("<<雨>>", "no title"), metadata=one),
        Sample("nothing", ("",), metadata=one),
    ]
    (result,) = score(samples, [METRIC.bind()])
    assert {one.name: one.value for one in result.scores} == {
        "ifeval_prompt_strict": (1 + 0 + 0.5 + 0) / 4,
        "ifeval_prompt_loose": (1 + 1 + 0.5 + 0) / 4,
        "ifeval_instruction_strict": (2 + 1 + 0.5 + 0) / 6,
        "ifeval_instruction_loose": (2 + 2 + 0.5 + 0) / 6,
    }
    assert result.per_sample is not None
    np.testing.assert_array_equal(result.per_sample[1], [0, 1, 0.5, 1])
    for value in result.scores:
        assert value.interval is not None
        assert 0 <= value.interval[0] <= (value.value or 0) <= value.interval[1] <= 1


@pytest.mark.parametrize(
    ("id", "arguments", "text", "followed"),
    [
        ("keywords:existence", {"keywords": ["дождь", "снег"]}, "Дождь и Снег", True),
        ("keywords:existence", {"keywords": ["c++"]}, "C++", True),  # no regular expression
        ("keywords:existence", {"keywords": ["a.b"]}, "axb", False),
        ("keywords:forbidden_words", {"forbidden_words": ["кот"]}, "Который?", True),
        (SENTENCES, {"num_sentences": 3, "relation": "at least"}, "今天。明天！好？", True),
        (SENTENCES, {"num_sentences": 3, "relation": "at least"}, "А. С. Пушкин жил. Да.", False),
        ("language:response_language", {"language": "ru"}, "Завтра в Москве будет дождь.", True),
        ("language:response_language", {"language": "zh-cn"}, "今天天气很好，我们去公园。", True),
        ("language:response_language", {"language": "ar"}, "هذا كتاب جديد وجيد جدا", True),
        ("language:response_language", {"language": "fa"}, "🙂 👍", True),
        ("keywords:letter_frequency", LETTER, "#one #two", True),
        ("startend:end_checker", {"end_phrase": "Конец."}, "Вот и КОНЕЦ.", True),
        ("change_case:english_capital", {}, "МОСКВА СТОЛИЦА РОССИИ И БОЛЬШОЙ ГОРОД", False),
    ],
)
def test_other_languages(id: str, arguments: Any, text: str, followed: bool) -> None:
    assert checked(id, **arguments).strict(text) == followed


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (
            {"instruction_id_list": ["keywords:exist"], "kwargs": [{}]},
            "did you mean 'keywords:existence'",
        ),
        ({"instruction_id_list": ["keywords:existence"], "kwargs": [{}]}, "needs 'keywords'"),
        (
            {"instruction_id_list": ["keywords:existence"], "kwargs": [{"keywords": ["", "a"]}]},
            "text",
        ),
        ({"instruction_id_list": [SENTENCES], "kwargs": [{"num_sentences": "3"}]}, "whole number"),
        (
            {"instruction_id_list": [SENTENCES], "kwargs": [{"num_sentences": 1e300}]},
            "whole number",
        ),
        ({"instruction_id_list": [SENTENCES], "kwargs": [{"num_sentences": True}]}, "whole number"),
        ({"instruction_id_list": [SENTENCES], "kwargs": [{"num_sentences": 2}]}, "less than"),
        ({"instruction_id_list": ["punctuation:no_comma"] * 101, "kwargs": [{}] * 101}, "100"),
    ],
)
def test_wrong_instructions_are_refused(metadata: Any, said: str) -> None:
    samples = [Sample("good", ("x",), metadata=_good()), Sample("bad", ("x",), metadata=metadata)]
    with pytest.raises(InputError, match=said) as refused:
        prepare(METRIC.bind(), samples)
    assert "samples[1]" in str(refused.value)


def _good() -> dict[str, Any]:
    return {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"instruction_id_list": ["a"], "kwargs": []},
        {"instruction_id_list": "a", "kwargs": "b"},
        {"instruction_id_list": ["a"], "kwargs": [{"keyword": "\ud800"}]},
    ],
)
def test_samples_without_instructions(metadata: Any) -> None:
    assert instructions_of(metadata) == ()
    with pytest.raises(MissingInput, match="instruction_id_list"):
        prepare(METRIC.bind(), [Sample("1", ("x",), metadata=metadata)])


@pytest.mark.parametrize("text", ["[", "<<a>", "*", "<", "\n", "- \n", "P. ", "'", "[[", " ", "("])
def test_time_grows_with_the_text_alone(text: str) -> None:
    """What is quadratic would take minutes."""
    start = time.perf_counter()
    for id, arguments, _, _ in GOLDEN["cases"][::2]:
        checked(id, **arguments).strict(text * 20_000 + "x")
    assert time.perf_counter() - start < 30


def test_verdicts_are_kept() -> None:
    bound = METRIC.bind()
    asked = {
        "instruction_id_list": ["punctuation:no_comma", "detectable_format:title"],
        "kwargs": [{}, {"keyword": None}],
    }
    samples = [
        Sample("loosely", ("Here, my text:\n<<雨>>",), metadata=asked),
        Sample("failed", ("",), metadata=asked, details=(Details(failure="refused"),)),
    ]
    evidence = Evidence.decode(measure(bound, items_of(samples)[0], NoModels()).encode())
    first, failed = verdicts_of(bound, evidence)
    assert [(one.text, one.verdict) for one in first] == [
        ("punctuation:no_comma {}", "loosely followed"),
        ("detectable_format:title {}", "followed"),
    ]
    assert failed == []
