"""METEOR, GLEU and self-BLEU against NLTK, MATTR against a loop: news segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.comparing import QUICK, ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, english, news, summaries
from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    count = max(2, int(2000 * scale))
    yield _meteor(count)
    yield _gleu(count)
    yield _vocabulary(count)
    yield _self_bleu(max(40, int(1000 * scale)))


def _meteor(count: int) -> Row:
    inputs = [english(count, seed) for seed in range(QUICK)]
    params = {"tokenizer": "whitespace", "language": "english"}

    def ours(pairs: Pairs) -> Floats:
        return rows_of(find("meteor").bind(params), pairs.samples)[:, 0]

    ours(english(2000, 9))  # a worker reads the table once, and knows the stems of common words
    found = in_turns(inputs, ours, _nltk_meteor)
    difference = max(furthest(a, b) for a, b in found.results)
    return ratio(
        f"METEOR, {count} segments, a warm worker, against NLTK given our table",
        found,
        5.0,
        f"every value, largest difference {difference:.1g}",
        agrees=difference == 0,
    )


@dataclass(frozen=True)
class Synset:
    """A synset of one word, as NLTK asks for it."""

    word: str

    def lemmas(self) -> list[Synset]:
        return [self]

    def name(self) -> str:
        return self.word


class WordNet:
    """Our synonyms: faster than NLTK's own reader, which wants files that no package has."""

    def synsets(self, word: str) -> list[Synset]:
        from metrics.text.wordnet import _found

        return [Synset(one) for one in _found.__wrapped__(word)]  # NLTK's remembers none


def _nltk_meteor(pairs: Pairs) -> list[float]:
    from nltk.translate.meteor_score import meteor_score

    return [
        meteor_score([reference.split()], output.split(), wordnet=WordNet())
        for output, reference in zip(pairs.outputs, pairs.references, strict=True)
    ]


def _gleu(count: int) -> Row:
    inputs = [news(count, seed) for seed in range(ROUNDS)]

    def ours(pairs: Pairs) -> Floats:
        rows = rows_of(find("gleu").bind({"tokenizer": "whitespace"}), pairs.samples)
        return rows[:, 0] / rows[:, 1]

    found = in_turns(inputs, ours, _nltk_gleu)
    difference = max(furthest(a, b) for a, b in found.results)
    agreement = f"every value, largest difference {difference:.1g}"
    what = f"GLEU, {count} segments, against NLTK"
    return ratio(what, found, 5.0, agreement, agrees=difference == 0)


def _nltk_gleu(pairs: Pairs) -> list[float]:
    from nltk.translate.gleu_score import sentence_gleu

    return [
        sentence_gleu([reference.split()], output.split())
        for output, reference in zip(pairs.outputs, pairs.references, strict=True)
    ]


def _vocabulary(count: int) -> Row:
    made = [summaries(count, seed).outputs for seed in range(ROUNDS)]  # ten make a text
    inputs = [[" ".join(texts[at : at + 10]) for at in range(0, count, 10)] for texts in made]
    params = {"tokenizer": "whitespace", "lowercase": False}

    def ours(texts: list[str]) -> Floats:
        samples = [Sample(str(at), (text,)) for at, text in enumerate(texts)]
        return rows_of(find("vocabulary").bind(params), samples)[:, 1]

    found = in_turns(inputs, ours, lambda texts: list(map(_mattr, texts)))
    difference = max(furthest(a, b) for a, b in found.results)
    agreement = f"every value, largest difference {difference:.1g}"
    what = f"MATTR, {len(inputs[0])} texts of 700 words, against a loop over windows"
    return ratio(what, found, 5.0, agreement, agrees=difference < 1e-13)


def _mattr(text: str, window: int = 50) -> float:
    """As it is written everywhere."""
    words = text.split()
    width = min(window, len(words))
    windows = [words[at : at + width] for at in range(len(words) - width + 1)]
    return sum(len(set(one)) / len(one) for one in windows) / len(windows)


def _self_bleu(count: int) -> Row:
    """NLTK scores every twentieth text: all of a thousand take it a minute."""
    inputs = [news(count, seed).outputs for seed in range(ROUNDS)]
    metric = find("self_bleu").bind({"tokenizer": "whitespace"})

    def ours(texts: list[str]) -> Floats:
        return rows_of(metric, [Sample(str(at), (text,)) for at, text in enumerate(texts)])[::20, 0]

    found = in_turns(inputs, ours, _nltk_self_bleu)
    difference = max(furthest(a, b) for a, b in found.results)
    agreement = f"every twentieth value, largest difference {difference:.1g}"
    what = f"self-BLEU, {count} texts, against NLTK (a twentieth of them, times 20)"
    whole = replace(found, theirs=20 * found.theirs)
    return ratio(what, whole, 300.0, agreement, agrees=difference == 0)


def _nltk_self_bleu(texts: list[str]) -> list[float]:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    tokens, smooth = [text.split() for text in texts], SmoothingFunction().method1
    return [
        sentence_bleu(tokens[:at] + tokens[at + 1 :], tokens[at], smoothing_function=smooth)
        for at in range(0, len(tokens), 20)
    ]
