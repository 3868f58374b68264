# needs: rouge-score==0.1.2
# needs: rouge-score-rs==0.2.1
# needs: snowballstemmer==3.1.1
"""ROUGE of rouge-score; words of other scripts are cut and stemmed for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, average
from metrics.text.sentences import split_sentences


class Words:
    """Words of any script, and their Snowball stems."""

    def __init__(self, language: str) -> None:
        import snowballstemmer
        from rouge_score_rs.tokenizers import UnicodeTokenizer

        self.words: Any = UnicodeTokenizer()
        self.stemmer = None if language == "none" else snowballstemmer.stemmer(language)

    def tokenize(self, text: str) -> list[str]:
        """The words or stems, in order."""
        found: list[str] = self.words.tokenize(text)
        if self.stemmer is None:
            return found
        return [self.stemmer.stemWord(word) if len(word) > 3 else word for word in found]


def rouge(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """F-measures, of each score with the best reference."""
    from rouge_score.rouge_scorer import RougeScorer

    names = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    own = params["tokenizer"] == "rouge_score"
    scorer = RougeScorer(
        names,
        use_stemmer=params["stemmer"] and own,
        tokenizer=None if own else Words(params["language"]),
    )

    def lines(text: str) -> str:
        whole = params["sentences"] == "newline"
        whole |= params["sentences"] == "auto" and "\n" in text.strip()
        return text if whole else "\n".join(split_sentences(text))

    def f(name: str, output: str, sample: Sample) -> float:
        given = [lines(reference) for reference in sample["references"]]
        return float(scorer.score_multi(given, lines(output))[name].fmeasure)

    return {
        name: average(samples, lambda output, sample, name=name: f(name, output, sample))  # type: ignore[misc]
        for name in names
    }
