"""Fréchet distance of outputs and references: how far apart two clouds of embeddings lie, taken for
normal distributions (FBD; of images, FID).

    |m - r|² + tr(M + R - 2 (M R)^½),   means m, r and covariances M, R of outputs and references

Conventions
    The numbers are those of pytorch-fid's `calculate_frechet_distance` on the same features:
    covariances over n - 1, and nothing added to their diagonals. Where there are fewer texts than
    the encoder's width, its matrix has no inverse and scipy's root of it is off by 1e-5 or so; ours
    takes the singular values of the product of the centred features, which are exact.
    Features are the encoder's, as they are: not scaled to one length, so values of different
    encoders do not compare. `pooling: mean` is the mean of its last layer over tokens.
    All outputs of all samples are one side, all references the other; the sides may differ in size,
    and a sample's references count once however many outputs it has. A blank text is a text like
    any other, and is flagged. 0 and up, lower is better; 0 for equal means and covariances.
    Few texts make it too large, by far: two sets of one distribution in 384 dimensions are apart by
    1.1 of the trace of its covariance at n = 20, 0.4 at 200, and 0.08 at 1,000 (by simulation). So
    compare values of the same n alone; n is in the signature. The interval is for sets of that
    size, and says nothing of this bias: it is the jackknife's, of what each text adds to first
    order, and holds the mean of such sets in 93 to 100% (from n = 20, widths of 24 and 384).

Dowson, Landau (1982); Heusel et al.: TTUR (NeurIPS 2017); Xiang et al.: FBD (2021).

Example
    >>> from metrics.core.evidence import Evidence
    >>> outputs, references = np.array([[0.0], [2.0]]), np.array([[3.0], [9.0]])
    >>> seen = Evidence.of_ragged({"references": list(references[:, None])}, {"output": outputs})
    >>> rows = METRIC.bind().settle(seen, np.arange(2)).rows
    >>> METRIC.bind().reduce(rows.sum(0)).round(6).tolist()  # (6 - 1)² + (√18 - √2)²
    [33.0]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.embeddings import BLANKS, EmbeddingParams, plan, references_once, sides
from metrics.core.errors import TooFewSamples
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Score, Source
from metrics.core.rows import Floats, Ints, Settled

WELL_CONDITIONED = 1e-4  # from the smallest to the largest; squares are off by its square


class FrechetParams(EmbeddingParams):
    """What embeds the texts."""


def measure(items: Sequence[Item], params: FrechetParams, models: Models) -> Evidence:
    """Features: `output` (D,) and `references` (R, D) of every item, float32."""
    return sides(items, params, models)


def settle(evidence: Evidence, unit: Ints, params: FrechetParams) -> Settled:
    """Rows (units, 4): what a unit's outputs bring, outputs, what its references do, references.

    The distance is the mean over outputs plus the mean over references; what a text brings beside
    their means is the derivative by how much it weighs.
    """
    outputs = evidence["output"].astype(np.float64)  # (n, D)
    found, unit_of_reference = references_once(evidence, unit)
    references = found.astype(np.float64)  # (m, D)
    if min(len(outputs), len(references)) < 2:
        raise TooFewSamples(
            Sentence(
                "the Fréchet distance compares covariances and needs at least 2 outputs and 2 "
                "references; there are {outputs} and {references}",
                outputs=len(outputs),
                references=len(references),
            )
        )
    of_outputs, of_references = parts(outputs, references)
    units = int(unit.max()) + 1
    columns = [
        np.bincount(whose, weights, units)
        for whose, values in ((unit, of_outputs), (unit_of_reference, of_references))
        for weights in (values, np.ones(len(values)))
    ]
    return Settled(
        np.column_stack(columns),
        signature={"n": f"{len(references)}/{len(outputs)}"},
        warnings=_warnings(len(outputs), len(references), outputs.shape[1]),
    )


def parts(outputs: Floats, references: Floats) -> tuple[Floats, Floats]:
    """(n,) and (m,) whose means add up to the distance of features (n, D) and (m, D).

    With features centred and over √(n - 1), as A and B, tr (M R)^½ is the sum of the singular
    values of A Bᵀ, of which a row of A has its share.
    """
    apart = outputs.mean(0) - references.mean(0)
    first, second = _centred(outputs), _centred(references)
    shares = _shares(first, second)
    n, m = len(first), len(second)
    of_outputs = n * ((first**2).sum(1) - shares[0])
    of_outputs += 2 * np.sqrt(n - 1) * (first @ apart)
    of_references = m * ((second**2).sum(1) - shares[1])
    of_references -= 2 * np.sqrt(m - 1) * (second @ apart)
    return of_outputs + apart @ apart, of_references


def _centred(features: Floats) -> Floats:
    centred = features - features.mean(0)
    return np.asarray(centred / np.sqrt(len(features) - 1), np.float64)


def _shares(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """(n,) and (m,) what each row adds to the singular values of first @ second.T; either adds up
    to all of them."""
    short, turned = _shortened(first)
    short_too, turned_too = _shortened(second)
    left, values, right = _singular(short @ short_too.T)
    return turned(left) ** 2 @ values, turned_too(right) ** 2 @ values


def _singular(product: Floats) -> tuple[Floats, Floats, Floats]:
    """Left vectors (n, k), singular values (k,), right vectors (m, k): by the square's eigenvalues,
    twice as fast, where those do not lose digits."""
    if product.shape[0] == product.shape[1]:
        squares, left = np.linalg.eigh(product @ product.T)
        if squares[0] > WELL_CONDITIONED**2 * squares[-1]:
            values = np.sqrt(squares)
            return left, values, product.T @ left / values
    left, values, right = np.linalg.svd(product, full_matrices=False)
    return left, values, right.T


def _shortened(rows: Floats) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Of more rows than columns, A = Q R, R, and what multiplies by Q; of others, they themselves.

    R by Cholesky, three times as fast; where it would lose digits, by Householder.
    """
    if len(rows) <= rows.shape[1]:
        return rows, lambda left: left
    try:
        short: Floats = np.asarray(np.linalg.cholesky(rows.T @ rows).T, np.float64)
        size = np.diag(short)
    except np.linalg.LinAlgError:
        size = np.zeros(1)
    if size.min() <= WELL_CONDITIONED * size.max():
        rotation, triangle = np.linalg.qr(rows)
        return np.asarray(triangle, np.float64), lambda left: np.asarray(rotation @ left)
    return short, lambda left: rows @ np.linalg.solve(short, left)


