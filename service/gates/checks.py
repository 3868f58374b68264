"""What a gate says of an evaluation, from stored rows; no metric runs again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics.statistics.verdicts import Answer, Question, answers, together
from service.datasets import store as datasets
from service.errors import ApiError, invalid
from service.evaluations import store as evaluations
from service.evaluations.partial import measured
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.gates import store as gates
from service.gates.rules import question
from service.gates.schemas import GateIn, RuleIn, RuleOut, Verdict
from service.gates.store import Gate
from service.leaderboards import scopes
from service.leaderboards.history import protocol_warnings
from service.leaderboards.paired import PairedResult, paired_results, without_rows
from service.leaderboards.pairing import Pairing, counterpart, pairing, score_named
from service.leaderboards.remarks import dependent
from service.settings import Settings

LACKING = (
    "the candidate has no value on {} samples on which the baseline has one, and may be good "
    "enough only for that: no verdict"
)
ALONE = "one {} alone tells nothing of others"
ITSELF = "the candidate is the baseline's own evaluation: it was compared with itself"
SETTLED = "the evaluation ended early: the gate was settled"


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found, as it is stored."""

    verdict: Verdict
    baseline: str
    n: int | None
    samples_to_settle: int | None
    rules: list[RuleOut]
    notes: list[str]

    def as_json(self) -> dict[str, object]:
        """The form in which it is stored."""
        return {
            "baseline": self.baseline,
            "n": self.n,
            "samples_to_settle": self.samples_to_settle,
            "rules": [one.model_dump(mode="json") for one in self.rules],
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule with what is known of it: two results and the question to them, or why not."""

    rule: RuleIn
    score: Score
    pair: Pairing | None = None
    question: Question | None = None
    error: str | None = None


def conclude(
    db: Connection, settings: Settings, gate: Gate, candidate: Evaluation, id: str
) -> Verdict | dict[str, str]:
    """Store what the check with this id found: the verdict, or why there can be none."""
    try:
        found = check(db, settings, gate, candidate)
    except ApiError as error:
        refused = {"code": error.code, "message": error.message}
        gates.settle_check(db, id, error=refused)
        return refused
    gates.settle_check(db, id, verdict=found.verdict, result=found.as_json())
    return found.verdict


def baseline_of(
    db: Connection, gate: GateIn, param: str = "baseline", but: str | None = None
) -> Evaluation:
    """The evaluation that candidates are compared with. Raises 422 where there is none."""
    name, version = dataset_of(db, gate)
    base = gate.base
    if base.evaluation is not None:
        if evaluations.status(db, base.evaluation) is None:
            message = f"there is no evaluation {base.evaluation!r}"
            raise invalid("evaluation_not_found", message, param)
        row = scopes.finished(db, base.evaluation, param)
        if row.dataset_name != name:
            message = f"{row.id} is on the dataset {row.dataset_name!r}, the gate on {name!r}"
            raise ApiError(422, "other_dataset", message, param)
        return row
    system = base.system or ""
    found = gates.newest_of_system(db, name, system, but=but, version=version)
    if found is None:
        other = f" other than the candidate, {but}" if but is not None else ""
        message = f"the system {system!r} has no succeeded evaluation on {name!r}{other}"
        raise ApiError(422, "no_baseline", message, param)
    return scopes.finished(db, found, param)


def dataset_of(db: Connection, gate: GateIn) -> tuple[str, int]:
    """The gate's dataset and the version that counts."""
    dataset = datasets.require(db, gate.dataset, "dataset")
    return dataset.name, dataset.version


def check(
    db: Connection,
    settings: Settings,
    gate: Gate,
    candidate: Evaluation,
    alpha: float | None = None,
) -> Found:
    """The verdict on the candidate. Raises ApiError where the two cannot be compared at all.

    alpha  in place of the gate's own
    """
    asked = gate.asked
    baseline = baseline_of(db, asked, but=candidate.id)
    _check_dataset(db, asked, candidate)
    scopes.check_same_samples(db, candidate, baseline, "evaluation")
    known = _asked(db, settings, asked, baseline, candidate)
    level = asked.alpha if alpha is None else alpha
    found = _answered(known, level)
    rules = [_shown(one, found.get(at)) for at, one in enumerate(known)]
    verdict = together(
        [one.verdict for one in rules if one.tier == "critical"],
        [one.verdict for one in rules if one.tier == "supporting"],
    )
    open_ = [one for one in rules if one.tier == "critical" and one.verdict == "inconclusive"]
    more = [one.samples_to_settle for one in open_]
    counts = [one.n for one in rules if one.error is None]
    alike = [] if asked.cluster or baseline.cluster else _dependent(db, candidate, known)
    return Found(
        verdict=verdict,
        baseline=baseline.id,
        n=max(counts, default=None),
        samples_to_settle=None if None in more else max((one or 0 for one in more), default=0),
        rules=rules,
        notes=_notes(candidate, baseline) + alike,
    )


def _notes(candidate: Evaluation, baseline: Evaluation) -> list[str]:
    ended = [SETTLED] if candidate.status == "cancelled" else []
    itself = [ITSELF] if candidate.id == baseline.id else []
    return [*ended, *itself, *protocol_warnings(baseline, candidate)]


def _dependent(db: Connection, candidate: Evaluation, known: Sequence[Asked]) -> list[str]:
    """What is said of samples that are alike, where nobody named what they belong together by."""
    there = read_scores(db, [candidate.id])[candidate.id]
    theirs = [counterpart(there, one.score) for one in known]
    return dependent([*(one.score for one in known), *(one for one in theirs if one is not None)])


def _check_dataset(db: Connection, gate: GateIn, candidate: Evaluation) -> None:
    name, version = dataset_of(db, gate)
    pinned = "@" in gate.dataset or gate.dataset.startswith("ds_")
    if candidate.dataset_name != name or (pinned and candidate.dataset_version != version):
        there = f"{candidate.dataset_name}@{candidate.dataset_version}"
        message = f"{candidate.id} is on the dataset {there!r}, the gate on {gate.dataset!r}"
        raise ApiError(422, "other_dataset", message, "evaluation")


def _asked(
    db: Connection, settings: Settings, gate: GateIn, baseline: Evaluation, candidate: Evaluation
) -> list[Asked]:
    scores = read_scores(db, [baseline.id])[baseline.id]
    wanted = [
        score_named(scores, rule.score, f"rules[{at}].score") for at, rule in enumerate(gate.rules)
    ]
    left = _candidate_results(db, settings, candidate, wanted)
    right = paired_results(db, settings, wanted)
    reached = None if candidate.status == "succeeded" else _measured_ids(left)
    field = gate.cluster or baseline.cluster
    grouping = None if field is None else scopes.clustered(db, [baseline.dataset_id], field)
    known = []
    for at, (rule, score) in enumerate(zip(gate.rules, wanted, strict=True)):
        whole = _slice(db, baseline, rule, f"rules[{at}].slice")
        parts = [part for part in (whole, reached) if part is not None]
        chosen = frozenset.intersection(*parts) if parts else None
        cluster = None if grouping is None else _restricted(grouping.names, whole)
        try:
            if left[at] is None:
                raise ReportedError(f"{candidate.id} has no value of {score.name}")
            pair = pairing(
                left[at],
                right[at],
                chosen=chosen,
                grouping=grouping,
                lacking=without_rows(score),
            )
            asked = question(rule, pair, cluster, gate.sequential)
            known.append(Asked(rule, score, pair, asked))
        except ReportedError as error:
            known.append(Asked(rule, score, error=error.message))
    return known


def _candidate_results(
    db: Connection, settings: Settings, candidate: Evaluation, wanted: Sequence[Score]
) -> list[PairedResult | None]:
    """Of a succeeded evaluation, its results; of any other, what is measured so far."""
    if candidate.status == "succeeded":
        there = read_scores(db, [candidate.id])[candidate.id]
        chosen = [counterpart(there, one) for one in wanted]
        results = iter(paired_results(db, settings, [one for one in chosen if one is not None]))
        return [next(results) if one is not None else None for one in chosen]
    ids = datasets.read_ids(db, candidate.dataset_id)
    found: list[PairedResult | None] = []
    for score in wanted:
        part = measured(db, settings, candidate.id, ids, score.name)
        if part is None:
            found.append(None)
            continue
        metric, result = part
        first = ids[: len(result.missing)]
        found.append(PairedResult(metric, result, first, metric.score_names.index(score.name)))
    return found


def _measured_ids(results: Sequence[PairedResult | None]) -> frozenset[str]:
    """Ids that all results reach."""
    reached = [frozenset(one.ids) for one in results if one is not None]
    return frozenset.intersection(*reached) if reached else frozenset()


def _slice(db: Connection, baseline: Evaluation, rule: RuleIn, param: str) -> frozenset[str] | None:
    """The samples that the rule is about, measured or not; None: all."""
    if rule.slice is None:
        return None
    return scopes.sliced(db, [baseline.dataset_id], rule.slice, param)


def _restricted(names: Mapping[str, str], whole: frozenset[str] | None) -> Mapping[str, str]:
    """The clusters of a slice's samples: one is complete once all of these are measured."""
    if whole is None:
        return names
    return {id: name for id, name in names.items() if id in whole}


def _answered(known: Sequence[Asked], alpha: float) -> dict[int, Answer]:
    """By place: critical rules corrected together, each of the others by itself."""
    found: dict[int, Answer] = {}
    critical = [at for at, one in enumerate(known) if one.question and _critical(one)]
    together_ = [one.question for one in known if one.question and _critical(one)]
    if together_:
        found.update(zip(critical, answers(together_, alpha), strict=True))
    for at, one in enumerate(known):
        if one.question is not None and not _critical(one):
            found[at] = answers([one.question], alpha)[0]
    return found


def _critical(one: Asked) -> bool:
    return one.rule.tier == "critical"


def _shown(one: Asked, answer: Answer | None) -> RuleOut:
    shown = RuleOut(
        score=one.score.name,
        tier=one.rule.tier,
        slice=one.rule.slice,
        verdict="inconclusive",
        baseline=None,
        candidate=None,
        difference=None,
        margin=None,
        interval=None,
        bound=None,
        p_go=None,
        p_no_go=None,
        n=0,
        clusters=None,
        samples_to_settle=None,
        higher_is_better=one.score.higher_is_better,
        error=one.error,
    )
    if one.pair is None or one.question is None or answer is None:
        return shown
    values = one.pair.values
    shown.baseline, shown.candidate = values.b, values.a
    shown.difference, shown.margin = one.question.difference, one.question.margin
    shown.verdict, shown.interval = answer.verdict, answer.interval
    shown.bound = answer.interval[0] if answer.interval is not None else None
    shown.p_go, shown.p_no_go = answer.p_go, answer.p_no_go
    shown.n = values.samples
    shown.clusters = values.units if one.pair.names is not None else None
    if answer.more is not None:
        size = values.samples / max(one.question.units, 1)
        shown.samples_to_settle = math.ceil(answer.more * size)
    if one.question.units < 2:
        shown.note = ALONE.format("cluster" if one.pair.names is not None else "sample")
    if one.pair.unanswered and shown.verdict == "go":
        shown.verdict, shown.samples_to_settle = "inconclusive", None
        shown.note = LACKING.format(one.pair.unanswered)
    return shown
