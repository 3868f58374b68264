"""ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum: n-grams and subsequences shared with a reference.

Conventions
  The numbers are rouge-score 0.1.2's F-measures, 0 to 1, higher is better; the value of a set is
  their mean (`evaluate` reports the median of an unseeded bootstrap instead). A sample's row is
      rouge1, rouge2, rougeL, rougeLsum, 1
  Several references: of each score the best. Several outputs of a sample are averaged. An empty
  output or reference scores 0.

  tokenizer   "rouge_score" keeps a-z and 0-9 only, so Russian equal to its reference scores 0.
              "unicode" keeps words of every script. "auto" takes "rouge_score" where at least
              half of the letters of the set's references are Latin.
  stemmer     with "rouge_score" NLTK's Porter stemmer, English alone; with "unicode" the Snowball
              stemmer of `language`, which "auto" takes from the references' script.
  sentences   what ROUGE-Lsum compares: lines ("newline", as rouge-score does; ROUGE-L's value if
              there is but one), sentences by a rule ("split"), or the latter for texts without
              a newline only ("auto").

Lin: ROUGE (2004). Computed by rouge-score-rs, which equals rouge-score to the bit.

Example
  >>> from metrics.core.run import score
  >>> sample = Sample("1", outputs=("мама мыла раму",), references=("Раму мыла мама.",))
  >>> (result,) = score([sample], [METRIC.bind()])
  >>> {found.name: round(found.value, 3) for found in result.scores}
  {'rouge1': 1.0, 'rouge2': 0.0, 'rougeL': 0.333, 'rougeLsum': 0.333}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Sample, Score, Source
from metrics.core.rows import Floats, mean
from metrics.text.passages import Passages, batches, passages
from metrics.text.scripts import main_script, mostly_latin
from metrics.text.sentences import split_sentences
from metrics.text.words import LANGUAGE_OF_SCRIPT, Stemmer, Tokenizer, languages, unicode_words

NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
NO_LANGUAGE = "none"


class RougeParams(Params):
    """What the data decides ("auto") is settled for the whole set and stands in the signature."""

    stemmer: bool = False
    tokenizer: Literal["auto", "rouge_score", "unicode"] = "auto"
    language: str = Field("auto", description="of the stemmer: a Snowball language, or none")
    sentences: Literal["newline", "split", "auto"] = Field(
        "newline", description="what ROUGE-Lsum compares: lines, sentences, or whichever there are"
    )

    @field_validator("language")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("auto", NO_LANGUAGE) and value not in languages():
            raise ValueError(f"no stemmer for {value!r}; known: {', '.join(languages())}")
        return value

    @model_validator(mode="after")
    def _english_only(self) -> RougeParams:
        english = self.language in ("auto", "english", NO_LANGUAGE)
        if self.stemmer and self.tokenizer == "rouge_score" and not english:
            raise ValueError(
                f"tokenizer rouge_score stems English only, not {self.language}: use unicode"
            )
        return self


# flags of items whose references are mostly not seen, or have no word at all
FOREIGN, NO_WORD = 1, 2
DROPPED = 0.5  # share of a reference's letters from which on it is mostly not seen
LETTER = re.compile(r"[^\W\d_]")
KNOWN = re.compile(r"[a-zA-Z]")  # the letters that rouge-score's tokenizer keeps
WORD = re.compile(r"[^\W_]")  # what any tokenizer keeps


def resolve(params: RougeParams, samples: Sequence[Sample]) -> RougeParams:
    """Tokenizer and language as the references of the whole set suggest."""
    references = [reference for sample in samples for reference in sample.references]
    tokenizer, language = params.tokenizer, params.language
    if tokenizer == "auto":
        foreign = params.stemmer and language not in ("auto", "english", NO_LANGUAGE)
        latin = not foreign and mostly_latin(references)
        tokenizer = "rouge_score" if latin else "unicode"
    if not params.stemmer:
        language = NO_LANGUAGE
    elif tokenizer == "rouge_score":
        language = "english"
    elif language == "auto":
        language = LANGUAGE_OF_SCRIPT.get(main_script(references) or "", NO_LANGUAGE)
    return params.model_copy(update={"tokenizer": tokenizer, "language": language})


def measure(items: Sequence[Item], params: RougeParams, models: Models) -> Evidence:
    """Rows (n_items, 5), of parameters that have been through `resolve`."""
    if "auto" in (params.tokenizer, params.language):
        raise ValueError("rouge: resolve the parameters before measuring")
    rows = [_rows(passages(batch), params) for batch in batches(items, characters=2_000_000)]
    flags = [_flag(item, params) for item in items]
    return Evidence.of_rows(np.concatenate(rows) if rows else np.zeros((0, len(NAMES) + 1)), flags)


def _foreign(item: Item, params: RougeParams) -> bool:
    """Whether rouge-score's tokenizer drops much of every reference, a number in it or not."""
    return params.tokenizer == "rouge_score" and all(map(_dropped, item.references))