def _warnings(outputs: int, references: int, width: int) -> tuple[Sentence, ...]:
    if min(outputs, references) > width:
        return ()
    return (
        Sentence(
            "{outputs} outputs and {references} references are no more than the {width} dimensions "
            "of their embeddings: the distance is far too large, and compares only with those of "
            "the same n",
            outputs=outputs,
            references=references,
            width=width,
        ),
    )


def reduce(sums: Floats, params: FrechetParams) -> Floats:
    """(..., 4) -> (..., 1), 0 where rounding would make it less."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums[..., :1] / sums[..., 1:2] + sums[..., 2:3] / sums[..., 3:]
    return np.asarray(np.maximum(means, 0.0), np.float64)


METRIC = Metric(
    name="frechet",
    version=1,
    about="Distance of the embeddings of outputs and references, taken for normal distributions.",
    formula="|m − r|² + tr(M + R − 2 (M R)^½), means and covariances of outputs and references",
    avoid=(
        "Fewer texts than the encoder is wide, sets of unlike size, and single answers: it "
        "compares distributions, and few texts look far apart. Distributions that are not normal "
        "may differ at a distance of 0."
    ),
    params=FrechetParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(Score("frechet", False, about="squared distance in the encoder's space"),),
    interval="jackknife",
    source=Source(
        paper="Heusel et al. 2017, https://arxiv.org/abs/1706.08500; Xiang et al. 2021, FBD, "
        "https://arxiv.org/abs/2105.02573",
        reference="pytorch-fid's formula by scipy.linalg.sqrtm",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=reduce,
    set_level=True,
    models=lambda params: (params.model,),
    model_kind="embedding",
    libraries=("transformers",),
    flags=BLANKS,
    cached=True,
    bulky=True,
)
