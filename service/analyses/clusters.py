"""Samples whose texts are alike, with the words that are typical of them.

Alike are texts that share words (TF-IDF), or whose embeddings by a sentence encoder are near;
k-means divides them either way, and words that are more frequent than elsewhere tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metrics.core.metric import Sample
from metrics.core.rows import Floats, Ints
from metrics.text.tokens import cutter
from service.analyses.features import LEAST, LONGEST

MOST_CLUSTERS, MOST_WORDS, DIMENSIONS = 20, 20_000, 50
TYPICAL = 8  # words that are shown
EXCERPT = 60  # characters of the text that stands for a cluster without typical words

Embed = Callable[[Sequence[str]], Floats]  # (n, D) a vector a text


@dataclass(frozen=True, slots=True)
class Clustered:
    """The cluster of each sample (n,), each cluster's typical words, and what it is called; `of`:
    which texts."""

    of: str
    places: Ints
    words: Sequence[Sequence[str]]
    labels: Sequence[str]


def clustered(samples: Sequence[Sample], embed: Embed | None = None) -> Clustered | None:
    """By the prompts, or where most samples have the same or none, by the outputs. None where the
    samples are too few, or share too few words.

    embed  gives texts vectors; None: they are alike by their words
    """
    prompts = [one.prompt or "" for one in samples]
    of = "prompt" if len(set(prompts)) > len(samples) / 2 else "output"
    texts = prompts if of == "prompt" else [" ".join(one.outputs) for one in samples]
    texts = [text[:LONGEST] for text in texts]
    count = int(np.clip(round(np.sqrt(len(samples)) / 2), 2, MOST_CLUSTERS))
    if len(samples) < 2 * LEAST:
        return None
    names, table = _words(texts)
    points = _by_words(table, count) if embed is None else _by_embeddings(texts, embed, count)
    if points is None:
        return None
    places, centres = _divided(points, count)
    words = _typical(names, table, places, count)
    labels = [
        ", ".join(own) if own else texts[int(np.argmax(points @ centre))][:EXCERPT]
        for own, centre in zip(words, centres, strict=True)
    ]
    return Clustered(of, places, words, labels)


def _words(texts: Sequence[str]) -> tuple[Sequence[str], Any]:
    """Words, and a sparse (n, words) table of their weights; None where no word is in two texts
    and not in most."""
    from sklearn.feature_extraction.text import TfidfVectorizer

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
    except ValueError:
        return [], None
    return [str(word) for word in vectorizer.get_feature_names_out()], table


def _by_words(table: Any, count: int) -> Floats | None:
    """(n, D) of length 1 or 0: the table in fewer dimensions."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    if table is None or table.shape[1] <= count:
        return None
    size = min(DIMENSIONS, table.shape[1] - 1)
    return np.asarray(normalize(TruncatedSVD(size, random_state=0).fit_transform(table)))


def _by_embeddings(texts: Sequence[str], embed: Embed, count: int) -> Floats | None:
    """(n, D) of length 1 or 0; each distinct text is embedded once."""
    from sklearn.preprocessing import normalize

    distinct = list(dict.fromkeys(texts))
    if len(distinct) <= count:
        return None
    place = {text: at for at, text in enumerate(distinct)}
    vectors = np.nan_to_num(normalize(embed(distinct)))
    if len(np.unique(vectors, axis=0)) <= count:
        return None
    return np.asarray(vectors[[place[text] for text in texts]], np.float64)


def _divided(points: Floats, count: int) -> tuple[Ints, Floats]:
    """(n,) clusters, (count, D) their centres."""
    from sklearn.cluster import KMeans

    found = KMeans(count, n_init=3, random_state=0).fit(points)
    return found.labels_.astype(np.int64), found.cluster_centers_


def _typical(words: Sequence[str], table: Any, places: Ints, count: int) -> list[list[str]]:
    """Of each cluster the words that weigh more there than everywhere, the first one most."""
    if table is None:
        return [[] for _ in range(count)]
    everywhere, typical = np.asarray(table.mean(0)).ravel(), []
    for place in range(count):
        own = np.flatnonzero(places == place)
        excess = np.asarray(table[own].mean(0)).ravel() - everywhere if len(own) else -everywhere
        first = np.argsort(-excess, kind="stable")[:TYPICAL]
        typical.append([words[at] for at in first if excess[at] > 0])
    return typical
