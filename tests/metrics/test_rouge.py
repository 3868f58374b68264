"""ROUGE against rouge-score 0.1.2, to the bit; and what that package leaves out."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from inference.errors import InputError
from inference.protocol import NoModels
from metrics.core.measure import items_of, measure
from metrics.core.metric import Item, Sample
from metrics.core.result import Result
from metrics.core.run import score_slices
from metrics.rouge import METRIC, NAMES, RougeParams, StemmedWords, resolve
from metrics.text.scripts import main_script, mostly_latin
from metrics.text.sentences import split_sentences
from metrics.text.words import Tokenizer, unicode_words
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN, Pair, random_pairs


class UnicodeWords:
    def tokenize(self, text: str) -> list[str]:
        return unicode_words(text)


def resolved(pairs: list[Pair], **params: Any) -> RougeParams:
    samples = [Sample(str(n), (output,), refs) for n, (output, refs) in enumerate(pairs)]
    return resolve(RougeParams(**params), samples)


def rows(pairs: list[Pair], **params: Any) -> np.ndarray:
    items = [Item(output, references) for output, references in pairs]
    return METRIC.measure(items, resolved(pairs, **params), NoModels())["row"]


def rouge_score(
    pairs: list[Pair], stemmer: bool = False, tokenizer: Tokenizer | None = None
) -> np.ndarray:
    scorer = RougeScorer(list(NAMES), use_stemmer=stemmer, tokenizer=tokenizer)
    return np.array(
        [
            [score.fmeasure for score in scorer.score_multi(list(references), output).values()]
            for output, references in pairs
        ]
    )


# rouge-score 0.1.2: means of score_multi over ENGLISH, without and with use_stemmer
GOLDEN = [
    (False, [0.612037037037037, 0.31168831168831174, 0.5435185185185185, 0.5435185185185185]),
    (True, [0.612037037037037, 0.31168831168831174, 0.5574074074074074, 0.5574074074074074]),
]


@pytest.mark.parametrize(("stemmer", "expected"), GOLDEN)
def test_golden(stemmer: bool, expected: list[float]) -> None:
    found = METRIC.reduce(rows(ENGLISH, stemmer=stemmer).sum(axis=0), RougeParams())
    assert found.tolist() == pytest.approx(expected, rel=1e-13)


ENGLISH_WORDS = [
    *("the", "cat", "cats", "running", "runs", "ran", "generously", "happily", "sky", "skies"),
    *("it's", "3.5", "dying", "dies", "U.S.", "naïve", "İstanbul", "\u212a", "x_y", "—", ",", "."),
    *("Hello", "hello"),
]


def english_pairs(count: int, newlines: bool) -> list[Pair]:
    rng = random.Random(count)
    words = ENGLISH_WORDS + (["\n", "\n\n", " \n"] if newlines else [])

    def text() -> str:
        return " ".join(rng.choices(words, k=rng.randrange(25)))

    return [(text(), tuple(text() for _ in range(rng.randrange(1, 4)))) for _ in range(count)]


@pytest.mark.parametrize("stemmer", [False, True])
@pytest.mark.parametrize("newlines", [False, True])
def test_equals_rouge_score(stemmer: bool, newlines: bool) -> None:
    pairs = english_pairs(300, newlines) + ENGLISH
    if newlines:
        pairs += random_pairs(random.Random(3), 200)
    found = rows(pairs, stemmer=stemmer, tokenizer="rouge_score")
    assert np.array_equal(found[:, :4], rouge_score(pairs, stemmer))
    assert np.array_equal(found[:, 4], np.ones(len(pairs)))
    assert newlines == (not np.array_equal(found[:, 2], found[:, 3]))  # L and Lsum


@pytest.mark.parametrize("language", [None, "russian", "english"])
def test_unicode_equals_rouge_score_with_the_same_words(language: str | None) -> None:
    """The scoring code is rouge-score's; only the words are other ones."""
    pairs = RUSSIAN + CHINESE + JAPANESE + random_pairs(random.Random(4), 200)
    tokenizer: Tokenizer = StemmedWords(language) if language else UnicodeWords()
    params = {"stemmer": True, "language": language} if language else {}
    found = rows(pairs, tokenizer="unicode", **params)
    assert np.array_equal(found[:, :4], rouge_score(pairs, tokenizer=tokenizer))
    assert found[:, :4].mean() > 0.1


@pytest.mark.parametrize("pairs", [RUSSIAN, CHINESE, JAPANESE])
def test_identical_texts_of_any_script_score_one(pairs: list[Pair]) -> None:
    same = [(references[0], references) for _, references in pairs]
    assert np.array_equal(rows(same), np.ones((len(same), 5)))
    # what the reference package makes of the same Russian
    if pairs is RUSSIAN:
        assert rows(same, tokenizer="rouge_score")[3, 0] == 0.0


def test_russian_stems() -> None:
    pairs: list[Pair] = [("кошки сидели на больших крышах", ("кошка сидела на большой крыше",))]
    assert rows(pairs)[0, 0] == pytest.approx(0.2)
    assert resolved(pairs, stemmer=True).language == "russian"
    assert rows(pairs, stemmer=True)[0, :4].tolist() == [1.0, 1.0, 1.0, 1.0]


