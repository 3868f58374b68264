"""Readability: how easy a text is to read, by its sentences' and words' lengths.

Conventions
    With w words a sentence, s syllables and l letters a word, c characters between white space, p
    words of many syllables a sentence (3 or more in English, 5 or more in Russian):
                                      English                            Russian
        flesch_reading_ease           206.835 - 1.015 w - 84.6 s         206.835 - 1.3 w - 60.1 s
        flesch_kincaid_grade          0.39 w + 11.8 s - 15.59            0.5 w + 8.4 s - 15.59
        coleman_liau_index            5.8 l - 29.6 / w - 15.8            5.5 l - 35 / w - 20.33
        smog_index                    1.043 sqrt(30 p) + 3.1291          1.1 sqrt(64.6 p) + 0.05
        automated_readability_index   4.71 c + 0.5 w - 21.43             6.26 l + 0.2805 w - 31.04
    The first two are Oborneva's in Russian (2006, from dictionaries of both languages), the others
    those of plainrussian.ru (Begtin, fitted to 68 texts of known grades). Ease is about 0 to 100,
    higher is easier; all others are the years of school it takes, higher is harder; none has an
    end, and short texts go beyond what is sensible. SMOG was made for 30 sentences.
    Words and sentences are textstat 0.7.13's: words stand between white space, without punctuation;
    a sentence ends with `.`, `!` or `?`, also inside a number, and one of two words or fewer does
    not count. In Russian it does not end after initials ("А. Б. Иванов") and abbreviations ("ул.
    Ленина", "5 млн. рублей", "и т. д. и"); in English it does, as textstat has it. Syllables are
    those of the CMU dictionary's first pronunciation, those of other English words come from a
    rule; Russian ones are vowels. `language: auto` takes the formulas of the script of most
    letters, Latin for English. A text without words or without a formula (Chinese, Arabic) is
    missing. Several outputs of a sample are averaged; the value is the mean over samples.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("Мама мыла раму. Потом она долго отдыхала.",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> [round(score.value, 2) for score in result.scores]
    [64.91, 5.36, -4.4, 0.05, -0.55]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import mean
from metrics.text.passages import spans
from metrics.text.scripts import main_script
from metrics.text.syllables import of_english, of_russian

NO_FORMULA, NO_WORDS = 1, 2  # flags
BATCH = 2_000_000  # characters: memory stays bounded
SHORTEST = 3  # words of a sentence that counts

# Russian abbreviations: in front of names and numbers ("г. Москва", yet "в 1999 г. Он"), in front
# of numbers, and those that end a sentence only where a capital letter follows
_BEFORE_NAMES = (
    "г|им|ул|пл|просп|пер|наб|бул|обл|респ|корп|кв|стр|рис|табл|гл|проф|акад|доц|тов|св|ст|изд|"
    "ред|напр|см|ср|гр|гн"
)
_BEFORE_SMALL = r"гг?|вв?|тыс|млн|млрд|трлн|руб|коп|долл|чел|экз|мин|сек|др|пр|т\.\s?[дп]|н\.\s?э"
_WITHIN = re.compile(
    rf"(?<![^\W_])(?:"
    rf"[А-ЯЁ]\.|т\.\s?[екно]\.|(?<!\d)(?<!\d\s)(?:{_BEFORE_NAMES})\.(?=\s*\w)|д\.(?=\s*\d)|"
    rf"(?:{_BEFORE_SMALL})\.(?=\s*[а-яёa-z\d,;:)»–—-]))"
)

_DROPPED = re.compile(r"[^\w\s'.!?]|'(?![tsd]|ve|ll|re)")  # punctuation inside of sentences
_ENDS = re.compile("[.!?]+")
_APOSTROPHE = re.compile("'(?![tsd]|ve|ll|re)")
_ASCII = bytes(range(128))
_LOWER = bytes(range(256)).lower()
_DELETED = bytes(code for code in _ASCII if _DROPPED.match(chr(code)) and chr(code) != "'")
_NO_LETTERS = bytes(code for code in _ASCII if re.match(r"\W", chr(code)))
_SPACES = bytes(code for code in _ASCII if chr(code).isspace())
_NO_LETTER = re.compile(r"\W+")
_LETTER = re.compile("[A-Za-z]")
_SCRIPTS = {"LATIN": "en", "CYRILLIC": "ru"}
_SYLLABLES = {"en": of_english, "ru": of_russian}
MANY = {"en": 3, "ru": 5}  # syllables
ONE_OF_MANY = 1 << 32  # more than a text has syllables
_EASE = {"en": (1.015, 84.6), "ru": (1.3, 60.1)}
_GRADE = {"en": (0.39, 11.8), "ru": (0.5, 8.4)}


class ReadabilityParams(Params):
    """Whose formula it is."""

    language: Literal["auto", "en", "ru"] = Field(
        "auto",
        description="of the formula; `auto`: by the output's script. Other scripts are missing",
    )


def measure(items: Sequence[Item], params: ReadabilityParams, models: Models) -> Evidence:
    """Rows (a value for each score, 1); zeros where there is none."""
    texts = [item.output for item in items]
    heard: dict[str, dict[str, int]] = {language: {} for language in MANY}
    rows: list[tuple[float, ...]] = []
    flags: list[int] = []
    for low, high in spans(np.array([len(text) + 1 for text in texts], np.int64), BATCH):
        read = [_read(text, params) for text in texts[low:high]]
        for language, known in heard.items():
            _hear([one.words for one in read if one.language == language], language, known)
        rows += [_row(one, heard) for one in read]
        flags += [one.flag for one in read]
    return Evidence.of_rows(np.array(rows).reshape(-1, 6), flags)


class Read(NamedTuple):
    """What a text's values are made of, but for its syllables; `language`: of its formula."""

    text: str
    words: list[str]
    sentences: int
    language: str
    flag: int


