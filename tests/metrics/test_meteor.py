"""METEOR against NLTK 3.10's, to the bit, and WordNet's table against NLTK's reader of it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from string import ascii_lowercase

import pytest
from nltk.stem.porter import PorterStemmer
from nltk.stem.snowball import SnowballStemmer
from nltk.translate.meteor_score import meteor_score

from benchmarks.texts import english, news
from inference.errors import InputError
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.run import score
from metrics.meteor import METRIC
from metrics.text.wordnet import _parts, synonyms
from metrics.text.words import porter_stem
from tests.metrics.lexical_texts import ENGLISH, JAPANESE, RUSSIAN, Pair, random_pairs

# of lines "word synonym synonym …" of all words, as NLTK's reader gives them of Debian's WordNet
# 3.0 (wordnet-base, wordnet-sense-index 1:3.0-37): those in lower case, single words
DIGEST = "f90da74e85d244160bf4005165805b23f53421d864420dae89c18abaf858b31d"


@dataclass(frozen=True)
class Synset:
    """What NLTK asks of a synset, and of its members."""

    word: str

    def lemmas(self) -> list[Synset]:
        return [self]

    def name(self) -> str:
        return self.word


class WordNet:
    """Our synonyms, as NLTK asks for them."""

    def synsets(self, word: str) -> list[Synset]:
        return [Synset(one) for one in synonyms(word)]


class Nothing:
    """No synonyms, and no stems."""

    def synsets(self, word: str) -> list[Synset]:
        return []

    def stem(self, word: str) -> str:
        return word


STEMMERS = {"english": PorterStemmer(), "none": Nothing()}


def theirs(pairs: Sequence[Pair], language: str, known: bool, **weights: float) -> list[float]:
    stemmer = STEMMERS.get(language) or SnowballStemmer(language)
    wordnet = WordNet() if known else Nothing()
    return [
        meteor_score(
            [reference.split() for reference in references],
            output.split(),
            stemmer=stemmer,
            wordnet=wordnet,
            **weights,
        )
        for output, references in pairs
    ]


def result(pairs: Sequence[Pair], **params: object) -> Result:
    samples = [
        Sample(str(at), (output,), references) for at, (output, references) in enumerate(pairs)
    ]
    return score(samples, [METRIC.bind(params)])[0]


def ours(pairs: Sequence[Pair], **params: object) -> list[float]:
    values = result(pairs, **params).per_sample
    assert values is not None
    return [float(value) for value in values[:, 0]]


def read(pairs: Sequence[Pair]) -> list[Pair]:
    """Those that are Unicode, and that some reference has words for."""
    return [
        pair
        for pair in pairs
        if any(reference.split() for reference in pair[1])
        and "\ud800" not in pair[0] + "".join(pair[1])
    ]


@pytest.mark.parametrize(
    ("language", "known"),
    [("english", True), ("english", False), ("russian", False), ("german", False), ("none", False)],
)
def test_values_equal_nltks(language: str, known: bool) -> None:
    made = news(120, 1)
    news_pairs: list[Pair] = [(a, (b,)) for a, b in zip(made.outputs, made.references, strict=True)]
    pairs = read(random_pairs(random.Random(1), 150) + ENGLISH + RUSSIAN + JAPANESE + news_pairs)
    found = ours(pairs, language=language, synonyms=known, tokenizer="whitespace")
    assert found == theirs(pairs, language, known)
    assert 0.1 < sum(found) / len(found) < 0.9


def test_synonyms_that_come_again_are_matched_as_nltk_does() -> None:
    """Texts of any length, of forms and synonyms of two words, with several references."""
    chance = random.Random(5)
    cars = ("car", "cars", "auto", "autos", "automobile", "machine", "railcar")
    words = (*cars, "buy", "buys", "bought", "purchase", "purchased")

    def text() -> str:
        return " ".join(chance.choices(words, k=chance.randint(1, 12)))

    pairs: list[Pair] = [
        (text(), tuple(text() for _ in range(chance.randint(1, 3)))) for _ in range(300)
    ]
    assert ours(pairs, tokenizer="whitespace", language="english") == theirs(pairs, "english", True)


def test_weights_are_nltks() -> None:
    made = english(40, 2)
    pairs = [(a, (b,)) for a, b in zip(made.outputs, made.references, strict=True)]
    weights = {"alpha": 0.5, "beta": 1.5, "gamma": 0.9}
    found = ours(pairs, tokenizer="whitespace", **weights)
    assert found == theirs(pairs, "english", True, **weights)
    assert found != ours(pairs, tokenizer="whitespace")


def test_nltks_examples() -> None:
    """The values of NLTK's documentation, which are of its own reader of WordNet."""
    output = (
        "It is a guide to action which ensures that the military always obeys the commands of the "
        "party"
    )
    references = (
        "It is a guide to action that ensures that the military will forever heed Party commands",
        "It is the guiding principle which guarantees the military forces always being under the "
        "command of the Party",
        "It is the practical guide for the army always to heed the directions of the party",
    )
    assert round(ours([(output, references[:1])])[0], 4) == 0.6944
    assert round(ours([(output, references)])[0], 4) == 0.6944
    assert ours([("non matching hypothesis", ("this is a cat",))]) == [0.0]


