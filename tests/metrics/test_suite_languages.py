"""Which language a suite takes samples for, and what it measures by that."""

from __future__ import annotations

import pytest

from inference.errors import InputError
from metrics import find
from metrics.core.metric import Sample
from metrics.suites import suites
from metrics.suites.choosing import Chosen, choose
from metrics.suites.languages import check, language_of, languages_of
from tests.metrics.test_language import TEXTS


def sampled(*texts: str) -> list[Sample]:
    return [Sample(str(at), (text,), (text,), text) for at, text in enumerate(texts)]


def chosen(samples: list[Sample], suite: str = "summarization") -> Chosen:
    return choose(suites()[suite], samples, lambda name, params: find(name).bind(params))


@pytest.mark.parametrize("code", [*TEXTS])
def test_a_set_is_in_its_language(code: str) -> None:
    assert language_of(sampled(*[TEXTS[code]] * 3)) == code


@pytest.mark.parametrize(
    "text", ["Кошка сидит на окне", "Река снова чистая", "Мама мыла раму", "Собака спит дома", "Да"]
)
def test_short_texts_are_in_the_commonest_language_of_their_script(text: str) -> None:
    samples = sampled(*[text] * 20)
    assert language_of(samples) == "ru"
    assert "readability" in {one.metric.name for one in chosen(samples).picked}


def test_what_goes_by_text_takes_several_languages_that_it_knows() -> None:
    both = [TEXTS["en"], TEXTS["ru"]] * 5
    found = chosen(sampled(*both))
    assert (found.language, languages_of(sampled(*both))) == (None, ["en", "ru"])
    assert "readability" in {one.metric.name for one in found.picked}
    found = chosen(sampled(*both, *[TEXTS["zh"]] * 3))
    (why,) = (one.reason for one in found.left_out if one.metric == "readability")
    assert why == "it holds for the languages en, ru: these samples are 'en', 'ru', 'zh'"
    (why,) = (one.reason for one in chosen(sampled("42", "🙂")).left_out
              if one.metric == "readability")  # fmt: skip
    assert why == "it holds for the languages en, ru: no language was found"


def test_stems_are_of_the_suites_language() -> None:
    for code, stems in (("ru", "russian"), ("bg", "none"), ("uk", "none")):
        samples = sampled(*[TEXTS[code]] * 3)
        picked = {one.metric.name: one.metric for one in chosen(samples).picked}
        for name in ("rouge", "meteor"):
            assert picked[name].resolve(samples).dump()["language"] == stems


def test_a_language_that_is_none() -> None:
    for code, near in (("xx", "did you mean"), ("rus", "did you mean 'ru'"), ("RU", "'ru'")):
        with pytest.raises(InputError, match=f"no language '{code}' is known; .*{near}"):
            check(code, suites()["qa"])
    for code in ("ru", "mi", "yue"):
        check(code, suites()["qa"])