def _read(text: str, params: ReadabilityParams) -> Read:
    language = _language(text)
    words, sentences = counted(text, russian=language == "ru")
    if not words or not language or params.language not in {"auto", language}:
        return Read(text, words, sentences, "", NO_FORMULA if words else NO_WORDS)
    return Read(text, words, sentences, language, 0)


def _row(read: Read, heard: Mapping[str, Mapping[str, int]]) -> tuple[float, ...]:
    if read.flag:
        return (0.0,) * 6
    words, language = len(read.words), read.language
    many, syllables = divmod(sum(map(heard[language].__getitem__, read.words)), ONE_OF_MANY)
    letters, characters = _sizes(read.text)
    return (
        *_flesch(words, read.sentences, syllables, language),
        *_grades(words, read.sentences, many, letters, characters, language),
        1,
    )


def _hear(texts: Sequence[list[str]], language: str, known: dict[str, int]) -> None:
    """Adds the syllables of all words; of one of many, ONE_OF_MANY more: a sum tells both."""
    new = set(chain.from_iterable(texts)).difference(known)
    many = MANY[language]
    for word, count in _SYLLABLES[language](new).items():
        known[word] = count + ONE_OF_MANY * (count >= many)


def _sizes(text: str) -> tuple[int, float]:
    """Letters, digits and underscores; characters a piece between white space."""
    pieces = text.split()  # lone punctuation is one
    if not text.isascii():
        return len(_NO_LETTER.sub("", text)), sum(map(len, pieces)) / len(pieces)
    data = text.encode()
    return len(data.translate(None, _NO_LETTERS)), len(data.translate(None, _SPACES)) / len(pieces)