def test_the_table_is_what_nltk_reads() -> None:
    words = sorted({word for part in _parts() for word in (*part.synsets, *part.irregular)})
    lines = [" ".join([word, *sorted(synonyms(word))]) + "\n" for word in words]
    assert len(words) == 74521
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == DIGEST


def test_stems_are_nltks() -> None:
    """Of words and of letters in any order; most that no rule ends are not asked for."""
    words = sorted({word for part in _parts() for word in part.synsets})[::15]
    letters = random.Random(4)
    words += ["".join(letters.choices(ascii_lowercase, k=7)) for _ in range(2000)]
    stem = PorterStemmer().stem
    assert [porter_stem(word) for word in words] == list(map(stem, words))
    assert porter_stem("") == ""


@pytest.mark.parametrize(
    ("word", "some"),
    [
        ("car", {"car", "auto", "automobile", "machine", "railcar"}),
        ("went", {"go", "travel", "move"}),
        ("postmen", {"postman", "mailman"}),
        ("bigger", {"big", "large", "adult"}),
        ("100", {"hundred", "century"}),
        ("москва", set()),
        ("x" * 10**6, set()),
        ("", set()),
    ],
)
def test_synonyms(word: str, some: set[str]) -> None:
    assert some <= set(synonyms(word))
    assert bool(some) == bool(synonyms(word))
    assert not any("_" in one or one != one.lower() for one in synonyms(word))


def test_by_hand() -> None:
    """Three of three words, in two chunks; F is 1, and half of (2/3)³ is lost."""
    assert ours([("b c a", ("a b c",))], language="none") == [pytest.approx(1 - 0.5 * (2 / 3) ** 3)]
    # one of two words against one of three: P 1/2, R 1/3
    assert ours([("кот ест", ("кот спит долго",))])[0] == pytest.approx(
        0.5 * (1 / 6) / (0.9 / 2 + 0.1 / 3)
    )


def test_synonyms_and_stems_count_where_they_are_asked_for() -> None:
    bought = ("cars", ("auto",))
    assert ours([bought]) == [0.5]
    assert ours([bought], synonyms=False) == [0.0]
    assert ours([("cars", ("car",))], synonyms=False) == [0.5]
    assert ours([("cars", ("car",))], language="none") == [0.0]


def test_languages_are_found_and_named() -> None:
    russian = result([("Кошка спит на красном диване", ("На красных диванах спят кошки",))])
    assert russian.scores[0].value == pytest.approx(0.75)
    assert "language:russian" in russian.scores[0].signature
    assert "synonyms:false" in russian.scores[0].signature
    english_one = result([("cats", ("a cat",))])
    assert "language:english" in english_one.scores[0].signature
    assert "synonyms:true" in english_one.scores[0].signature
    assert "language:none" in result([("东京有雨", ("东京有雨",))]).scores[0].signature


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Москва — столица России.", 3),
        ("东京今天有雨。", 6),
        ("القاهرة عاصمة مصر", 3),
        ("👍🏽 🇷🇺", 2),
        ("It's 3 o'clock", 3),
    ],
)
def test_a_text_equals_itself_in_any_script(text: str, words: int) -> None:
    """One chunk: half of (1 / words)³ is lost."""
    assert ours([(text, (text,))]) == [pytest.approx(1 - 0.5 / words**3)]
    assert ours([("", (text,))]) == [0.0]


def test_references_without_words_are_missing() -> None:
    found = result([("a b", ("a b",)), ("a", ("", "...")), ("a b", ("", "a b"))])
    assert found.per_sample is not None
    assert found.scores[0].value == pytest.approx(1 - 0.5 / 8)
    assert any(
        "no words that METEOR could match" in warning for warning in found.scores[0].warnings
    )


def test_threads_see_one_table() -> None:
    _parts.cache_clear()
    made = english(30, 3)
    pairs = [(a, (b,)) for a, b in zip(made.outputs, made.references, strict=True)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: ours(pairs), range(8)))
    assert all(one == found[0] for one in found)


def test_long_texts_end_in_time() -> None:
    """A hundred thousand words, all alike or all apart, and one of a million letters."""
    alike, apart = "a " * 100_000, " ".join(map(str, range(100_000)))
    for text in (alike, apart, "y" * 10**6):
        assert ours([(text, (apart,))], language="english")[0] < 1.01


def test_unknown_languages_are_refused() -> None:
    with pytest.raises(InputError, match="no stemmer for 'klingon'"):
        METRIC.bind({"language": "klingon"})
