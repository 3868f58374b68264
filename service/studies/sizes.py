"""How many people and items a project takes, for intervals of systems of a wanted half-width.

An item is of one system where each is judged by itself, of two where pairs are compared, of several
where there are tuples. What `metrics.statistics.studies` says of one system is multiplied, and a
person's votes divided, by how many items there are for each that a system is in. Items are thought
to be of different samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import Connection

from metrics.statistics.studies import PAIRWISE, Spread, Study, likert, needed
from service.annotation import store
from service.annotation.admission import MOST_SLOTS
from service.annotation.schemas import OUTPUTS
from service.annotation.store import Project
from service.errors import ApiError, invalid
from service.studies.pilots import Pilot, pilot
from service.studies.schemas import Measure, SpreadOut, StudyIn, StudyOut
from service.studies.text import text

MEASURES: dict[str, Measure] = {
    "pairwise": "win_rate",
    "likert": "rating",
    "best_worst": "best_less_worst",
    "label": "label_share",
    "edit": "kept_share",
}
LABELS = Spread(0.5, 0.3, 0.1)  # of a label that half of the outputs have
LEAST_SYSTEMS = {"pairwise": 2, "best_worst": 3}
NO_PILOT = Pilot(None, None, 0, "there is no pilot yet")


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest that a system's value can be."""

    low: float
    high: float


def before(asked: StudyIn) -> StudyOut:
    """A study for a project that is not made yet. Raises 422 for what no study can be."""
    return _study(asked, NO_PILOT, None)


def of_project(db: Connection, project: Project, half_width: float, level: float) -> StudyOut:
    """A study for a project, of the spread of its own votes where they are enough."""
    known = project.definition
    scales = [one["scale"] for one in known["criteria"] if one["scale"] is not None]
    has = store.progress(db, [project.id])[project.id]
    asked = StudyIn(
        form=known["form"],
        half_width=half_width,
        scale=max(scales, key=lambda one: one[1] - one[0]) if scales else None,
        systems=len({one["system"] for one in project.systems}),
        tuple_size=known["tuple_size"],
        overlap=project.overlap,
        per_annotator=project.per_annotator,
        gold_rate=known["gold_rate"] if has.gold else 0.0,
        repeats=known["repeats"],
        level=level,
        language=known["language"],
    )
    return _study(asked, pilot(db, project), has.items)


def _study(asked: StudyIn, found: Pilot, items: int | None) -> StudyOut:
    _check(asked)
    shown = min(OUTPUTS.get(asked.form, asked.tuple_size), asked.systems)
    share = asked.systems / shown  # items, for each that a system is in
    own = max(int(asked.per_annotator * (1 - asked.gold_rate - asked.repeats)), 1)
    votes = found.spread or _assumed(asked, shown)
    each = _needed(asked, votes, max(int(own / share), 1))
    total = math.ceil(each.items * share)
    if total * asked.overlap > MOST_SLOTS:
        raise _too_narrow(asked)
    return _view(asked, found, votes, each, total, own, items)


def _needed(asked: StudyIn, votes: Spread, most: int) -> Study:
    """`most`: votes of a person on one system."""
    try:
        return needed(asked.half_width, votes, overlap=asked.overlap, most=most, level=asked.level)
    except ValueError:
        raise _too_narrow(asked) from None


def _too_narrow(asked: StudyIn) -> ApiError:
    message = f"± {asked.half_width:g} takes more than the {MOST_SLOTS} votes that a project can "
    return invalid("too_narrow", f"{message}have: ask for a wider interval", "half_width")


def _view(
    asked: StudyIn,
    found: Pilot,
    votes: Spread,
    each: Study,
    total: int,
    own: int,
    there: int | None,
) -> StudyOut:
    """`total`: items; `own`: a person's votes that are not for attention; `there`: items that the
    project has."""
    annotators = max(each.annotators, -(-total * asked.overlap // own))
    votes_each = -(-total * asked.overlap // annotators)
    rate = asked.gold_rate
    study = StudyOut(
        form=asked.form,
        measure=MEASURES[asked.form],
        level=asked.level,
        wanted=asked.half_width,
        half_width=each.half_width,
        systems=asked.systems,
        items=total,
        items_each=each.items,
        overlap=asked.overlap,
        votes=total * asked.overlap,
        annotators=annotators,
        votes_each=votes_each,
        gold=math.ceil(votes_each * rate / (1 - rate)),
        design_effect=each.design_effect,
        spread=SpreadOut(
            source="assumed" if found.spread is None else "pilot",
            deviation=votes.deviation,
            of_items=votes.of_items,
            of_annotators=votes.of_annotators,
            of=found.of,
            votes=found.votes,
            why=found.why,
        ),
        text="",
    )
    return study.model_copy(update={"text": text(study, asked, there)})


def _check(asked: StudyIn) -> None:
    """Raises 422 for too few systems, ratings without a scale, and intervals that say
    nothing."""
    least = LEAST_SYSTEMS.get(asked.form, 1)
    if asked.systems < least:
        message = f"{asked.form} compares {least} systems at least"
        raise invalid("too_few_systems", message, "systems")
    if asked.form == "likert" and asked.scale is None:
        raise invalid("no_scale", 'ratings have a scale, as "scale": [1, 5]', "scale")
    within = _range(asked)
    if asked.half_width >= (within.high - within.low) / 2:
        message = f"values are from {within.low:g} to {within.high:g}: "
        message += f"± {asked.half_width:g} is all of them, ask for less"
        raise invalid("too_wide", message, "half_width")


def _range(asked: StudyIn) -> Range:
    if asked.form == "likert" and asked.scale is not None:
        return Range(*asked.scale)
    return Range(-1.0, 1.0) if asked.form == "best_worst" else Range(0.0, 1.0)


def _assumed(asked: StudyIn, shown: int) -> Spread:
    """Where no pilot tells. Of best and worst, a system of middling strength is either as often as
    any other of the `shown`."""
    if asked.form == "pairwise":
        return PAIRWISE
    if asked.form == "best_worst":
        return Spread(math.sqrt(2 / shown), PAIRWISE.of_items, PAIRWISE.of_annotators)
    if asked.form == "label":
        return LABELS
    within = _range(asked)
    return likert(within.low, within.high)
