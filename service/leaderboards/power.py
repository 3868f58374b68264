"""POST /v1/power: how many samples would show a difference, and what can these show?"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from inference.errors import ReportedError
from metrics.core.alignment import Grouping
from metrics.core.alike import taken_for_independent
from metrics.statistics.power import MOST, detectable, draws_gain, samples_needed
from service.db.tables import evaluations as table
from service.errors import invalid
from service.evaluations import outputs
from service.evaluations.schemas import VarianceOut
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Transaction
from service.http.router import Router
from service.leaderboards import scopes
from service.leaderboards.paired import PairedResult, paired_results, without_rows
from service.leaderboards.pairing import Pairing, counterpart, pairing, score_named
from service.leaderboards.power_schemas import DesignOut, DrawsOut, PowerIn, PowerOut
from service.settings import Settings

OTHERS = 5  # evaluations that a single one is paired with, at most
ALONE = (
    "no other system has this score on the dataset, so nothing tells how alike two systems' "
    "answers are: `unpaired` is what is known, and pairing needs fewer samples"
)
WORST = "paired with {} other evaluation(s) on the dataset: the least alike of them counts"
UNVARIED = (
    "what the samples say does not vary, which tells nothing of others: neither a detectable "
    "difference nor the samples for one are known"
)
ENDLESS = (
    "`samples` stops at 10^12: the effect needs as many or more, so it is too small to be shown"
)
SET_BOUND = "{} depends on the whole set: for other sizes, the numbers are rough"
TOO_FEW = "these numbers take them for independent, so they are too small"

router = Router(prefix="/v1/power", tags=["comparisons"], route_class=BodyRoute)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of which samples."""

    body: PowerIn
    chosen: Collection[str] | None
    grouping: Grouping | None

    @property
    def field(self) -> str | None:
        """That the samples belong together by."""
        return None if self.grouping is None else self.grouping.field


@router.post("", summary="How many samples a difference needs")
def analyse_power(body: PowerIn, db: Transaction, settings: CurrentSettings) -> PowerOut:
    """From the stored variance of real evaluations: samples needed, paired and unpaired, for an
    effect; the difference that as many samples as now can show; what more outputs a sample would
    give. Student's t; with `cluster`, whole clusters are what is drawn."""
    rows = _rows(db, body)
    scores = read_scores(db, [row.id for row in rows])
    first = score_named(scores[rows[0].id], body.metric, "metric")
    field = body.cluster or rows[0].cluster
    sets = [rows[0].dataset_id]
    asked = Asked(
        body,
        scopes.sliced(db, sets, body.slice) if body.slice else None,
        scopes.clustered(db, sets, field) if field is not None else None,
    )
    chosen = [first]
    for row in rows[1:]:
        there = score_named(scores[row.id], first.name, "metric")
        chosen.append(counterpart(scores[row.id], first) or there)
    results = paired_results(db, settings, chosen)
    own = _paired(asked, results[0], results[-1], without_rows(*chosen))
    others = [row.id for row in rows[1:]] or _others(db, rows[0])
    if len(rows) == 2:
        pairs = {rows[1].id: own}
    else:
        pairs = _others_paired(db, settings, asked, results[0], first, others)
    shown = _answer(asked, own, pairs, alone=len(rows) == 1)
    shown.metric = first.metric
    if field is None:
        said = [warning for one in chosen for warning in one.warnings]
        shown.notes += taken_for_independent(said, wrong=TOO_FEW)
    _add_draws(shown, db, rows, results)
    return shown


def _rows(db: Connection, body: PowerIn) -> list[Evaluation]:
    if body.evaluation is not None:
        return [scopes.finished(db, body.evaluation, "evaluation")]
    given = body.evaluations or []
    if len({*given}) < len(given):
        message = f"both are {given[0]}: name two that differ"
        raise invalid("same_evaluation", message, "evaluations[1]")
    rows = scopes.all_finished(db, given, "evaluations")
    scopes.check_same_samples(db, rows[0], rows[1], "evaluations")
    return rows


def _paired(asked: Asked, a: PairedResult | None, b: PairedResult | None, lacking: str) -> Pairing:
    try:
        return pairing(a, b, chosen=asked.chosen, grouping=asked.grouping, lacking=lacking)
    except ReportedError as error:
        raise invalid("not_comparable", error.message, "metric") from None


def _others(db: Connection, row: Evaluation) -> list[str]:
    """The newest succeeded evaluations of other systems on the dataset, one each."""
    query = (
        select(table.c.id, table.c.system)
        .where(
            table.c.dataset_id == row.dataset_id,
            table.c.system != row.system,
            table.c.status == "succeeded",
        )
        .order_by(table.c.id.desc())
        .limit(50)
    )
    newest: dict[str, str] = {}
    for id, system in db.execute(query):
        newest.setdefault(system, id)
    return list(newest.values())[:OTHERS]


def _others_paired(
    db: Connection,
    settings: Settings,
    asked: Asked,
    own: PairedResult | None,
    score: Score,
    others: Sequence[str],
) -> dict[str, Pairing]:
    """The evaluation paired with each of the others that has the score."""
    found = {id: counterpart(listed, score) for id, listed in read_scores(db, others).items()}
    there = {id: one for id, one in found.items() if one is not None}
    pairs = {}
    for id, result in zip(there, paired_results(db, settings, list(there.values())), strict=True):
        try:
            pairs[id] = pairing(own, result, chosen=asked.chosen, grouping=asked.grouping)
        except ReportedError:  # another signature, say: it tells nothing of this score
            continue
    return pairs