def _dropped(text: str) -> bool:
    """Whether rouge-score's tokenizer drops at least half of the letters."""
    if text.isascii():
        return False
    letters = len(LETTER.findall(text))
    return letters > 0 and letters - len(KNOWN.findall(text)) >= DROPPED * letters


def _flag(item: Item, params: RougeParams) -> int:
    if not any(WORD.search(reference) for reference in item.references):
        return NO_WORD
    return FOREIGN * _foreign(item, params)


def _rows(compared: Passages, params: RougeParams) -> Floats:
    from rouge_score_rs import RougeScorer

    texts = [_lines(text, params) for text in compared.texts]
    outputs = compared.outputs[compared.owner]  # one for each reference
    # of texts of one line each ROUGE-Lsum is ROUGE-L, and need not be computed
    names = NAMES if any("\n" in text for text in texts) else NAMES[:3]
    build: Any = RougeScorer  # untyped
    scorer = build(
        list(names),
        use_stemmer=params.stemmer and params.tokenizer == "rouge_score",
        tokenizer=_tokenizer(params),
    )
    scores = scorer.score_batch(
        [texts[index] for index in compared.references], [texts[index] for index in outputs]
    )
    measured = (score[name].fmeasure for score in scores for name in names)
    f = np.fromiter(measured, np.float64).reshape(-1, len(names))
    best = np.maximum.reduceat(f, compared.first, axis=0)
    return np.column_stack([best[:, :3], best[:, -1], np.ones(len(best))])


def _lines(text: str, params: RougeParams) -> str:
    """`text` with a newline between the sentences that ROUGE-Lsum is to see."""
    if params.sentences == "newline":
        return text
    if params.sentences == "auto" and "\n" in text.strip():
        return text
    return "\n".join(split_sentences(text))


class StemmedWords:
    """Unicode words, stemmed."""

    def __init__(self, language: str) -> None:
        self._stemmer = Stemmer(language)

    def tokenize(self, text: str) -> list[str]:
        """Stems of the words, in order."""
        return list(self._stemmer.stems(unicode_words(text)))


def _tokenizer(params: RougeParams) -> Tokenizer | None:
    """None: rouge-score's own."""
    if params.tokenizer == "rouge_score":
        return None
    if params.stemmer and params.language != NO_LANGUAGE:
        return StemmedWords(params.language)
    from rouge_score_rs.tokenizers import UnicodeTokenizer

    native: Tokenizer = UnicodeTokenizer()
    return native


def libraries(params: RougeParams) -> tuple[str, ...]:
    """The distributions whose version can change a number."""
    snowball = params.stemmer and params.tokenizer == "unicode"
    return ("rouge-score-rs", "snowballstemmer") if snowball else ("rouge-score-rs",)


METRIC = Metric(
    name="rouge",
    version=1,
    about="N-grams and longest common subsequences shared with a reference, as F-measures.",
    formula=(
        "F1 of shared 1-grams and 2-grams (rouge1, rouge2), of the longest common subsequence "
        "(rougeL, rougeLsum)"
    ),
    avoid=(
        "Facts and fluency: words count, in whatever order (rouge1). Abstractive answers "
        "score low though they are right."
    ),
    params=RougeParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=tuple(Score(n, higher_is_better=True, low=0, high=1) for n in NAMES),
    interval="bootstrap_t",
    pooling="average",
    source=Source(
        paper="Lin 2004, https://aclanthology.org/W04-1013",
        reference="rouge-score 0.1.2",
    ),
    measure=measure,
    reduce=mean,
    libraries=libraries,
    resolve=resolve,
    flags={
        FOREIGN: Flag(
            "at least half of the letters of every reference are not Latin (a to z), and "
            "rouge-score's tokenizer drops them, so the score is of the rest; use tokenizer: "
            "unicode",
            missing=False,
        ),
        NO_WORD: Flag(
            "no reference has a letter or digit, so there is no word to compare and the score is 0",
            missing=False,
        ),
    },
)
