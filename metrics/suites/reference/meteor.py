# needs: nltk==3.10.4
# needs: regex
# needs: snowballstemmer==3.1.1
"""METEOR of NLTK; in English with WordNet, which NLTK downloads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, average
from metrics.text.tokens import cutter


class Stems:
    """Snowball's stems, or words as they are."""

    def __init__(self, language: str) -> None:
        import snowballstemmer

        self.stemmer = None if language == "none" else snowballstemmer.stemmer(language)

    def stem(self, word: str) -> str:
        """The stem."""
        return word if self.stemmer is None else str(self.stemmer.stemWord(word))


class NoSynonyms:
    """A WordNet without words."""

    def synsets(self, word: str) -> list[Any]:
        """None."""
        return []


def words_of_wordnet() -> Any:
    """NLTK's WordNet, downloaded where it is not there. Raises RuntimeError where it cannot be."""
    import nltk
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
        return wordnet
    except LookupError:
        nltk.download("wordnet", quiet=True, print_error_to=io.StringIO())
    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise RuntimeError(
            "NLTK's WordNet is not on this machine, and cannot be downloaded: unpack wordnet.zip "
            "of nltk_data into the folder corpora of a folder that NLTK_DATA names"
        ) from None
    return wordnet


def meteor(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """METEOR with the best reference."""
    from nltk.stem.porter import PorterStemmer
    from nltk.translate.meteor_score import meteor_score

    synonyms: Any = words_of_wordnet() if params["synonyms"] else NoSynonyms()
    english = params["language"] == "english"
    stemmer = PorterStemmer() if english else Stems(params["language"])
    cut = cutter(params["tokenizer"], True)
    weights = {name: params[name] for name in ("alpha", "beta", "gamma")}

    def value(output: str, sample: Sample) -> float | None:
        given = [words for words in map(cut, sample["references"]) if words]
        if not given:
            return None
        found = meteor_score(given, cut(output), stemmer=stemmer, wordnet=synonyms, **weights)
        return float(found)

    return {"meteor": average(samples, value)}
