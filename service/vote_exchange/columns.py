"""Which form the votes of a file have, and which columns are which fields: by their names, or by a
mapping, `left:output_a,verdict:winner`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from metrics.core.names import plain
from service.annotation.schemas import Form
from service.datasets import mappings
from service.errors import invalid

WIDEST = 10  # from the least to the greatest of what is taken for ratings unasked
ANY = {
    "question": "question question_id sample sample_id item id",
    "prompt": "prompt instruction user_prompt input query question_text промпт запрос вопрос",
    "annotator": "annotator judge judge_hash annotator_id rater rater_id user_id worker worker_id "
    "evaluation_session_id разметчик аннотатор",
    "comment": "comment reason feedback комментарий",
    "seconds": "seconds",
}
PAIR = {
    "model_a": "model_a system_a model_1 system_1 model_left",
    "model_b": "model_b system_b model_2 system_2 model_right",
    "output_a": "output_a response_a answer_a completion_a conversation_a text_a output_1 "
    "response_1 answer_1 text_1",
    "output_b": "output_b response_b answer_b completion_b conversation_b text_b output_2 "
    "response_2 answer_2 text_2",
    "winner": "winner choice vote preference verdict",
    "winner_a": "winner_a winner_model_a",
    "winner_b": "winner_b winner_model_b",
    "winner_tie": "winner_tie",
}
ONE = {
    "system": "system model model_name model_id система модель",
    "output": "output response completion answer text prediction generation ответ",
}
RATED = ONE | {
    "rating": "rating score stars оценка балл",
    "criterion": "criterion aspect dimension критерий",
    "ratings": "ratings",
}
LABELLED = ONE | {"label": "label class category choice verdict метка класс"}
EXTREMES = {
    "systems": "systems models",
    "outputs": "outputs responses",
    "best": "best best_output лучший",
    "worst": "worst worst_output худший",
    **{
        f"{side}_{letter}": f"{side}_{letter}"
        for letter in "abcdefgh"
        for side in ("model", "output")
    },
}
NAMES: dict[Form, dict[str, str]] = {
    "pairwise": ANY | PAIR,
    "likert": ANY | RATED,
    "label": ANY | LABELLED,
    "best_worst": ANY | EXTREMES,
}
NEEDED: dict[Form, tuple[str, ...]] = {
    "pairwise": ("model_a", "model_b", "winner"),
    "likert": ("system", "rating"),
    "label": ("system", "label"),
    "best_worst": ("best", "worst"),
}
INSTEAD = {"winner": {"winner_a", "winner_b"}, "rating": {"ratings"}}  # of a field, others
FIELDS = [*dict.fromkeys(name for names in NAMES.values() for name in names)]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a file are.

    fields    by column
    criteria  by the column of its ratings, where it has several
    """

    form: Form
    fields: Mapping[str, str]
    criteria: Mapping[str, str] = field(default_factory=dict)


def parsed(mapping: str | None) -> dict[str, str]:
    """`left:output_a,verdict:winner` as fields by column. Raises 422 for what is no field."""
    return mappings.parsed(mapping, FIELDS, example="left:output_a", many=("rating",))


def layout(
    rows: Sequence[Mapping[str, Any]],
    mapping: Mapping[str, str],
    form: Form | None,
    given: Mapping[str, str],
    criteria: Sequence[str] = (),
) -> Layout:
    """What the columns of a file are, by its first rows. Raises 422 for a mapping of other columns,
    where what is needed is nowhere, and where the form could be two.

    form      None: by the columns
    given     fields that are the same in all rows, and no column
    criteria  of a project that the ratings are for; none: whatever the file has
    """
    columns = dict.fromkeys(column for row in rows for column in row)
    mappings.check_columns(mapping, columns)
    form = form or _form(columns, mapping)
    taken = {column: name for column, name in mapping.items() if name in NAMES[form]}
    by_name = _by_name(columns)
    for name, spellings in NAMES[form].items():
        if name not in taken.values():
            taken |= dict.fromkeys(islice(_spelled(by_name, taken, spellings), 1), name)
    found: dict[str, str] = {}
    if form == "likert" and not {"criterion", "ratings"} & {*taken.values()}:
        found = _criteria(rows, columns, taken, criteria)
        taken |= dict.fromkeys(found, "rating")
    _check_needed(columns, form, {*taken.values(), *given})
    return Layout(form, taken, found)


def _form(columns: Mapping[str, object], mapping: Mapping[str, str]) -> Form:
    there, by_name = {*mapping.values()}, _by_name(columns)
    for names in NAMES.values():
        for name, spellings in names.items():
            there |= {name} if any(_spelled(by_name, mapping, spellings)) else set()
    if {"best", "worst"} <= there:
        return "best_worst"
    if {"model_a", "model_b", "output_a", "winner_a"} & there:
        return "pairwise"
    rated = bool({"rating", "criterion", "ratings"} & there)
    if rated and "label" in there:
        message = "the file has ratings and labels: say form=likert or form=label"
        raise invalid("ambiguous_form", message, "form")
    if "label" in there:
        return "label"
    return "likert" if rated or {"system", "output"} & there else "pairwise"


def _by_name(columns: Mapping[str, object]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for column in columns:
        found.setdefault(plain(column), []).append(column)
    return found


def _spelled(
    by_name: Mapping[str, Sequence[str]], taken: Mapping[str, str], spellings: str
) -> Iterator[str]:
    """Columns of these names that are taken for nothing yet, in the names' order."""
    for one in spellings.split():
        yield from (column for column in by_name.get(plain(one), ()) if column not in taken)


def _criteria(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, object],
    taken: Mapping[str, str],
    criteria: Sequence[str],
) -> dict[str, str]:
    """Criteria by their columns: those that are mapped or of a rating's name, those of a project,
    else all with whole numbers near each other."""
    said = [column for column, name in taken.items() if name == "rating"]
    known = {plain(one): one for one in criteria}
    of_project = {one: known[plain(one)] for one in columns if plain(one) in known}
    if of_project:
        return of_project
    if len(criteria) == 1 and len(said) == 1:
        return {said[0]: criteria[0]}
    rest = [one for one in columns if one not in taken]
    named = [one for one in rest if plain(one).endswith(("rating", "score"))]
    near = [
        one for one in rest if _near([row[one] for row in rows if row.get(one) not in (None, "")])
    ]
    return {one: one for one in said or named or near}


def _near(values: Sequence[Any]) -> bool:
    whole = [_whole(value) for value in values]
    found = [value for value in whole if value is not None]
    return bool(found) and len(found) == len(whole) and max(found) - min(found) <= WIDEST


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) else float("nan")
    except (ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None


def _check_needed(columns: Mapping[str, object], form: Form, there: set[str]) -> None:
    for name in NEEDED[form]:
        if name not in there and not INSTEAD.get(name, {name}) <= there:
            shown = ", ".join(map(repr, islice(columns, 20))) or "none"
            message = f"no column is taken for {name}, which votes of the form {form} need: there "
            message += f"are {shown}; say which it is, as mapping=COLUMN:{name}"
            others = "" if name != "system" else ", or whose outputs these are, as system=NAME"
            raise invalid("unknown_columns", message + others, "mapping")
