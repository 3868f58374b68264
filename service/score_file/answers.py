"""What `assay score` answers, as tables: of scores, and of tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from pydantic import BaseModel, ConfigDict

from metrics.core.metric import BoundMetric
from metrics.core.result import Result
from metrics.suites.wording import Lang
from service.figures.data import as_csv
from service.figures.html import as_html
from service.figures.latex import as_latex
from service.figures.markdown import as_markdown
from service.figures.table import Bar, Panel, Table, extended, tabulate
from service.figures.words import digits, headed, legend, stars
from service.score_file.comparing import PairedTest
from service.score_file.report import Scored
from service.score_file.wording import WORDS, many, told

DOCUMENTS: Mapping[str, Callable[[Table], bytes]] = {
    "csv": as_csv,
    "markdown": as_markdown,
    "md": as_markdown,
    "latex": as_latex,
    "html": as_html,
}
MOST_NAMED = 8  # scores that a note is of


class ScoreRow(BaseModel):
    """A score as tables have it."""

    model_config = ConfigDict(from_attributes=True)

    metric: str
    name: str
    value: float | None
    interval: tuple[float, float] | None
    level: float
    n: int
    missing: int
    clusters: int | None
    design_effect: float | None
    higher_is_better: bool
    judged: bool
    signature: str
    interval_method: str
    warnings: list[str]
    error: str | None
    slice: str | None


def score_table(scored: Scored, lang: Lang = "en") -> Table:
    """A row for each score, with its interval, its slices below it; then what was noted, and the
    signatures."""
    say = WORDS[lang]
    made, directions = rows_of(scored), scored.directions
    labels = [headed(one.name, directions[f"{one.metric}.{one.name}"]) for one in made]
    effects = [f"{x:.2f}" if (x := one.design_effect) is not None else None for one in made]
    columns, rows = tabulate(ScoreRow, made, {}, {"label": labels, "effect": effects})
    missing = [
        {"metric": x.metric, "left_out": x.reason, "instead": x.instead} for x in scored.left_out
    ]
    columns, rows, more = extended(columns, rows, ["left_out", "instead"], missing)
    titles = {"label": say["score"], "slice": say["slice"], "value": say["value"]}
    titles |= {"interval": say["interval"].format(level=made[0].level), "n": "n"}
    titles |= {"clusters": say["clusters"], "effect": say["effect"]}
    if any(one.missing for one in made):
        titles["missing"] = say["missing"]
    noted = [(_of(one), one.error) for one in made if one.error]
    noted += [(_of(one), warning) for one in made for warning in one.warnings]
    signatures = dict.fromkeys(one.signature for one in made if one.slice is None)
    return Table(
        name="scores",
        title=f"{scored.file}: {many(len(scored.samples), lang)}",
        columns=columns,
        rows=rows,
        titles=titles,
        digits=[digits(one.value, one.interval) for one in made],
        legend=[("↑ ↓", say["arrows"])] if any(one.judged for one in made) else [],
        more=more,
        notes=[*told(scored.left_out, lang), *scored.notes, *_noted(noted), *signatures],
        panels=_panels(scored.asked, made),
    )


def rows_of(scored: Scored) -> list[ScoreRow]:
    """Every score, a score's slices behind it."""
    return [ScoreRow.model_validate(one) for one in scored.told()]


def paired_table(
    samples: int, found: Sequence[PairedTest], names: tuple[str, str], notes: Sequence[str]
) -> Table:
    """A row for each test; the better value is bold, stars where the difference is significant.

    samples  that both files have
    """
    said = {"a": names[0], "b": names[1], "open": "not shown", "withheld": "no verdict"}
    said |= {"neither": "neither"}
    better = [said[one.verdict] if one.verdict else "not tested" for one in found]
    columns, rows = tabulate(PairedTest, found, {}, {"label": _labels(found), "outcome": better})
    marks = {
        (at, "difference"): stars(one.p_corrected)
        for at, one in enumerate(found)
        if one.verdict in {"a", "b", "neither"}
    }
    titles = {"label": "score", "a": names[0], "b": names[1], "difference": "difference"}
    titles |= {"interval": _interval(found), "p_corrected": "p"}
    if len({one.n for one in found}) > 1 or found[0].n != samples:
        titles["n"] = "n"  # else the title says it
    titles |= {"clusters": "clusters", "outcome": "better"}
    best = frozenset((at, one.verdict) for at, one in enumerate(found) if one.verdict in {"a", "b"})
    noted = [(one.name, one.note) for one in found if one.note]
    return Table(
        name="comparison",
        title=f"{names[0]} and {names[1]}: {many(samples)} of both",
        columns=columns,
        rows=rows,
        titles=titles,
        digits=[digits(one.difference, one.interval) for one in found],
        best=best,
        marks={at: mark for at, mark in marks.items() if mark},
        legend=[
            *([("↑ ↓", WORDS["en"]["arrows"])] if any(one.judged for one in found) else []),
            *([("bold", "the better value")] if best else []),
            *legend(list(marks.values()), "the two differ; p is corrected after Holm"),
        ],
        notes=[*notes, *_noted(noted), *dict.fromkeys(one.signature for one in found)],
        panels=[Panel(one.name, [_bar(one)], zero=True) for one in found],
    )


def paired_json(
    found: Sequence[PairedTest], names: tuple[str, str], samples: int, notes: Sequence[str]
) -> str:
    """The tests, and what they are of."""
    tested = [one.model_dump() for one in found]
    given = {"a": names[0], "b": names[1], "samples": samples}
    return _json({**given, "correction": "holm", "notes": list(notes), "results": tested})


def some_value(results: Iterable[Result]) -> bool:
    """Whether some metric gave one."""
    return any(value.value is not None for result in results for value in result.scores)


def failed(results: Iterable[Result]) -> bool:
    """Whether some metric gave no value."""
    return any(value.error for result in results for value in result.scores)


def _panels(asked: Sequence[BoundMetric], made: Sequence[ScoreRow]) -> list[Panel]:
    """Scores of the same range, one after another, are on one scale."""
    ends: dict[tuple[str, str], tuple[float, float] | str] = {
        (metric.name, score.name): (score.low, score.high)
        for metric in asked
        for score in metric.scores
        if score.high - score.low < float("inf")
    }
    grouped = groupby(made, key=lambda one: ends.get((one.metric, one.name), one.name))
    return [
        Panel(
            "",
            [Bar(_of(one), one.value, one.interval) for one in group],
            ends=None if isinstance(scale, str) else scale,
        )
        for scale, group in grouped
    ]


def _noted(found: Sequence[tuple[str, str]]) -> list[str]:
    """Each sentence once, behind the scores that it is of."""
    of: dict[str, list[str]] = {}
    for name, sentence in found:
        of.setdefault(sentence, []).append(name)
    return [f"{_several(list(dict.fromkeys(names)))}: {said}" for said, names in of.items()]


def _several(names: Sequence[str]) -> str:
    """The names, and of many the first ones and how many more."""
    more = len(names) - MOST_NAMED
    return ", ".join([*names[:MOST_NAMED], *([f"+{more}"] if more > 0 else [])])


def _bar(one: PairedTest) -> Bar:
    return Bar(one.name, one.difference, one.interval)


def _of(one: ScoreRow) -> str:
    return one.name if one.slice is None else f"{one.name} {one.slice}"


def _labels(made: Sequence[PairedTest]) -> list[str]:
    return [headed(one.name, one.higher_is_better if one.judged else None) for one in made]


def _interval(made: Sequence[ScoreRow] | Sequence[PairedTest]) -> str:
    return f"{made[0].level:.0%} interval"


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2)
