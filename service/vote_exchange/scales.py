"""What votes from elsewhere were asked by: criteria with their scales, labels, as the file shows
them or as they are given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from service.annotation.schemas import LONGEST_SCALE, AnnotationProjectIn, CriterionIn, Form
from service.errors import invalid
from service.http.fields import Name
from service.vote_exchange.casts import Casts

Scale = tuple[int, int]

# scales that questionnaires have: the first with room for all ratings is taken
USUAL: tuple[Scale, ...] = (
    *((0, 1), (1, 5), (-1, 1), (0, 4), (-2, 2), (1, 7), (0, 5), (-3, 3), (1, 10), (0, 10)),
    *((1, 100), (0, 100)),
)
MOST_LABELS, MOST_CRITERIA = 50, 20
LABELS = TypeAdapter(Annotated[list[Name], Field(max_length=MOST_LABELS)])


@dataclass(frozen=True, slots=True)
class Given:
    """What is said of the file: scales by criterion (`""`: of all), and labels."""

    scales: Mapping[str, Scale] = field(default_factory=dict)
    labels: Sequence[str] = ()


def given(scale: str | None, labels: str | None) -> Given:
    """`1,5` or `helpfulness:1,5;safe:0,1`, and `good,bad`. Raises 422 for what is none."""
    scales: dict[str, Scale] = {}
    for part in (scale or "").split(";"):
        if part.strip():
            name, _, ends = part.rpartition(":")
            scales[name.strip()] = _scale(ends, part)
    names = [one for one in (labels or "").split(",") if one.strip()]
    try:
        found = LABELS.validate_python(names)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise invalid("bad_labels", f"labels: {said}", "labels") from None
    return Given(scales, [*dict.fromkeys(found)])


def definition(name: str, form: Form, casts: Casts, tuples: Counter[int], said: Given) -> Any:
    """The definition of a project whose votes these are, as it is stored. Raises 422 where the
    file has too many criteria or labels, or ratings too far apart to be of a scale.

    tuples  sizes of items, of best_worst
    """
    made = AnnotationProjectIn.model_construct(name=name, evaluations=[], form=form)
    if form == "likert":
        made.criteria = _criteria(casts.criteria(), said)
    elif form == "label":
        made.labels = _labels(casts.labels(), said)
    elif form == "best_worst":
        made.tuple_size = tuples.most_common(1)[0][0]
    return made.model_dump(mode="json", exclude={"gold", "seed"})


def _scale(ends: str, part: str) -> Scale:
    try:
        low, high = map(int, ends.split(","))
        CriterionIn(name="scale", scale=(low, high))
    except (ValueError, ValidationError):
        message = f"{part[:100]!r} is no scale: write 1,5, or helpfulness:1,5;safe:0,1, of whole "
        message += f"numbers and {LONGEST_SCALE} points at most"
        raise invalid("bad_scale", message, "scale") from None
    return low, high


def _criteria(found: Mapping[str, Scale], said: Given) -> list[CriterionIn]:
    if len(found) > MOST_CRITERIA:
        shown = ", ".join([*found][:MOST_CRITERIA])
        message = f"there are {len(found)} criteria, {shown}, …: {MOST_CRITERIA} is the most"
        raise invalid("too_many_criteria", message, "mapping")
    for name in said.scales:
        if name and name not in found:
            message = f"the file has no criterion {name!r}: there are {', '.join(found)}"
            raise invalid("unknown_criterion", message, "scale")
    return [CriterionIn(name=name, scale=_of(name, ends, said)) for name, ends in found.items()]


def _of(name: str, ends: Scale, said: Given) -> Scale:
    scale = said.scales.get(name, said.scales.get(""))
    if scale is not None:
        return scale
    for low, high in USUAL:
        if low <= ends[0] and ends[1] <= high:
            return low, high
    if ends[0] < ends[1] < ends[0] + LONGEST_SCALE:
        return ends
    message = f"ratings by {name!r} are from {ends[0]} to {ends[1]}: a scale has {LONGEST_SCALE} "
    message += "points at most. Say which columns are ratings (mapping), or the scale"
    raise invalid("no_scale", message, "scale")


def _labels(found: Sequence[str], said: Given) -> list[str]:
    labels = [*said.labels] or [*found]
    if len(labels) < 2:
        message = f"the file has one label, {labels[0]!r}: say which there are, as labels=good,bad"
        raise invalid("no_labels", message, "labels")
    if len(labels) > MOST_LABELS:
        message = f"there are {len(labels)} labels, and {MOST_LABELS} is the most: is it the right "
        raise invalid("too_many_labels", f"{message}column? mapping=COLUMN:label", "mapping")
    return labels