def _answer(asked: Asked, own: Pairing, pairs: Mapping[str, Pairing], alone: bool) -> PowerOut:
    body, values = asked.body, own.values
    root = math.sqrt(values.units)
    errors = {id: one.values.error() * math.sqrt(one.values.units) for id, one in pairs.items()}
    known = {id: error for id, error in errors.items() if math.isfinite(error)}
    worst = max(known, key=lambda id: known[id]) if known else None
    single = values.error(1.0, 0.0) * root
    if not math.isfinite(single):
        message = f"{values.units} unit(s) have no variance to compute from: at least 2 are needed"
        raise invalid("too_few_samples", message, "cluster" if asked.field else "evaluation")
    both = single if alone else math.hypot(single, values.error(0.0, 1.0) * root) / math.sqrt(2)
    notes = []
    if alone:
        notes.append(WORST.format(len(known)) if known else ALONE)
    if both == 0.0 or (worst is not None and known[worst] == 0.0):
        notes.append(UNVARIED)
    if own.metric.interval == "jackknife":
        notes.append(SET_BOUND.format(own.metric.name))
    paired = _design(asked, own, known[worst], True) if worst is not None else None
    unpaired = _design(asked, own, both, False)
    if MOST in (unpaired.samples, paired and paired.samples):
        notes.append(ENDLESS)
    return PowerOut(
        metric="",
        name=own.score.name,
        slice=body.slice,
        cluster=asked.field,
        a=values.a,
        b=None if alone else values.b,
        difference=None if alone else values.a - values.b,
        n=values.samples,
        clusters=values.units if asked.field is not None else None,
        effect=body.effect,
        power=body.power,
        alpha=body.alpha,
        one_sided=body.one_sided,
        correlation=_correlation(pairs[worst]) if worst is not None else None,
        paired=paired,
        unpaired=unpaired,
        paired_with=list(known) if alone else [],
        variance=None,
        draws=[],
        notes=notes,
    )


def _design(asked: Asked, own: Pairing, deviation: float, paired: bool) -> DesignOut:
    body, values = asked.body, own.values
    least = detectable(
        deviation, values.units, body.power, body.alpha, paired=paired, one_sided=body.one_sided
    )
    samples = _samples(asked, own, deviation, paired)
    return DesignOut(
        deviation=deviation,
        detectable=least if deviation > 0.0 and math.isfinite(least) else None,
        samples=samples,
        more=max(samples - values.samples, 0) if samples is not None else None,
    )


def _samples(asked: Asked, own: Pairing, deviation: float, paired: bool) -> int | None:
    """Samples that the effect needs, in clusters of the size they have now."""
    body, values = asked.body, own.values
    if body.effect is None or deviation == 0.0:
        return None
    units = samples_needed(
        deviation, body.effect, body.power, body.alpha, paired=paired, one_sided=body.one_sided
    )
    return min(math.ceil(units * values.samples / values.units), MOST)


def _correlation(one: Pairing) -> float | None:
    """Of what the same samples say of the two systems."""
    a, b, both = (one.values.error(*x) for x in ((1.0, 0.0), (0.0, 1.0), (1.0, -1.0)))
    return (a * a + b * b - both * both) / (2 * a * b) if a and b else None


def _add_draws(
    shown: PowerOut,
    db: Connection,
    rows: Sequence[Evaluation],
    results: Sequence[PairedResult | None],
) -> None:
    """What more outputs a sample would give, where a score's variance tells draws from questions.

    Of a difference, both systems' draws are noise; what is left of its variance are the questions.
    """
    noise = [_draws_of(one) for one in results]
    outputs_now = round(_outputs_of(db, rows[0]))
    if any(one is None for one in noise) or outputs_now < 2:
        return
    parts = [one for one in noise if one is not None]
    draws = sum(part.draws for part in parts)
    questions = parts[0].questions
    if len(parts) == 2 and shown.paired is not None:
        units = shown.clusters or shown.n
        questions = max(shown.paired.deviation**2 / units - draws, 0.0)
    shown.variance = VarianceOut(questions=questions, draws=draws)
    for count, ratio in draws_gain(questions, draws * outputs_now, outputs_now):
        shown.draws.append(
            DrawsOut(
                outputs=count or None,
                error_ratio=ratio,
                samples=_samples_with(shown, ratio),
            )
        )


def _samples_with(shown: PowerOut, ratio: float) -> int | None:
    """Samples that the effect needs where the standard error is `ratio` of what it is."""
    design = shown.paired or shown.unpaired
    if shown.effect is None or design.deviation == 0.0:
        return None
    units = samples_needed(
        design.deviation * ratio,
        shown.effect,
        shown.power,
        shown.alpha,
        paired=shown.paired is not None,
        one_sided=shown.one_sided,
    )
    return min(math.ceil(units * shown.n / (shown.clusters or shown.n)), MOST)


def _draws_of(result: PairedResult | None) -> VarianceOut | None:
    """The parts of the score's variance, as they were stored with it."""
    stored = result.result.scores[result.index].variance if result is not None else None
    if stored is None:
        return None
    return VarianceOut(questions=stored.questions, draws=stored.draws)


def _outputs_of(db: Connection, row: Evaluation) -> float:
    """Outputs a sample, on average."""
    counts = outputs.counts(db, row.id)
    return sum(counts.values()) / max(len(counts), 1)
