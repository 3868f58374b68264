"""Samples whose texts are alike, with the words that are typical of them: TF-IDF and k-means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metrics.core.metric import Sample
from metrics.core.rows import Ints
from metrics.text.tokens import cutter
from service.analyses.features import LEAST, LONGEST

MOST_CLUSTERS, MOST_WORDS, DIMENSIONS = 20, 20_000, 50
TYPICAL = 8  # words that are shown


@dataclass(frozen=True, slots=True)
class Clustered:
    """The cluster of each sample (n,), and each cluster's typical words; `of`: which texts."""

    of: str
    places: Ints
    words: Sequence[Sequence[str]]


def clustered(samples: Sequence[Sample]) -> Clustered | None:
    """By the prompts, or where most samples have the same or none, by the outputs. None where the
    samples are too few, or share too few words."""
    prompts = [one.prompt or "" for one in samples]
    of = "prompt" if len(set(prompts)) > len(samples) / 2 else "output"
    texts = prompts if of == "prompt" else [" ".join(one.outputs) for one in samples]
    count = int(np.clip(round(np.sqrt(len(samples)) / 2), 2, MOST_CLUSTERS))
    if len(samples) < 2 * LEAST:
        return None
    return _by_words(of, [text[:LONGEST] for text in texts], count)


def _by_words(of: str, texts: Sequence[str], count: int) -> Clustered | None:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    vectorizer = TfidfVectorizer(
        tokenizer=cutter("words", lowercase=True),
        token_pattern=None,
        lowercase=False,
        min_df=2,
        max_df=0.5,
        max_features=MOST_WORDS,
        sublinear_tf=True,
    )
    try:
        table = vectorizer.fit_transform(texts)
    except ValueError:  # no word is in two texts and not in most
        return None
    if table.shape[1] <= count:
        return None
    size = min(DIMENSIONS, table.shape[1] - 1)
    points = normalize(TruncatedSVD(size, random_state=0).fit_transform(table))
    places = KMeans(count, n_init=3, random_state=0).fit_predict(points)
    words, everywhere = vectorizer.get_feature_names_out(), np.asarray(table.mean(0)).ravel()
    typical = []
    for place in range(count):
        own = np.flatnonzero(places == place)
        excess = np.asarray(table[own].mean(0)).ravel() - everywhere if len(own) else -everywhere
        first = np.argsort(-excess, kind="stable")[:TYPICAL]
        typical.append([str(words[at]) for at in first if excess[at] > 0])
    return Clustered(of, places.astype(np.int64), typical)
