"""Word metrics on texts without spaces, or without words: what they cannot measure, they say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from metrics import find
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.text.scripts import spaceless

CHINESE = Sample("zh", ("猫坐在垫子上。今天天气很好。",), ("猫坐在垫子上。今天天气不错。",))
THAI = Sample("th", ("วันนี้อากาศดีมาก",), ("วันนี้อากาศดี",))
RUSSIAN = Sample("ru", ("Кошка сидела дома.",), ("Кошка спала дома.",))
ARABIC = Sample("ar", ("الطقس جميل اليوم",), ("الطقس بارد اليوم",))


@pytest.mark.parametrize(
    ("name", "params", "instead"),
    [
        ("bleu", {}, {"tokenize": "zh"}),
        ("bleu", {"tokenize": "intl"}, {"tokenize": "char"}),
        ("ter", {}, {"normalized": True, "asian_support": True}),
        ("wer", {}, {"normalization": "unicode"}),
    ],
)
def test_a_sentence_that_is_one_word_is_told(
    name: str, params: Mapping[str, object], instead: Mapping[str, object]
) -> None:
    metric = find(name)
    samples = [CHINESE, RUSSIAN, ARABIC, THAI]
    (found,) = score(samples, [metric.bind(params)])
    assert any(
        "2 of 4 outputs: the references have no spaces" in w for w in found.scores[0].warnings
    )
    assert found.scores[0].missing == 0
    (better,) = score([CHINESE], [metric.bind(instead)])
    assert not any("no spaces" in warning for warning in better.scores[0].warnings)
    assert better.per_sample is not None
    assert 0 < better.per_sample[0, 0] < 100


def test_cer_has_no_words_to_miss() -> None:
    (found,) = score([CHINESE, THAI], [find("cer").bind()])
    assert not any("no spaces" in warning for warning in found.scores[0].warnings)


def test_rouge_says_that_there_is_no_word() -> None:
    samples = [Sample("1", ("🙂🙂🔥",), ("🙂🔥",)), CHINESE, RUSSIAN]
    (found,) = score(samples, [find("rouge").bind()])
    assert any("1 of 3 outputs: no reference has a letter" in w for w in found.scores[0].warnings)
    (alone,) = score(samples[:1], [find("rouge").bind({"tokenizer": "rouge_score"})])
    assert alone.scores[0].value == 0.0
    assert any("no letter or digit" in w or "no reference" in w for w in alone.scores[0].warnings)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], False),
        ([""], False),
        (["🙂"], False),
        (["漢字かな交じり文"], True),
        (["한국어는 띄어쓰기를 한다"], False),
        (["the word 猫 means cat"], False),
        (["猫坐在垫子上", "the cat"], False),
        (["𠀋" * 5], True),
    ],
)
def test_which_scripts_have_no_spaces(texts: list[str], told: bool) -> None:
    assert spaceless(texts) is told
