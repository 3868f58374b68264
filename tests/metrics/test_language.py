"""Language against py3langid, and sentences whose language is known."""

from __future__ import annotations

import numpy as np
import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from inference.errors import InputError
from inference.protocol import NoModels
from metrics import find
from metrics.core.metric import Item, Sample
from metrics.core.result import Result
from metrics.core.run import score
from metrics.text.languages import CODES, OTHERS, classified, identifier_of
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN

TEXTS = {
    "en": "The capital of France is Paris, and it lies on the Seine.",
    "ru": "Столица Франции — Париж, и стоит он на Сене.",
    "uk": "Столиця Франції — Париж, і стоїть він на Сені.",
    "bg": "Столицата на Франция е Париж и се намира на Сена.",
    "be": "Сталіца Францыі — Парыж, і стаіць ён на Сене.",
    "kk": "Францияның астанасы — Париж, ол Сена өзенінде орналасқан.",
    "de": "Die Hauptstadt von Frankreich ist Paris, und sie liegt an der Seine.",
    "fr": "La capitale de la France est Paris, et elle se trouve sur la Seine.",
    "es": "La capital de Francia es París, y está a orillas del Sena.",
    "pt": "A capital da França é Paris, e fica às margens do Sena.",
    "zh": "法国的首都是巴黎，它位于塞纳河畔。",
    "ja": "フランスの首都はパリで、セーヌ川沿いにあります。",
    "ko": "프랑스의 수도는 파리이며 센강에 있습니다.",
    "ar": "عاصمة فرنسا هي باريس وتقع على نهر السين.",
    "hi": "फ्रांस की राजधानी पेरिस है और यह सीन नदी पर स्थित है।",
    "tr": "Fransa'nın başkenti Paris'tir ve Seine Nehri üzerindedir.",
}


def result(*samples: Sample, **params: object) -> Result:
    return score(list(samples), [find("language").bind(params)])[0]


@pytest.mark.parametrize("code", TEXTS)
def test_languages_are_told_apart(code: str) -> None:
    samples = [Sample(other, (text,)) for other, text in TEXTS.items()]
    found = result(*samples, language=code)
    assert found.per_sample is not None
    assert [s.id for s, own in zip(samples, found.per_sample[:, 0], strict=True) if own] == [code]


def test_equals_py3langid() -> None:
    theirs = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    outputs = [pair[0] for pair in ENGLISH + RUSSIAN + CHINESE + JAPANESE] + list(TEXTS.values())
    for code in ("en", "ru", "zh"):
        samples = [Sample(str(at), (text,)) for at, text in enumerate(outputs) if text]
        found = result(*samples, language=code, min_confidence=0)
        expected = [float(theirs.classify(sample.outputs[0])[0] == code) for sample in samples]
        assert found.per_sample is not None
        assert found.per_sample[:, 0].tolist() == expected


def test_many_texts_at_once_equal_each_by_itself() -> None:
    theirs = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    drawn = np.random.default_rng(0)
    letters = [*map(chr, (*range(32, 127), *range(0x410, 0x450), *range(0x4E00, 0x4E80), 0x1F642))]
    lengths = (*range(0, 140), 1000, 9999)  # around pieces' 64 bytes
    outputs = ["".join(drawn.choice(letters, length)) for length in lengths]
    outputs += [
        *TEXTS.values(),
        " ".join(TEXTS.values()),
        "",
        "🙂🙂",
        "ПРИВЕТ",
        "\ud800 a",
        "\0" * 99,
    ]
    for among in ((), ("ru", "en", "zh")):
        if among:
            theirs.set_languages(among)
        for places, confidences in classified(outputs, identifier_of(among)):
            for at, row in zip(places, confidences, strict=True):
                ranked = dict(theirs.rank(outputs[at]))
                # a language of two scripts stands twice: its first column has the sum
                own = dict(zip(theirs.nb_classes[::-1], row[::-1].tolist(), strict=True))
                # float32, and the same sums in the same order but for a library's blocking
                assert [own[code] for code in ranked] == pytest.approx([*ranked.values()], 1e-5)
                assert theirs.nb_classes[int(row.argmax())] == theirs.classify(outputs[at])[0]


def test_the_prompts_and_the_references_language() -> None:
    right = Sample("1", (TEXTS["ru"],), (TEXTS["en"], TEXTS["ru"]), prompt="Какой город столица?")
    wrong = Sample("2", (TEXTS["en"],), (TEXTS["fr"],), prompt="Назови столицу Франции, пожалуйста")
    assert result(right, wrong).scores[0].value == 0.5
    assert result(right, wrong, language="references").scores[0].value == 0.5


