"""METEOR: words of a reference that the output has too, as they are, by stem, or by a synonym.

Conventions
    The numbers are NLTK 3.10's, to the bit, of the same words: `tokenizer: whitespace` for texts
    that are tokenized already. Precision P and recall R of matched words give F = PR / (αP +
    (1 − α)R); words that stand in other orders cost γ (chunks / matches)^β of it. 0 to 1, higher is
    better. Several references: the best. Several outputs of a sample are averaged; the value is the
    mean over samples. An output without words scores 0. References without words: the sample counts
    as missing.

    tokenizer  `words` drops punctuation, and takes Han, kana and emoji one by one; all is
               lower-cased.
    language   `english` has NLTK's Porter stems and WordNet 3.0's synonyms; others have Snowball
               stems alone, `none` has words as they are. `auto` takes it from the references'
               script: Cyrillic is `russian`, Latin `english`; Chinese is `none`.
    synonyms   false: stems alone, under a signature of its own, as in all languages but English.

Banerjee, Lavie: METEOR (2005); Lavie, Agarwal (2007). Not METEOR 1.5, which weighs function words
and knows paraphrases.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("She bought cars.",), references=("She buys an automobile.",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> round(result.scores[0].value, 4)
    0.4808
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache
from itertools import chain
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from inference.protocol import Models
from metrics.core.evidence import Column, Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Sample, Score, Source
from metrics.core.rows import Floats, Ints, mean
from metrics.text.matching import align, chunks
from metrics.text.ngrams import numbered
from metrics.text.passages import spans
from metrics.text.scripts import main_script
from metrics.text.tokens import cutter
from metrics.text.words import LANGUAGE_OF_SCRIPT, languages, porter_stem

BATCH = 100_000  # characters at a time: what they are made into stays in the cache
NO_LANGUAGE = "none"
NO_WORDS = 1  # the flag of an item whose references have no words


class MeteorParams(Params):
    """Names and defaults of the three weights are NLTK's; "auto" is settled for the whole set."""

    tokenizer: Literal["words", "whitespace"] = "words"
    language: str = Field("auto", description="of the stems: english, a Snowball language, or none")
    synonyms: bool = Field(True, description="WordNet's, in English alone")
    alpha: float = Field(0.9, ge=0, le=1, description="weight of recall against precision")
    beta: float = Field(3.0, ge=0, le=100, description="how steeply disorder is punished")
    gamma: float = Field(0.5, ge=0, le=1, description="the most that disorder costs")

    @field_validator("language")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("auto", NO_LANGUAGE) and value not in languages():
            raise ValueError(f"no stemmer for {value!r}; known: {', '.join(languages())}")
        return value


def resolve(params: MeteorParams, samples: Sequence[Sample]) -> MeteorParams:
    """The language that the references of the whole set suggest; synonyms in English alone."""
    language = params.language
    if language == "auto":
        script = main_script(reference for sample in samples for reference in sample.references)
        language = LANGUAGE_OF_SCRIPT.get(script or "", NO_LANGUAGE)
    synonyms = params.synonyms and language == "english"
    return params.model_copy(update={"language": language, "synonyms": synonyms})


def measure(items: Sequence[Item], params: MeteorParams, models: Models) -> Evidence:
    """Rows (n_items, 2): METEOR, 1; of parameters that have been through `resolve`."""
    if params.language == "auto":
        raise ValueError("meteor: resolve the parameters before measuring")
    cut = cutter(params.tokenizer, lowercase=True)
    stem = cache(_stemmer(params.language))  # of this batch: Snowball's are not for two threads
    synonyms = _synonyms() if params.synonyms else None
    pairs = [(item.output, reference) for item in items for reference in item.references]
    counts = np.array([len(item.references) for item in items], np.int64)
    owner = np.repeat(np.arange(len(items)), counts)
    sizes = np.array([len(output) + len(reference) + 1 for output, reference in pairs], np.int64)
    values, flags = np.zeros(len(items)), np.full(len(items), NO_WORDS, np.uint8)
    for low, high in spans(sizes, BATCH):
        texts, vocabulary = _texts(pairs[low:high], cut)
        found = _meteor(texts, align(texts, vocabulary, stem, synonyms), params)
        np.maximum.at(values, owner[low:high], found)
        flags[owner[low:high][texts.sizes[high - low :] > 0]] = 0
    return Evidence.of_rows(np.column_stack([values, np.ones(len(items))]), flags.tolist())


def _texts(
    pairs: Sequence[tuple[str, str]], cut: Callable[[str], Sequence[str]]
) -> tuple[Column, list[str]]:
    """Outputs and, behind them, their references as numbers of words; and the words."""
    index: dict[str, int] = {}
    sides = chain.from_iterable(zip(*pairs, strict=True))
    chosen = np.array([index.setdefault(text, len(index)) for text in sides], np.int64)
    tokens = list(map(cut, index))
    words, vocabulary = numbered(chain.from_iterable(tokens))
    texts = Column(words, np.array(list(map(len, tokens)), np.int64))
    return texts.take(chosen), vocabulary


def _meteor(texts: Column, matches: Ints, params: MeteorParams) -> Floats:
    """(n_pairs,) the score of each output and its reference."""
    matched, runs = chunks(texts, matches)
    some = matched > 0
    outputs, references = np.split(texts.sizes, 2)
    precision, recall = (matched[some] / sizes[some] for sizes in (outputs, references))
    f = precision * recall / (params.alpha * precision + (1 - params.alpha) * recall)
    parts = (runs[some] / matched[some]).tolist()
    disorder = [part**params.beta for part in parts]  # NumPy's powers differ in the last digit
    values = np.zeros(len(matched))
    values[some] = (1 - params.gamma * np.array(disorder)) * f
    return values


def _stemmer(language: str) -> Callable[[str], str]:
    if language == NO_LANGUAGE:
        return str
    if language == "english":
        return porter_stem
    import snowballstemmer

    snowball: Callable[[str], str] = snowballstemmer.stemmer(language).stemWord
    return snowball


def _synonyms() -> Callable[[str], Collection[str]]:
    from metrics.text.wordnet import synonyms

    return synonyms


def libraries(params: MeteorParams) -> tuple[str, ...]:
    """The distributions whose version can change a number."""
    stems = {"english": ("nltk",), NO_LANGUAGE: ()}.get(params.language, ("snowballstemmer",))
    return ("regex", *stems) if params.tokenizer == "words" else stems


METRIC = Metric(
    name="meteor",
    version=1,
    about="Words shared with a reference, by form, stem or synonym, less for words out of order.",
    formula="F · (1 − 0.5 (chunks / matches)³), F = PR / (0.9 P + 0.1 R) of matched words",
    avoid=(
        "Comparing languages: only English has synonyms. Open-ended answers; facts (a negation "
        "costs one word)."
    ),
    params=MeteorParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(Score("meteor", higher_is_better=True, low=0, high=1),),
    interval="bootstrap_t",
    pooling="average",
    source=Source(
        paper="Banerjee and Lavie 2005, https://aclanthology.org/W05-0909",
        reference="NLTK 3.10.4, with WordNet 3.0",
    ),
    measure=measure,
    reduce=mean,
    libraries=libraries,
    resolve=resolve,
    flags={
        NO_WORDS: Flag("the references have no words that METEOR could match", missing=True),
    },
)
