"""Language against py3langid, and sentences whose language is known."""

from __future__ import annotations

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from inference.errors import InputError
from inference.protocol import NoModels
from metrics import find
from metrics.core.metric import Item, Sample
from metrics.core.result import Result
from metrics.core.run import score
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