@pytest.mark.parametrize("output", ["", "42", "OK", "🙂🙂", "...", "Я"])
def test_what_is_too_short_is_missing(output: str) -> None:
    found = result(Sample("1", (TEXTS["ru"],)), Sample("2", (output,)), language="ru").scores[0]
    assert (found.value, found.missing) == (1, 1)
    unclear = Sample("2", (TEXTS["ru"],), prompt=output)
    found = result(Sample("1", (TEXTS["ru"],), prompt=TEXTS["ru"]), unclear).scores[0]
    assert (found.value, found.missing) == (1, 1)


def test_fewer_languages_make_short_texts_clear() -> None:
    short = Sample("1", ("Да, конечно.",))
    assert result(short, language="ru").scores[0].value is None
    assert result(short, language="ru", among=["ru", "en"]).scores[0].value == 1


@pytest.mark.parametrize("params", [{"language": "xx"}, {"language": "ru", "among": ["qq"]}])
def test_a_language_that_is_not_known_is_refused(params: dict[str, object]) -> None:
    with pytest.raises(InputError, match="no language"):
        find("language").bind(params).measure([Item("a")], NoModels())


def test_a_long_text_is_read_in_part() -> None:
    assert result(Sample("1", (TEXTS["en"] * 50_000,)), language="en").scores[0].value == 1


CODE = "```python\ndef add(a, b):\n    return a + b  # the sum of both numbers\n```"


def test_code_and_addresses_are_of_no_language() -> None:
    russian = "Вот функция, которая складывает два числа:"
    outputs = [
        f"{russian}\n{CODE}\n{CODE}\n{CODE}",
        f"{russian} `return the_sum_of(a, b)`",
        f"{russian} https://example.com/the/quick/brown/fox/jumps/over?the=lazy",
    ]
    samples = [Sample(str(at), (output,)) for at, output in enumerate(outputs)]
    assert result(*samples, language="ru").scores[0].value == 1
    alone = result(samples[0], Sample("code", (CODE,)), Sample("open", (CODE[:-3],)), language="ru")
    assert (alone.scores[0].value, alone.scores[0].missing) == (1, 2)
    asked = Sample("1", (TEXTS["ru"],), prompt=f"Что делает эта функция?\n{CODE}\n{CODE}")
    assert result(asked).scores[0].value == 1


def test_each_samples_own_language() -> None:
    codes = {"ru": "ru", "en": "EN", "pt": "pt-BR", "zh": "zh_Hans"}
    right = [Sample(c, (TEXTS[c],), metadata={"language": code}) for c, code in codes.items()]
    wrong = Sample("wrong", (TEXTS["en"],), metadata={"language": "ru"})
    unknown = Sample("unknown", (TEXTS["en"],), metadata={"language": "qqq"})
    score_ = result(*right, wrong, unknown, language="metadata").scores[0]
    assert (score_.value, score_.missing) == (4 / 5, 1)
    for other in (None, 5, "", "English, please", "x" * 100_000):
        none = Sample("none", ("A",), metadata={"language": other})
        assert "metadata `language`" in (
            result(*right, none, language="metadata").scores[0].error or ""
        )


def test_mixed_text_is_of_the_language_of_most_of_it() -> None:
    most = f"{TEXTS['ru']} {TEXTS['ru']} Paris is nice."
    least = f"{TEXTS['en']} {TEXTS['en']} {TEXTS['en']} Привет."
    samples = [Sample("most", (most,)), Sample("least", (least,))]
    found = result(*samples, language="ru")
    assert found.per_sample is not None
    assert found.per_sample[:, 0].tolist() == [1, 0]


def test_hostile_text_takes_no_longer_than_it_is() -> None:
    hostile = ("`" * 200_000, "```" * 100_000, "`a" * 100_000, "http://" * 50_000, "``\n" * 100_000)
    found = result(*(Sample(str(at), (one,)) for at, one in enumerate(hostile)), language="ru")
    assert found.scores[0].n + found.scores[0].missing == len(hostile)


def test_a_code_that_is_none_is_refused_before_anything_is_measured() -> None:
    for params in ({"language": "xx"}, {"among": ("ru", "xx")}):
        with pytest.raises(InputError, match="no language 'xx' is known") as caught:
            find("language").bind(params)
        assert caught.value.field == f"params.{next(iter(params))}"
    with pytest.raises(InputError, match="did you mean 'ru'"):
        find("language").bind({"language": "rus"})
    assert sorted(CODES) == sorted(
        {*LanguageIdentifier.from_model_file(MODEL_FILE).nb_classes} - {"zxx"}
    )
    assert not {*CODES} & {*OTHERS}
