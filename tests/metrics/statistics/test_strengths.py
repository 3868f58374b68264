"""Strengths are those of evalica, choix, statsmodels and arena-rank, and their intervals cover."""

from __future__ import annotations

import choix
import evalica
import numpy as np
import pytest
import statsmodels.api as sm

from benchmarks.votes import Study, outcomes
from metrics.statistics.comparison_graph import comparison_graph
from metrics.statistics.davidson import Fit, fit
from metrics.statistics.strengths import elo, strengths
from metrics.statistics.votes import Votes
from metrics.statistics.weights import Floats

FIVE = (1.0, 0.5, 0.0, -0.5, -1.0)
DECIDED = Study(FIVE, annotators=8, items=120, tie=0.0, position=0.4, taste=0.4)
TIED = Study(FIVE, annotators=8, items=120, tie=0.8)


def likeliest(votes: Votes, penalty: float = 0.0, controls: Floats | None = None) -> Fit:
    graph = comparison_graph(votes.wins, votes.ties)
    return fit(votes, graph, controls, penalty)


def as_evalica(votes: Votes) -> tuple[list[int], list[int], list[evalica.Winner]]:
    names = {1: evalica.Winner.X, 0: evalica.Winner.Draw, -1: evalica.Winner.Y}
    winners = [names[one] for one in votes.outcome.tolist()]
    return votes.first.tolist(), votes.second.tolist(), winners


def centred(scores: Floats) -> Floats:
    logs = np.log(scores)
    return np.asarray(logs - logs.mean(), np.float64)


def test_without_ties_it_is_evalicas_bradley_terry() -> None:
    votes = DECIDED.drawn(np.random.default_rng(0))
    found = evalica.bradley_terry(*as_evalica(votes), tolerance=1e-14, limit=10_000)
    theirs = centred(found.scores.sort_index().to_numpy())
    np.testing.assert_allclose(likeliest(votes).strengths, theirs, atol=1e-9)


def test_with_ties_it_is_evalicas_newman() -> None:
    votes = TIED.drawn(np.random.default_rng(0))
    found = evalica.newman(*as_evalica(votes), tolerance=1e-14, limit=10_000)
    ours = likeliest(votes)
    np.testing.assert_allclose(
        ours.strengths, centred(found.scores.sort_index().to_numpy()), atol=1e-9
    )
    assert ours.tie == pytest.approx(2 * found.v, rel=1e-9)  # Newman's ν counts either order


def test_the_prior_is_choixs() -> None:
    votes = DECIDED.drawn(np.random.default_rng(1))
    wins = np.argwhere(votes.wins > 0)
    data = [(int(a), int(b)) for a, b in wins for _ in range(int(votes.wins[a, b]))]
    # choix takes alpha · Σ θ² off the log-likelihood, we half the precision
    theirs = choix.opt_pairwise(5, data, alpha=0.5, tol=1e-12)
    np.testing.assert_allclose(likeliest(votes, penalty=1.0).strengths, theirs, atol=1e-7)


