"""POST /v1/comparisons: are the differences between systems real?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from sqlalchemy import Connection

from metrics.core.compare import Grouping, Testing
from metrics.statistics.paired import enough_trials
from service.errors import invalid
from service.evaluations.scores import read_scores
from service.evaluations.store import Evaluation
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Transaction
from service.http.formats import TABLES, in_forms
from service.http.router import Router
from service.leaderboards import remarks, scopes
from service.leaderboards.history import differing, protocol_warnings
from service.leaderboards.matching import Match, Results, compared, key, matches
from service.leaderboards.paired import paired_results
from service.leaderboards.schemas import ComparisonIn, ComparisonOut
from service.leaderboards.tables import comparison_table
from service.leaderboards.verdicts import correct, shown
from service.settings import Settings

MOST_RESULTS = 50_000  # of one answer
MOST_TOLD = 20  # pairs that share nothing

router = Router(prefix="/v1/comparisons", tags=["comparisons"], route_class=BodyRoute)


@router.post("", summary="Compare evaluations", responses=TABLES)
@in_forms(comparison_table)
def create_comparison(
    body: ComparisonIn, db: Transaction, settings: CurrentSettings
) -> ComparisonOut:
    """Every pair, or each against the baseline, score by score. Paired by sample id, over datasets
    in which an id means the same sample. Scores whose signatures differ are not compared: `error`
    says how they differ."""
    _recipe_fits(body)
    rows = scopes.all_finished(db, body.evaluations, "evaluations")
    pairs = _pairs(db, rows, body.baseline)
    _same_samples(db, rows, pairs)
    wanted = _wanted(db, rows, pairs, body.metrics)
    results = _results(db, settings, wanted)
    sets = list(dict.fromkeys(row.dataset_id for row in rows))
    grouping, notes = _grouping(db, body.cluster, sets, results)
    chosen = None if body.slice is None else scopes.sliced(db, sets, body.slice)
    testing = Testing(body.test, body.recipe, trials=body.trials)
    together = body.correction != "none"
    tests = compared(wanted, results, testing, grouping, chosen, together=together)
    live = sum(one.difference is not None for one in tests)
    answers = [shown(rows, one, body.test, found) for one, found in zip(wanted, tests, strict=True)]
    correct(answers, body.correction)
    a, b = (rows[at] for at in pairs[0]) if len(pairs) == 1 else (None, None)
    return ComparisonOut(
        a=a and a.id,
        b=b and b.id,
        system_a=a and a.system,
        system_b=b and b.system,
        evaluations=[row.id for row in rows],
        systems=[row.system for row in rows],
        baseline=body.baseline,
        test=body.test,
        recipe=body.recipe,
        correction=body.correction,
        trials=enough_trials(body.trials, live if together else 1),
        cluster=None if grouping is None else grouping.field,
        slice=body.slice,
        differs=_differing(rows, pairs),
        notes=[
            *notes,
            *_taken_for_independent(wanted, grouping),
            *_unlike(rows, pairs),
            *_without(rows, pairs, wanted),
        ],
        results=answers,
    )


def _recipe_fits(body: ComparisonIn) -> None:
    if body.recipe == "sacrebleu" and body.test != "paired_bootstrap":
        message = f"the recipe sacrebleu is one of test paired_bootstrap; {body.test} has none"
        raise invalid("recipe_without_effect", message, "recipe")


def _wanted(
    db: Connection,
    rows: Sequence[Evaluation],
    pairs: Sequence[tuple[int, int]],
    metrics: Sequence[str] | None,
) -> list[Match]:
    """The scores that are compared. Raises 422 where they are too many for one answer."""
    scores = read_scores(db, [row.id for row in rows])
    wanted = matches([scores[row.id] for row in rows], pairs, metrics)
    if len(wanted) > MOST_RESULTS:
        message = (
            f"that makes {len(wanted)} results, and {MOST_RESULTS} are the most: name fewer "
            "`metrics`, or a `baseline` to compare with instead of every pair"
        )
        raise invalid("too_many_results", message, "evaluations")
    return wanted


def _pairs(db: Connection, rows: list[Evaluation], baseline: str | None) -> list[tuple[int, int]]:
    """Every pair, or each evaluation against the baseline, which joins `rows` where it lacks."""
    if baseline is None:
        return list(combinations(range(len(rows)), 2))
    names = [row.id for row in rows]
    if baseline not in names:
        rows.append(scopes.finished(db, baseline, "baseline"))
        names.append(baseline)
    base = names.index(baseline)
    return [(at, base) for at in range(len(rows)) if at != base]


def _same_samples(
    db: Connection, rows: Sequence[Evaluation], pairs: Sequence[tuple[int, int]]
) -> None:
    """Raises 422 when an id names one sample in the one dataset and another in the other."""
    by_sets = {
        frozenset({rows[at].dataset_id for at in pair}): pair for pair in reversed(pairs)
    }  # one of a kind, the first
    for a, b in by_sets.values():
        scopes.check_same_samples(db, rows[a], rows[b], "evaluations")


def _results(db: Connection, settings: Settings, wanted: Sequence[Match]) -> Results:
    """What is stored behind the scores that are compared."""
    scores = {key(end): end for one in wanted for end in (one.left, one.right)}
    found = paired_results(db, settings, list(scores.values()))
    return dict(zip(scores, found, strict=True))


def _grouping(
    db: Connection, cluster: str | None, sets: Sequence[str], results: Results
) -> tuple[Grouping | None, list[str]]:
    """By the field that is asked for, else by the one that all evaluations have; what to note."""
    if cluster is None:
        own = {one.result.cluster for one in results.values() if one is not None}
        if len(own) > 1:
            fields = ", ".join(sorted("without" if one is None else f"by {one!r}" for one in own))
            return None, [
                f"the evaluations have unlike clusters ({fields}), so samples are taken for "
                "independent here: name `cluster`"
            ]
        cluster = next(iter(own), None)
    return (None, []) if cluster is None else (scopes.clustered(db, sets, cluster), [])


def _taken_for_independent(wanted: Sequence[Match], grouping: Grouping | None) -> list[str]:
    """Which samples are alike that these tests take for independent."""
    if grouping is not None:
        return []
    return remarks.dependent(end for one in wanted for end in (one.left, one.right))


def _differing(rows: Sequence[Evaluation], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """What else the evaluations do not share; of many, what any has otherwise than the first."""
    if len(pairs) == 1:
        return differing(*(rows[at] for at in pairs[0]))
    return list(dict.fromkeys(one for row in rows[1:] for one in differing(rows[0], row)))


def _unlike(rows: Sequence[Evaluation], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """That evaluations were asked by different protocols; of many, once for each two of them."""
    found = (one for a, b in pairs for one in protocol_warnings(rows[a], rows[b]))
    return list(dict.fromkeys(found))[:MOST_TOLD]


def _without(
    rows: Sequence[Evaluation], pairs: Sequence[tuple[int, int]], wanted: Sequence[Match]
) -> list[str]:
    """Pairs that have no result."""
    there = {one.pair for one in wanted}
    bare = [pair for pair in pairs if pair not in there]
    told = [f"{rows[a].id} and {rows[b].id} share no score" for a, b in bare[:MOST_TOLD]]
    return [*told, f"and {len(bare) - MOST_TOLD} more pairs"] if len(bare) > MOST_TOLD else told
