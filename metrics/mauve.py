"""MAUVE: how close the distribution of outputs is to that of references, 1 for the same.

P (references) and Q (outputs) are histograms over clusters of text embeddings. For mixtures
R = w P + (1 - w) Q, the divergence curve has the points

    (exp(-c KL(Q|R)), exp(-c KL(P|R))),   w from 1e-6 to 1 - 1e-6, and the ends (1, 0) and (0, 1);

the value is the mean of the areas under it seen from either axis.

Conventions:

- Equal to mauve-text's `compute_mauve(p_features=references, q_features=outputs)` given the same
  features and seed: features scaled to unit length, PCA keeping `explained_variance`, k-means by
  faiss (best of `kmeans_redo`), n/10 clusters for "auto" where n is the smaller side.
- Features are ours: `pooling: mean` is the mean of the encoder's last layer over tokens, `last` the
  last token's state, which with a GPT-2 is what mauve-text itself uses.
- A model behind a URL embeds whole texts through `/embeddings`; how it pools is its own, and
  `pooling` and `dtype` are not for it. An empty text is sent as a space.
- All outputs of all samples are one side, all references the other; the sides may differ in size.
  A sample's references count once however many outputs it has.
- A blank text is a text like any other (mauve-text drops it: an output that says nothing would
  then go unpunished), and is flagged.
- The value depends on n and on the clustering. n and the number of clusters are in the signature;
  the interval is a jackknife over samples with the clustering fixed, to which the variance over
  `num_seeds` clusterings is added.

Range [0, 1], higher is better. Raises TooFewSamples where clusters would hold next to nothing.

Example
    >>> same, apart = np.array([[20.0, 20.0, 20.0, 20.0], [40.0, 0.0, 0.0, 40.0]])  # P, then Q
    >>> METRIC.bind().reduce(same).round(3).tolist()
    [1.0]
    >>> METRIC.bind().reduce(apart).round(3).tolist()
    [0.004]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.embeddings import BLANKS, EmbeddingParams, plan, references_once, sides
from metrics.core.errors import TooFewSamples
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Score, Source, settle_only
from metrics.core.rows import Floats, Ints, Settled
from metrics.statistics.paired_jackknife import leaving_out
from metrics.statistics.resampling import dear

SAMPLES_PER_CLUSTER = 10  # of "auto"
LEAST_CLUSTERS = 2
EDGE = 1e-6  # how near the mixtures come to pure P and pure Q


class MauveParams(EmbeddingParams):
    """Features, clusters, and the curve between them."""

    model: str = Field("builtin/minilm-l6", description="What embeds the texts that are clustered.")
    num_clusters: Annotated[int, Field(ge=2)] | Literal["auto"] = settle_only(
        "auto", description="auto: a tenth of the smaller side, at least 2."
    )
    scaling_factor: float = settle_only(5.0, gt=0, description="The paper's c.")
    seed: int = settle_only(25, ge=0, le=2**31 - 200, description="Of k-means.")
    num_seeds: int = settle_only(
        5, ge=1, le=100, description="Clusterings whose variance is in the interval; 1: none."
    )
    explained_variance: float = settle_only(0.9, gt=0, lt=1, description="Kept by PCA.")
    kmeans_redo: int = settle_only(5, ge=1, le=100, description="k-means runs, the best kept.")
    kmeans_iterations: int = settle_only(500, ge=1, le=10_000)
    curve_points: int = settle_only(25, ge=2, le=1000, description="Mixtures on the curve.")


def measure(items: Sequence[Item], params: MauveParams, models: Models) -> Evidence:
    """Features: `output` (D,) and `references` (R, D) of every item, float32."""
    return sides(items, params, models)


def settle(evidence: Evidence, unit: Ints, params: MauveParams) -> Settled:
    """Rows (K counts of a unit's references, K of its outputs) under the clustering of `seed`."""
    outputs = evidence["output"].astype(np.float32)  # (n_q, D)
    references, unit_of_reference = references_once(evidence, unit)  # (n_p, D)

    clusters = _clusters(len(references), len(outputs), params)
    texts = np.vstack([outputs, references])
    distinct = len(np.unique(texts, axis=0))
    if distinct < clusters:
        raise TooFewSamples(
            Sentence(
                "MAUVE makes {clusters} clusters and there are only {distinct} distinct texts: "
                "score more varied samples, or lower num_clusters",
                clusters=clusters,
                distinct=distinct,
            )
        )
    side = np.repeat([1, 0], [len(outputs), len(references)])
    unit_of_text = np.concatenate([unit, unit_of_reference])
    points = _principal(texts, params)

    def counts(seed: int) -> Floats:
        labels = _cluster(points, clusters, params, seed)
        rows = np.zeros((int(unit.max()) + 1, 2 * clusters))
        np.add.at(rows, (unit_of_text, side * clusters + labels), 1.0)
        return rows

    rows, variance, shared = counts(params.seed), None, None
    if params.num_seeds > 1:
        others = map(counts, range(params.seed + 1, params.seed + params.num_seeds))
        variance, shared = _over_seeds(chain([rows], others), params)
    size = f"{len(references)}/{len(outputs)}"
    return Settled(
        rows,
        variance=variance,
        freedom=None if variance is None else params.num_seeds - 1,
        shared=shared,
        signature={"n": size, "clusters": str(clusters)},
        warnings=(
            Sentence(
                "MAUVE depends on n; n = {references} references and {outputs} outputs in "
                "{clusters} clusters: compare it only with values of the same n",
                references=len(references),
                outputs=len(outputs),
                clusters=clusters,
            ),
        ),
    )


def _over_seeds(clusterings: Iterable[Floats], params: MauveParams) -> tuple[Floats, Floats | None]:
    """(1,) the variance of the value over clusterings, of whose rows one is held at a time; and
    (1,) what of it the jackknife of one has counted already: that of a unit's deviation, summed
    over units. None where there are so many units that it leaves out groups."""
    sums, moved = [], []
    for rows in clusterings:
        sums.append(rows.sum(0))
        if not dear(rows, None):
            keys = np.arange(len(rows), dtype=np.uint64)  # without groups, of no account
            moved.append(leaving_out(rows, keys, lambda x: reduce(x, params), None, False)[1])
    variance = reduce(np.stack(sums), params).var(axis=0, ddof=1)
    shared = np.var(moved, axis=0, ddof=1).sum(0) if moved else None  # NaN of a single unit
    return variance, None if shared is None else np.nan_to_num(shared)


def reduce(sums: Floats, params: MauveParams) -> Floats:
    """(..., 2K) counts of P, then of Q -> (..., 1) area under the divergence curve."""
    clusters = sums.shape[-1] // 2
    with np.errstate(divide="ignore", invalid="ignore"):  # an empty side is NaN
        p = sums[..., :clusters] / sums[..., :clusters].sum(-1, keepdims=True)
        q = sums[..., clusters:] / sums[..., clusters:].sum(-1, keepdims=True)
    x = [np.ones(p.shape[:-1])]
    y = [np.zeros(p.shape[:-1])]
    for w in np.linspace(EDGE, 1.0 - EDGE, params.curve_points):
        mixture = w * p + (1.0 - w) * q
        x.append(np.exp(-params.scaling_factor * _divergence(q, mixture)))
        y.append(np.exp(-params.scaling_factor * _divergence(p, mixture)))
    x.append(np.zeros(p.shape[:-1]))
    y.append(np.ones(p.shape[:-1]))
    # x falls and y rises along the curve, so no sorting is needed
    area = 0.5 * (np.trapezoid(x, y, axis=0) - np.trapezoid(y, x, axis=0))
    return np.asarray(area, np.float64)[..., None]


def _divergence(p: Floats, r: Floats) -> Floats:
    """KL(p|r) over the last axis, in nats; r > 0 wherever p > 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p == 0, 0.0, p * np.log(p / r))
    return np.asarray(terms.sum(-1), np.float64)


def _clusters(n_references: int, n_outputs: int, params: MauveParams) -> int:
    n = min(n_references, n_outputs)
    if params.num_clusters == "auto":
        clusters, least = round(n / SAMPLES_PER_CLUSTER), SAMPLES_PER_CLUSTER * LEAST_CLUSTERS
    else:
        clusters, least = params.num_clusters, params.num_clusters
    if n < least:
        raise TooFewSamples(
            Sentence(
                "MAUVE compares clusters of texts and needs at least {least} outputs and {least} "
                "references here; there are {outputs} and {references}. Score more samples: some "
                "hundred for a rough value, thousands for a good one",
                least=least,
                outputs=n_outputs,
                references=n_references,
            )
        )
    return clusters


def _principal(texts: NDArray[np.float32], params: MauveParams) -> NDArray[np.float32]:
    """(n, d) unit vectors in the fewest principal components that explain enough."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import normalize

    directions = normalize(texts)
    pca = PCA().fit(directions)
    explained = np.cumsum(pca.explained_variance_ratio_)
    enough = np.searchsorted(explained, explained.dtype.type(params.explained_variance))
    kept = pca.transform(directions)[:, : int(enough) + 1]
    return np.ascontiguousarray(kept, np.float32)


def _cluster(points: NDArray[np.float32], clusters: int, params: MauveParams, seed: int) -> Ints:
    """(n,) the cluster of each point. mauve-text's seed s is faiss's s + 2."""
    import faiss

    kmeans = faiss.Kmeans(
        points.shape[1],
        clusters,
        niter=params.kmeans_iterations,
        nredo=params.kmeans_redo,
        update_index=True,
        seed=seed + 2,
        min_points_per_centroid=1,  # only silences a warning
    )
    kmeans.train(points)
    nearest = kmeans.index.search(points, 1)[1]  # (n, 1)
    return np.asarray(nearest[:, 0], np.int64)


METRIC = Metric(
    name="mauve",
    version=1,
    about="Closeness of the distribution of outputs to that of references, by clustered features.",
    formula=(
        "area under (exp(−c KL(Q|R)), exp(−c KL(P|R))), R = wP + (1 − w)Q, P and Q histograms "
        "over clusters of embeddings"
    ),
    avoid=(
        "Fewer than some hundred outputs, sets of unlike size, or single answers: it compares "
        "distributions."
    ),
    params=MauveParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(Score("mauve", True, 0.0, 1.0, "Area under the divergence curve."),),
    interval="jackknife",
    source=Source(
        paper="Pillutla et al. 2021, MAUVE: Measuring the Gap Between Neural Text and Human Text "
        "using Divergence Frontiers, NeurIPS",
        reference="mauve-text 0.4.0",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=reduce,
    arcsine=True,
    set_level=True,
    models=lambda params: (params.model,),
    model_kind="embedding",
    libraries=("faiss-cpu", "scikit-learn", "transformers"),
    flags=BLANKS,
    cached=True,
    bulky=True,
)
