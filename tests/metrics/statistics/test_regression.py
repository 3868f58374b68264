"""Fitted functions are scikit-learn's; correlations' and slices' intervals cover, tests hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression

from metrics.statistics.correlation import COEFFICIENTS, correlations
from metrics.statistics.regression import FITS, Method, fitted, fold_of, out_of_fold
from metrics.statistics.slices import apart
from metrics.statistics.weights import Floats
from tests.known import known


def drawn(n: int, sign: float = 1.0) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(n)
    x = np.round(draw.normal(size=n), 1)  # ties
    return x, sign * np.exp(x) + draw.normal(size=n)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("n", [20, 400])
def test_functions_are_scikit_learns(n: int, sign: float) -> None:
    x, y = drawn(n, sign)
    places = np.linspace(-6, 6, 101)
    curve = IsotonicRegression(increasing="auto", out_of_bounds="clip").fit(x, y)
    line = LinearRegression().fit(x[:, None], y)
    wanted: dict[Method, Floats] = {
        "isotonic": curve.predict(places),
        "linear": line.predict(places[:, None]),
    }
    for method, values in wanted.items():
        found = fitted(method, FITS[method](x, y), places)
        np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-9)


def test_a_unit_is_predicted_by_what_was_fitted_without_it() -> None:
    x, y = drawn(50)
    folds = fold_of([str(at // 2) for at in range(50)])
    assert all(folds[at] == folds[at + 1] for at in range(0, 50, 2))
    assert {int((folds == one).sum()) for one in np.unique(folds)} <= {4, 6}
    found = out_of_fold("linear", x, y, folds)
    rest = folds != folds[7]
    slope, start = np.polyfit(x[rest], y[rest], 1)
    assert found[7] == pytest.approx(start + slope * x[7], rel=1e-9)


def test_correlations_are_scipys() -> None:
    x, y = drawn(80)
    found = {name: one(x, y) for name, one in COEFFICIENTS.items()}
    assert found["pearson"] == pytest.approx(pearsonr(x, y).statistic, abs=1e-12)
    assert found["spearman"] == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert found["kendall"] == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)
    assert correlations(x, np.ones(80))["pearson"].value is None
    perfect = correlations(x, 2 * x)["kendall"]
    assert perfect.value == pytest.approx(1.0)
    assert perfect.interval is None


def test_intervals_of_correlations_cover() -> None:
    draw, rho, n, times = np.random.default_rng(0), 0.6, 30, 200
    truth = {
        "pearson": rho,
        "spearman": 6 / np.pi * np.arcsin(rho / 2),
        "kendall": 2 / np.pi * np.arcsin(rho),
    }
    covered = dict.fromkeys(truth, 0)
    for _ in range(times):
        x = draw.normal(size=n)
        y = rho * x + np.sqrt(1 - rho**2) * draw.normal(size=n)
        for name, one in correlations(x, y).items():
            low, high = known(one.interval)
            covered[name] += low <= truth[name] <= high
    # 95% less or more three standard errors of 200 draws, and of Spearman's own bias
    assert all(0.90 <= count / times <= 1.0 for count in covered.values()), covered


def means(sums: Floats) -> Floats:
    return sums[..., :1] / sums[..., 1:]


Draw = Callable[[np.random.Generator, int], Floats]
DRAWS: dict[str, Draw] = {
    "normal": lambda draw, n: draw.normal(size=n),
    "gamma": lambda draw, n: draw.gamma(0.5, size=n),
    "rare": lambda draw, n: (draw.uniform(size=n) < 0.05).astype(np.float64),
}


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("inside", [10, 50])
def test_a_slice_like_the_rest_is_rarely_called_different(kind: str, inside: int) -> None:
    draw, n, times, rejected, covered = np.random.default_rng(1), 200, 600, 0, 0
    members = np.arange(n) < inside
    for _ in range(times):
        rows = np.column_stack([DRAWS[kind](draw, n), np.ones(n)])
        found = apart(rows, members, means)
        assert found is not None
        low, high = found.interval or (-np.inf, np.inf)
        covered += low <= 0 <= high
        rejected += (1.0 if found.p_value is None else found.p_value) <= 0.05
    assert rejected / times <= 0.05 + 3 * 0.009  # three standard errors of 600 draws
    assert covered / times >= 0.95 - 3 * 0.009


def test_clusters_that_lie_in_one_side_widen_the_interval() -> None:
    draw = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), 10)
    values = draw.normal(size=20)[groups] + 0.1 * draw.normal(size=200)
    rows, members = np.column_stack([values, np.ones(200)]), groups < 6
    alone, together = apart(rows, members, means), apart(rows, members, means, groups=groups)
    assert alone is not None
    assert together is not None
    width = [high - low for low, high in (known(alone.interval), known(together.interval))]
    assert width[1] > 2 * width[0]
    assert together.difference == alone.difference
