"""Rows of metrics that run models, as two equal systems on the same samples would have them.

Each is of what makes its interval another one: ratios of sums, means within bounds, and what hangs
on the whole set. moverscore, bleurt and others that are a plain mean of values without bounds are
of the kind `means`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from benchmarks.statistics_data import TOPICS, Generator, features, of_features
from benchmarks.texts import english
from inference.protocol import NoModels
from metrics import find
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, Sample
from metrics.core.rows import Floats, Settled

Pair = tuple[Settled, Settled]
MANY = 5000  # sentences of the population
VENDI = find("vendi").bind()
NGRAMS = find("vendi").bind({"similarity": "ngrams"})
FRECHET = find("frechet").bind()
LEARNT = find("prequential_code_length").bind({"width": 32, "epochs": 2})


@dataclass(frozen=True, slots=True)
class Source:
    """Two equal systems on n new samples; `scores` of the metric that vary, None: all.

    sizes  numbers of samples that are simulated, and how many times fewer data sets of them
    """

    name: str
    metric: BoundMetric
    draw: Callable[[Generator, int], Pair]
    scores: int | None = None
    sizes: Mapping[int, int] = field(default_factory=lambda: {20: 1, 50: 1, 200: 1, 1000: 1})

    def reduce(self, sums: Floats) -> Floats:
        """The scores that vary."""
        return self.metric.reduce(sums)[..., : self.scores]

    def bounds(self, sums: Floats) -> tuple[Floats, Floats]:
        """Their ranges."""
        low, high = self.metric.bounds(sums)
        return low[: self.scores], high[: self.scores]


def _pair(one: Callable[[], Floats]) -> Pair:
    return Settled(one()), Settled(one())


def _lengths(rng: Generator, n: int) -> Floats:
    return rng.integers(5, 60, n).astype(np.float64)


def compression(rng: Generator, n: int) -> Pair:
    """Bits by how hard a text is: of a coder that ends with a word of 32, and of three packers."""
    tokens, hard = _lengths(rng, n), rng.gamma(9.0, 1 / 3, n)

    def one() -> Floats:
        size = 4 * tokens
        ideal = tokens * hard * rng.gamma(50.0, 1 / 50, n)
        code = 32 * np.ceil(ideal / 32)
        others = [100 + size * share * rng.normal(1, 0.05, n) for share in (4.5, 5.0, 4.8)]
        return np.column_stack([code, ideal, size, *others])

    return _pair(one)


def multi_token(rng: Generator, n: int) -> Pair:
    """Sums of two distances; drafts are right where a text is easy."""
    tokens, ease = rng.integers(5, 60, n), rng.beta(6.0, 3.0, n)

    def one() -> Floats:
        parts = []
        for ahead in (1.0, 1.6):
            agree = rng.binomial(tokens, ease)
            nll = tokens * ahead * 3 * (1 - ease) * rng.gamma(20.0, 1 / 20, n)
            both = tokens * ease * rng.beta(40.0, 6.0, n)
            parts += [nll, tokens, agree, both, agree]
        return np.column_stack(parts).astype(np.float64)

    return _pair(one)


def attention(rng: Generator, n: int) -> Pair:
    """Differences with a heavy tail, seconds of a busy machine."""
    tokens = _lengths(rng, n)

    def one() -> Floats:
        busy = rng.gamma(4.0, 1 / 4, (2, n))
        times = [0.01 + 1e-3 * tokens * busy[0], 0.01 + 5e-4 * tokens * busy[1]]
        peaks = [1e4 * tokens**2, 1e5 * tokens]
        fixed = [one * tokens for one in (160.0, 320.0, 640.0)]
        gaps = rng.lognormal(-13, 0.7, n)
        return np.column_stack([gaps, *times, *peaks, *fixed, tokens, np.ones(n)])

    return _pair(one)


def ifeval(rng: Generator, n: int) -> Pair:
    """One to three instructions a prompt, of prompts that are hard or easy."""
    count, ease = rng.integers(1, 4, n), rng.beta(4.0, 1.5, n)

    def one() -> Floats:
        strict = rng.binomial(count, ease)
        loose = strict + rng.binomial(count - strict, 0.2)
        whole = [one == count for one in (strict, loose)]
        return np.column_stack([*whole, strict, loose, count, np.ones(n)]).astype(np.float64)

    return _pair(one)


def toxicity(rng: Generator, n: int) -> Pair:
    """Probabilities that are mostly near 0, alike for the same prompt."""
    prompt = rng.beta(0.4, 4.0, n)

    def one() -> Floats:
        found = np.clip(rng.beta(20 * prompt + 1e-3, 20 * (1 - prompt)), 0, 1)
        return np.column_stack([found, found >= 0.5, found, found >= 0.5, np.ones(n)])

    return _pair(one)


def experts(rng: Generator, n: int) -> Pair:
    """Loads of two layers of eight experts: a text's subject has experts of its own, which the two
    models number otherwise."""
    likes = np.random.default_rng(3).dirichlet(np.full(8, 0.7), (2, TOPICS))  # (L, topics, E)
    topics, tokens = rng.integers(TOPICS, size=n), rng.integers(10, 120, n)

    def one() -> Floats:
        order = rng.permutation(8)
        chances = likes[:, topics][..., order].transpose(1, 0, 2)  # (n, L, E)
        loads = rng.multinomial(tokens[:, None], chances)
        most = np.ceil(1.25 * tokens / 8)[:, None, None]
        dropped = np.maximum(loads - most, 0).sum((1, 2))
        beside = [dropped, loads.sum((1, 2)), np.full(n, 2), np.ones(n)]
        return np.column_stack([loads.reshape(n, -1), *beside]).astype(np.float64)

    return _pair(one)


def vendi(rng: Generator, n: int) -> Pair:
    """Embeddings of texts whose subjects are the samples'."""
    topics = rng.integers(TOPICS, size=n)

    def one() -> Settled:
        flags = Column(np.zeros(n, np.uint8))
        evidence = Evidence({"output": Column(features(rng, topics, 0.0)), FLAG: flags})
        return VENDI.settle(evidence, np.arange(n))

    return one(), one()


