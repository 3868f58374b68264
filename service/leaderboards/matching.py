"""Which scores of which evaluations are compared, and their tests."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from metrics.core.compare import Comparison, Grouping, Testing, compare_many
from metrics.core.names import hint
from metrics.core.signature import unlike
from service.errors import invalid
from service.evaluations.scores import Score
from service.leaderboards.paired import GONE, PairedResult

Place = tuple[str, int]  # an evaluation, and the metric's place in it
Results = Mapping[tuple[str, int, str], PairedResult | None]  # by `key`


def key(score: Score) -> tuple[str, int, str]:
    """An evaluation, the metric's place in it, the score's name."""
    return score.evaluation_id, score.position, score.name


@dataclass(frozen=True, slots=True)
class Match:
    """A score of two evaluations. `pair` holds their places among those that are compared."""

    pair: tuple[int, int]
    left: Score
    right: Score

    @property
    def refused(self) -> str | None:
        """Why the two must not be compared, as far as can be told without reading results."""
        if self.left.value is None or self.right.value is None:
            return "one of the two has no value"
        return unlike(self.left.signature or "", self.right.signature or "")


def matches(
    scores: Sequence[Sequence[Score]],
    pairs: Sequence[tuple[int, int]],
    names: Sequence[str] | None,
) -> list[Match]:
    """Scores of the same name in both of a pair, whole sets only; of several, that of the same
    signature. Raises 422 where a name of `names` is no score of any pair, or none is there."""
    whole = [[score for score in of if not score.slice] for of in scores]
    theirs: list[dict[str, Score]] = []
    exactly: list[dict[tuple[str, str | None], Score]] = []
    for of in whole:
        theirs.append({score.name: score for score in reversed(of)})  # the first of a name
        exactly.append({(score.name, score.signature): score for score in reversed(of)})
    found = [
        Match((a, b), score, exactly[b].get((score.name, score.signature), theirs[b][score.name]))
        for a, b in pairs
        for score in whole[a]
        if score.name in theirs[b]
        and (names is None or score.name in names or score.metric in names)
    ]
    known = {name for one in found for name in (one.left.name, one.left.metric)}
    for name in names or []:
        if name not in known:
            there = {name for a, b in pairs for name in theirs[a] if name in theirs[b]}
            which = "both; both have" if len(scores) == 2 else "any two of them; two or more have"
            shared = ", ".join(sorted(there)) or "nothing"
            near = f" ({hint(name, sorted(there))})" if there else ""
            message = f"{name!r} is not a score of {which} {shared}{near}"
            raise invalid("unknown_score", message, "metrics")
    if not found:
        raise invalid("nothing_in_common", "the evaluations share no score", "evaluations")
    return found


def compared(
    wanted: Sequence[Match],
    results: Results,
    testing: Testing,
    grouping: Grouping | None,
    chosen: Collection[str] | None,
    *,
    together: bool,
) -> list[Comparison]:
    """The tests of the matches, all pairs of a metric at once; `together`: they are corrected."""
    found = [_refused(one, results) for one in wanted]
    live = [at for at, why in enumerate(found) if why is None]
    ends = {_place(end): end for at in live for end in (wanted[at].left, wanted[at].right)}
    kinds = {place: _kind(end, results) for place, end in ends.items()}
    families: dict[tuple[str, ...], list[int]] = {}
    for at in live:
        left, right = kinds[_place(wanted[at].left)], kinds[_place(wanted[at].right)]
        families.setdefault((*left, right[-1]), []).append(at)
    if together:
        testing = replace(testing, tests=sum(map(len, families.values())))
    for members in families.values():
        tests = _tests([wanted[at] for at in members], results, testing, grouping, chosen)
        for at, test in zip(members, tests, strict=True):
            found[at] = test
    return [one for one in found if one is not None]


def _tests(
    family: Sequence[Match],
    results: Results,
    testing: Testing,
    grouping: Grouping | None,
    chosen: Collection[str] | None,
) -> list[Comparison]:
    """Of matches of one metric: each pair of results is tested once, for all of its scores."""
    sides: dict[Place, PairedResult] = {}
    for one in family:
        for end in (one.left, one.right):
            sides.setdefault(_place(end), _result(end, results))
    index = {place: at for at, place in enumerate(sides)}
    ends = [(index[_place(one.left)], index[_place(one.right)]) for one in family]
    pairs = list(dict.fromkeys(ends))
    tests = compare_many(
        _result(family[0].left, results).metric,
        [one.side for one in sides.values()],
        pairs,
        testing,
        grouping=grouping,
        chosen=chosen,
    )
    of = dict(zip(pairs, tests, strict=True))
    return [
        of[pair][_result(one.left, results).index] for one, pair in zip(family, ends, strict=True)
    ]


def _refused(one: Match, results: Results) -> Comparison | None:
    why = one.refused
    if why is None and None in (results.get(key(one.left)), results.get(key(one.right))):
        why = GONE
    if why is None:
        return None
    return Comparison(one.left.name, one.left.value, one.right.value, None, why)


def _kind(end: Score, results: Results) -> tuple[str, str, str]:
    """The metric, its parameters and its scores: pairs of which the left ends share all of it, and
    the right ends the scores, are tested together."""
    resolved = json.dumps(dict(end.resolved or {}), sort_keys=True, default=str)
    return end.metric, resolved, "/".join(_result(end, results).metric.score_names)


def _place(score: Score) -> Place:
    return score.evaluation_id, score.position


def _result(score: Score, results: Results) -> PairedResult:
    found = results[key(score)]
    if found is None:
        raise ValueError(f"the result of {score.name} is gone")
    return found