def test_errors_over_annotators_and_items_are_statsmodels() -> None:
    """A logistic regression with the place and a control, clustered both ways; statsmodels gives
    each kind of cluster the factor G / (G - 1), too."""
    votes = DECIDED.drawn(np.random.default_rng(2))
    x = np.random.default_rng(3).normal(size=len(votes))
    design = np.zeros((len(votes), 5))
    np.add.at(design, (np.arange(len(votes)), votes.first), 1.0)
    np.add.at(design, (np.arange(len(votes)), votes.second), -1.0)
    design = np.column_stack([design[:, :4] - design[:, 4:], np.ones(len(votes)), x])
    model = sm.GLM(votes.share, np.column_stack([design]), family=sm.families.Binomial())
    found = strengths(votes, {"position": np.ones(len(votes)), "x": x}, penalty=1e-12)
    kept = [0, 1, 2, 3, 5, 6]  # the fifth strength is what takes their sum to 0
    # the design's differences are of mean-zero strengths: a column less the last one's
    groups = np.column_stack([votes.annotators.of, votes.items.of])
    n, k = design.shape
    for ours, given in (
        (found.errors.over[0], groups[:, 0]),
        (found.errors.over[1], groups[:, 1]),
    ):
        theirs = model.fit(tol=1e-14, cov_type="cluster", cov_kwds={"groups": given})
        np.testing.assert_allclose(found.fit.coefficients[kept], theirs.params, atol=1e-8)
        factor = (n - 1) / (n - k)
        np.testing.assert_allclose(
            ours[np.ix_(kept, kept)] * factor, theirs.cov_params(), rtol=1e-6, atol=1e-12
        )
    both = model.fit(
        tol=1e-14, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    plain = [one * (g - 1) / g for one, g in zip(found.errors.over, (8, 120), strict=True)]
    assert found.errors.both is not None
    cells = len(np.unique(groups, axis=0))
    cell = (sum(found.errors.over) - found.errors.both) * (cells - 1) / cells
    np.testing.assert_allclose(
        (plain[0] + plain[1] - cell)[np.ix_(kept, kept)], both.cov_params(), rtol=1e-6, atol=1e-12
    )


def test_with_ties_it_is_statsmodels_loglinear_model() -> None:
    """Counts of each pair's three outcomes are Poisson with the same strengths, ties and errors."""
    votes = TIED.drawn(np.random.default_rng(4))
    rows, counts = [], []
    for pair, (a, b) in enumerate(zip(*np.triu_indices(5, 1), strict=True)):
        for sign, count in (
            (0.5, votes.wins[a, b]),
            (-0.5, votes.wins[b, a]),
            (0.0, votes.ties[a, b]),
        ):
            strength = np.zeros(5)
            strength[a], strength[b] = sign, -sign
            rows.append(np.r_[strength[:4] - strength[4], float(sign == 0), np.arange(10) == pair])
            counts.append(count)
    theirs = sm.GLM(counts, np.array(rows), family=sm.families.Poisson()).fit(tol=1e-14)
    ours, kept = likeliest(votes), [0, 1, 2, 3, 5]
    np.testing.assert_allclose(ours.coefficients[kept], theirs.params[:5], atol=1e-8)
    np.testing.assert_allclose(
        ours.bread[np.ix_(kept, kept)], theirs.cov_params()[:5, :5], rtol=1e-6, atol=1e-12
    )


WORKED = [(0, 1, 2), (1, 0, 3), (0, 3, 1), (3, 0, 4), (1, 2, 5), (2, 1, 3), (2, 3, 1), (3, 2, 3)]


def test_it_is_arena_ranks_worked_example() -> None:
    """22 games of four, whose scores arena-rank's own test publishes; the variances are what
    arena-rank 0.1.1 gives for them with a scale of 1 and base e. It adds 22e-5 to the curvature's
    diagonal, which is above 1."""
    winners, losers, count = zip(*WORKED, strict=True)
    votes = Votes.of("ABCD", winners, losers, np.ones(len(WORKED)), count=count)
    found = strengths(votes, penalty=1e-12)
    np.testing.assert_allclose(np.exp(found.values), [0.640, 1.043, 0.660, 2.270], rtol=1e-3)
    single = found.errors.over[0] * 21 / 22  # no factor for the number of votes
    theirs = [0.2962546238544803, 0.23484818902130655, 0.27891340687261845, 0.3892471096863801]
    np.testing.assert_allclose(np.diagonal(single), theirs, rtol=1e-3)


def test_controls_are_arena_ranks() -> None:
    """The same games with a feature, which arena-rank 0.1.1's contextual model standardises; what
    it gives with reg=1e-9."""
    winners, losers, count = zip(*WORKED, strict=True)
    votes = Votes.of("ABCD", winners, losers, np.ones(len(WORKED)), count=count)
    feature = np.arange(22) * 7 % 5 - 2.0
    feature = (feature - feature.mean()) / feature.std()
    found = strengths(votes, {"feature": feature}, penalty=1e-12)
    theirs = [-0.5929446764026851, 0.09203531086785385, -0.3837133922269511, 0.8846227577617825]
    np.testing.assert_allclose(found.values, theirs, atol=1e-5)
    single = np.diagonal(found.errors.over[0])[:4] * 21 / 22
    theirs = [0.32282164821225295, 0.26620623285293543, 0.28803252834129595, 0.3425884921554038]
    np.testing.assert_allclose(single, theirs, rtol=1e-3)
    assert found.controls["feature"].value == pytest.approx(-0.32094542, abs=1e-5)


def test_planted_strengths_ties_and_position_are_recovered() -> None:
    study = Study(FIVE, annotators=50, items=4000, tie=0.7, position=0.35)
    votes = study.drawn(np.random.default_rng(5))
    found = strengths(votes, {"position": np.ones(len(votes))})
    np.testing.assert_allclose(found.values, study.planted, atol=0.1)  # four standard errors
    assert found.controls["position"].value == pytest.approx(0.35, abs=0.1)
    assert found.controls["position"].p_value < 1e-6
    assert found.tie.value == pytest.approx(0.7 / 2.7, abs=0.02)
    assert found.ranks is not None
    assert found.ranks.rank.tolist() == found.ranks.best.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(elo(found.values)[0] - 1000, 400 / np.log(10), atol=20)


def test_controls_take_away_what_length_gave() -> None:
    """Two equal systems, of which one writes at length, and people like length."""
    rng = np.random.default_rng(6)
    n = 4000
    first = rng.integers(0, 2, n)
    longer = rng.normal(1.0, 1.0, n) * np.where(first == 0, 1, -1)
    votes = Votes.of(["long", "short"], first, 1 - first, outcomes(rng, 0.8 * longer, 0.5))
    raw, controlled = strengths(votes), strengths(votes, {"log_length": longer})
    assert raw.differences.low[0, 1] > 0.4
    assert controlled.differences.low[0, 1] < 0 < controlled.differences.high[0, 1]
    assert controlled.controls["log_length"].value == pytest.approx(0.8, abs=0.12)


@pytest.mark.parametrize(
    ("study", "least"),
    [
        (Study(FIVE, annotators=20, items=60), 0.93),
        (Study(FIVE, annotators=6, items=60, taste=0.8), 0.92),
        (Study(FIVE, annotators=30, items=60, item=1.0, overlap=5), 0.92),
    ],
)
def test_intervals_cover(study: Study, least: float) -> None:
    truth, rng = study.truth()[0], np.random.default_rng(7)
    gaps = truth[:, None] - truth[None, :]
    upper = np.triu_indices(len(truth), 1)
    strength, difference, rank = [], [], []
    for _ in range(60):
        found = strengths(study.drawn(rng))
        strength.append((found.low <= truth) & (truth <= found.high))
        inside = (found.differences.low <= gaps) & (gaps <= found.differences.high)
        difference.append(inside[upper])
        assert found.ranks is not None
        true = np.arange(1, len(truth) + 1)
        rank.append(((found.ranks.best <= true) & (true <= found.ranks.worst)).all())
    assert np.mean(strength) > least
    assert np.mean(difference) > least
    assert np.mean(rank) > least


def test_votes_alone_are_too_sure_where_tastes_differ() -> None:
    study = Study(FIVE, annotators=6, items=200, taste=0.8)
    truth, rng = study.truth()[0], np.random.default_rng(8)
    covered = []
    for _ in range(40):
        found = strengths(study.drawn(rng))
        error = 1.96 * np.sqrt(np.diagonal(found.errors.least))[:5]
        covered.append(np.abs(found.values - truth) <= error)
    assert np.mean(covered) < 0.75


def test_groups_that_no_vote_connects_are_not_ranked() -> None:
    votes = Votes.of("abcde", [0, 1, 2, 3], [1, 0, 3, 2], [1, 1, 1, 1], count=[9, 5, 4, 3])
    found = strengths(votes)
    assert found.ranks is None
    assert found.graph.component.tolist() == [0, 0, 1, 1, 2]
    assert np.isnan(found.differences.values[:2, 2:]).all()
    assert found.differences.values[0, 1] == pytest.approx(np.log(9 / 5), rel=0.05)
    assert np.isnan(found.values[4])
    assert found.warnings[0] == "no votes on e"
    assert "2 groups" in found.warnings[1]


def test_an_undefeated_system_is_far_ahead_and_its_interval_wide() -> None:
    votes = Votes.of("abc", [0, 0, 1, 2], [1, 2, 2, 1], [1, 1, 1, 1], count=[9, 9, 5, 5])
    found = strengths(votes)
    assert 2.0 < found.differences.values[0, 1] < 6.0
    assert found.differences.high[0, 1] > 5.0
    assert found.differences.low[0, 1] < np.log(0.66 / 0.34)  # what 9 of 9 leave possible
    assert found.graph.unbeaten.tolist() == [True, False, False]
    assert "a never lost or tied" in found.warnings[0]
    with pytest.raises(ValueError, match="penalty"):
        strengths(votes, penalty=0.0)


def test_all_ties_are_equal_systems_not_sure_ones() -> None:
    found = strengths(Votes.of("ab", [0] * 20, [1] * 20, [0] * 20))
    np.testing.assert_allclose(found.differences.values, 0.0, atol=1e-12)
    assert found.differences.low[0, 1] < -1.5
    assert found.tie.low < 0.85 < found.tie.value < 1.0


def test_one_annotator_says_nothing_of_others() -> None:
    rng = np.random.default_rng(9)
    votes = Study(FIVE, annotators=1, overlap=1).drawn(rng)
    found = strengths(votes)
    assert np.isfinite(found.low).all()  # of other items
    assert "single annotator" in found.warnings[0]
    alone = Votes.of("ab", [0, 0], [1, 1], [1, -1], annotators=["x"] * 2, items=["y"] * 2)
    nothing = strengths(alone)
    assert np.isnan(nothing.low).all()
    assert np.isnan(nothing.differences.p_values).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([0], [2], [1]), "places from 0 to 1"),
        (([0], [0], [1]), "against itself"),
        (([0], [1], [2]), "an outcome is"),
        (([0, 1], [1], [1]), "differ in length"),
        (([], [], []), "no votes"),
    ],
)
def test_bad_votes_are_refused(given: tuple[list[int], ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        strengths(Votes.of("ab", *given))


def test_bad_controls_are_refused() -> None:
    votes = Votes.of("ab", [0], [1], [1])
    with pytest.raises(ValueError, match="'length' must be 1 finite numbers"):
        strengths(votes, {"length": np.array([np.nan])})
