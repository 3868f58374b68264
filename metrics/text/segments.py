"""Sentences by rules of the text's language: razdel's for Russian, sentencex's elsewhere."""

from __future__ import annotations

from collections import Counter

from metrics.text.scripts import count_letters

# languages whose rules stand for a script; where it tells no language, English's do
_LANGUAGES = {
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "ARABIC": "ar",
    "HEBREW": "he",
    "GREEK": "el",
    "DEVANAGARI": "hi",
    "ARMENIAN": "hy",
}
LONGEST = 20_000  # characters that razdel reads at a time: its rules look back


def sentences_of(text: str) -> list[str]:
    """Sentences that hold a letter or digit, in order, without white space around them.

    The rules are those of the script that most of the text's letters are of.
    """
    letters = count_letters([text])
    found = _russian(text) if _main(letters) == "CYRILLIC" else _other(text, letters)
    stripped = (sentence.strip() for sentence in found)
    return [sentence for sentence in stripped if any(map(str.isalnum, sentence))]


def _main(letters: Counter[str]) -> str | None:
    return max(letters, key=lambda script: letters[script]) if letters else None


def _russian(text: str) -> list[str]:
    from razdel import sentenize

    parts = [
        line[start : start + LONGEST]
        for line in text.split("\n")
        for start in range(0, len(line), LONGEST)
    ]
    return [sentence.text for part in parts for sentence in sentenize(part)]


def _other(text: str, letters: Counter[str]) -> list[str]:
    from sentencex import segment

    japanese = letters["HIRAGANA"] + letters["KATAKANA"] > 0 and letters["LATIN"] == 0
    language = "ja" if japanese else _LANGUAGES.get(_main(letters) or "", "en")
    return [sentence for line in text.split("\n") for sentence in segment(language, line)]