def counted(text: str, russian: bool = False) -> tuple[list[str], int]:
    """The words of a text in lower case, and how many sentences it has, at least 1.

    russian  full stops of Russian abbreviations end none
    """
    if russian:
        text = _WITHIN.sub(lambda found: found[0].replace(".", ""), text)
    parts = _ENDS.split(_plain(text))
    cut = [part.split() for part in parts]
    sentences = sum([len(words) >= SHORTEST for words in cut])
    if all(part[:1].isspace() for part in parts[1:] if part):
        return list(chain.from_iterable(cut)), max(1, sentences)
    return "".join(parts).split(), max(1, sentences)  # 3.5 is 35


def _plain(text: str) -> str:
    """In lower case, without punctuation inside of sentences."""
    if not text.isascii():
        return _DROPPED.sub("", text).lower()
    if "'" in text:
        text = _APOSTROPHE.sub("", text)
    return text.encode().translate(_LOWER, _DELETED).decode()


def _language(text: str) -> str:
    """Whose formula the text's script has; empty for none."""
    if text.isascii():
        return "en" if _LETTER.search(text) else ""
    return _SCRIPTS.get(main_script([text]) or "", "")


def _flesch(words: int, sentences: int, syllables: int, language: str) -> tuple[float, float]:
    length, weight = words / sentences, syllables / words
    ease, grade = _EASE[language], _GRADE[language]
    return (
        206.835 - ease[0] * length - ease[1] * weight,
        grade[0] * length + grade[1] * weight - 15.59,
    )


def _grades(
    words: int, sentences: int, many: int, letters: int, characters: float, language: str
) -> tuple[float, float, float]:
    """Coleman-Liau, SMOG and ARI; factors and sums in textstat's order."""
    length = words / sentences
    letters_, sentences_ = letters / words * 100, sentences / words * 100
    if language == "en":
        return (
            0.058 * letters_ - 0.296 * sentences_ - 15.8,
            1.043 * (30 * (many / sentences)) ** 0.5 + 3.1291,
            4.71 * characters + 0.5 * length - 21.43,
        )
    return (
        0.055 * letters_ - 0.35 * sentences_ - 20.33,
        1.1 * (64.6 * (many / sentences)) ** 0.5 + 0.05,
        6.26 * (letters / words) + 0.2805 * length - 31.04,
    )


METRIC = Metric(
    name="readability",
    version=3,
    about="How easy the output is to read, by the lengths of its sentences and words.",
    formula="flesch_reading_ease = 206.835 − 1.015 w − 84.6 s, flesch_kincaid_grade = 0.39 w + "
    "11.8 s − 15.59, of w words a sentence and s syllables a word; Russian: 206.835 − 1.3 w − "
    "60.1 s, 0.5 w + 8.4 s − 15.59. Coleman–Liau, SMOG and ARI, too, with each language's factors",
    avoid="Quality: nonsense of short words reads easily. Lists and code have no sentences; other "
    "languages in Latin script get the English formula unless left out, and English abbreviations "
    "end a sentence.",
    params=ReadabilityParams,
    reads=("output",),
    needs=("output",),
    scores=(
        Score("flesch_reading_ease", True, low=float("-inf"), about="about 0 to 100 (easiest)"),
        *(
            Score(name, False, low=float("-inf"), about="years of school")
            for name in (
                "flesch_kincaid_grade",
                "coleman_liau_index",
                "smog_index",
                "automated_readability_index",
            )
        ),
    ),
    interval="bootstrap_t",
    pooling="average",
    source=Source(
        paper="Flesch 1948; Kincaid et al. 1975; Coleman and Liau 1975; McLaughlin 1969 (SMOG); "
        "Senter and Smith 1967 (ARI); Оборнева 2006, Автоматизированная оценка сложности учебных "
        "текстов; Бегтин, https://github.com/infoculture/plainrussian",
        reference="textstat 0.7.13, for English words of the CMU dictionary",
    ),
    measure=measure,
    reduce=mean,
    flags={
        NO_FORMULA: Flag("most letters are of a script without a formula here", missing=True),
        NO_WORDS: Flag("no words", missing=True),
    },
    independent=True,
)