def drawn_texts(metric: BoundMetric, words: int) -> Callable[[Generator, int], Pair]:
    """The first `words` of sentences of a population, other ones of either system."""

    @cache
    def population() -> Evidence:
        texts = [" ".join(text.split()[:words]) for text in english(MANY, 0).outputs]
        items, _ = items_of([Sample(str(at), (text,)) for at, text in enumerate(texts)])
        return measure(metric, items, NoModels())

    def one(rng: Generator, n: int) -> Settled:
        some = population().take(rng.choice(MANY, n, replace=False))
        return metric.settle(some, np.arange(n))

    return lambda rng, n: (one(rng, n), one(rng, n))


def frechet(rng: Generator, n: int) -> Pair:
    """Both as far from the references, which they share."""
    topics = rng.integers(TOPICS, size=n)
    references = features(rng, topics, 0.0)

    def one() -> Settled:
        evidence = of_features(features(rng, topics, 0.3), references)
        return FRECHET.settle(evidence, np.arange(n))

    return one(), one()


RATIOS = (
    Source("compression", find("compression").bind(), compression),
    Source("multi_token, depth 1", find("multi_token").bind({"model": "any"}), multi_token),
    Source("attention: difference, speed, memory", find("attention").bind(), attention, 6),
    Source("ifeval", find("ifeval").bind(), ifeval),
    Source("toxicity", find("toxicity").bind({"model": "any"}), toxicity),
)
WHOLE = (
    Source("experts", find("experts").bind({"model": "any"}), experts),
    Source("frechet, 8 dimensions", FRECHET, frechet),
    Source("vendi of embeddings", VENDI, vendi),
    Source(
        "vendi of n-grams", NGRAMS, drawn_texts(NGRAMS, 40), sizes={20: 1, 50: 1, 200: 1, 1000: 2}
    ),
    Source("prequential", LEARNT, drawn_texts(LEARNT, 12), sizes={20: 4, 50: 4, 200: 4, 1000: 15}),
)
ALL = (*RATIOS, *WHOLE)