def test_the_references_decide_tokenizer_and_language() -> None:
    def chosen(reference: str, **params: Any) -> tuple[str, str]:
        found = resolved([("output", (reference,))], **params)
        return found.tokenizer, found.language

    assert chosen("an English reference") == ("rouge_score", "none")
    assert chosen("an English reference", stemmer=True) == ("rouge_score", "english")
    assert chosen("déjà vu à l'été", stemmer=True, language="french") == ("unicode", "french")
    assert chosen("ссылка по-русски, with English", stemmer=True) == ("unicode", "russian")
    assert chosen("ελληνικά", stemmer=True) == ("unicode", "greek")
    assert chosen("中文参考", stemmer=True) == ("unicode", "none")
    assert chosen("русский", stemmer=True, tokenizer="rouge_score") == ("rouge_score", "english")
    assert chosen("1 2 3") == ("rouge_score", "none")


@pytest.mark.parametrize(
    ("reference", "warned"),
    [
        ("Река снова чистая", True),
        ("Река снова чистая (2024), Reuters", True),  # neither a number nor a name hides it
        ("The river is clean again", False),
        ("La rivière est de nouveau propre, déjà", False),
        ("The Река is clean", False),
        ("2024", False),
    ],
)
def test_letters_that_the_tokenizer_drops_are_told(reference: str, warned: bool) -> None:
    english = [Sample(f"en{at}", ("a clean river",), ("a clean river",)) for at in range(20)]
    others = [Sample(f"x{at}", (reference,), (reference,)) for at in range(3)]
    samples = english + others
    slices = {"en": np.arange(20), "x": np.arange(20, 23)}
    asked = [METRIC.bind({"tokenizer": "rouge_score"})]
    options: Any = {"seed": 0, "replicates": 9, "level": 0.95}
    ((whole, parts),) = score_slices(samples, asked, slices, NoModels(), options)

    def told(result: Result) -> bool:
        return any("tokenizer: unicode" in one for one in result.scores[0].warnings)

    assert (told(whole), told(parts["x"]), told(parts["en"])) == (warned, warned, False)


def test_unresolved_parameters_measure_nothing() -> None:
    with pytest.raises(ValueError, match="resolve"):
        METRIC.measure([Item("a", ("a",))], RougeParams(), NoModels())


def test_bad_languages_are_input_errors() -> None:
    with pytest.raises(InputError, match="klingon") as caught:
        METRIC.bind({"language": "klingon"})
    assert caught.value.field == "params.language"
    with pytest.raises(InputError, match="English only"):
        METRIC.bind({"tokenizer": "rouge_score", "stemmer": True, "language": "russian"})


def test_sentences_for_lsum() -> None:
    output = "He came home late. It was raining hard."
    reference = "It was raining hard. He came home late."
    pairs: list[Pair] = [(output, (reference,))]
    lines: list[Pair] = [(output.replace(". ", ".\n"), (reference.replace(". ", ".\n"),))]
    newline, split, auto = (
        rows(pairs, sentences=one)[0].tolist() for one in ("newline", "split", "auto")
    )
    assert newline[3] == newline[2] == 0.5
    assert split == auto == rows(lines)[0].tolist()
    assert split[3] == 1.0
    assert split[:3] == newline[:3]
    # "auto" leaves lines alone
    mixed: list[Pair] = [("A b. C d.\nE f.", ("C d. A b.\nE f.",))]
    assert np.array_equal(rows(mixed, sentences="auto"), rows(mixed, sentences="newline"))
    assert rows(mixed, sentences="split")[0, 3] == 1.0


def test_empty_texts_score_zero() -> None:
    pairs: list[Pair] = [("", ("text",)), ("text", ("",)), ("", ("",)), ("🎉", ("🎉",))]
    expected = np.array([[0.0, 0.0, 0.0, 0.0, 1.0]] * 4)
    for tokenizer in "rouge_score", "unicode":
        assert np.array_equal(rows(pairs, tokenizer=tokenizer), expected)
    assert rows([]).shape == (0, 5)


def test_outputs_of_a_sample_are_averaged() -> None:
    samples = [Sample("a", ("the cat", "a dog"), ("the cat",)), Sample("b", ("x",), ("x", "y"))]
    items, unit = items_of(samples)
    metric = METRIC.bind().resolve(samples)
    settled = metric.settle(measure(metric, items, NoModels()), unit)
    assert settled.rows.tolist() == [[0.5, 0.5, 0.5, 0.5, 1.0], [1.0, 0.0, 1.0, 1.0, 1.0]]
    value = metric.reduce(settled.rows.sum(axis=0))
    assert value.tolist() == [0.75, 0.25, 0.75, 0.75]


def test_scripts() -> None:
    assert main_script(["Привет, world"]) == "CYRILLIC"
    assert main_script(["123 — 🎉"]) is None
    assert mostly_latin(["naïve café", ""])
    assert mostly_latin([])
    assert not mostly_latin(["Это текст (a text)"])


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
        ("А. С. Пушкин родился в Москве. Поэт…", ["А. С. Пушкин родился в Москве.", "Поэт…"]),
        ("«Да.» Он ушёл.", ["«Да.»", "Он ушёл."]),
        ("It cost 3.50, e.g. here. OK", ["It cost 3.50, e.g. here.", "OK"]),
        ("東京は首都です。「はい。」と言った", ["東京は首都です。", "「はい。」", "と言った"]),
        ("one\n\ntwo. Three", ["one", "two.", "Three"]),
        ("", []),
    ],
)
def test_split_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences
