"""A file's scores as they are written: JSON, CSV, a page, and the forms that any table has."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from metrics.suites.choosing import Chosen
from metrics.suites.wording import Lang, picked, worded
from service.figures.data import as_csv
from service.figures.latex import as_latex
from service.figures.markdown import as_markdown
from service.figures.table import Column
from service.score_file.answers import score_table
from service.score_file.page import as_page
from service.score_file.report import Scored, details


def as_json(scored: Scored, lang: Lang) -> bytes:
    """The scores and slices as an evaluation carries them, and what the samples' values tell."""
    told = details(scored)
    rows = list(scored.told())
    ids = [sample.id for sample in scored.samples]
    content = {
        "samples": len(ids),
        "suite": _suite(scored.chosen, lang) if scored.chosen is not None else None,
        "scores": [row for row in rows if row["slice"] is None],
        "slices": [row for row in rows if row["slice"] is not None],
        "left_out": [dataclasses.asdict(one) for one in scored.left_out],
        "notes": list(scored.notes),
        "distributions": [dataclasses.asdict(one) for one in told.distributions],
        "worst": [
            {
                **{"metric": one.metric, "score": one.score},
                "samples": [{"id": ids[at], "value": value} for at, value in one.samples],
            }
            for one in told.worst
        ],
        "correlations": [dataclasses.asdict(one) for one in told.correlations],
    }
    return json.dumps(content, ensure_ascii=False, indent=2).encode()


def as_rows(scored: Scored, lang: Lang) -> bytes:
    """The scores as CSV, each with its correlations to the others as JSON."""
    table, told = score_table(scored, lang), details(scored)
    own: dict[tuple[str, str], dict[str, Any]] = {}
    for one in told.correlations:
        numbers = dataclasses.asdict(one)
        del numbers["a"], numbers["b"]
        for name, other in ((one.a, one.b), (one.b, one.a)):
            own.setdefault(told.mains[name], {})[other] = numbers
    cells = [
        None if name is not None else own.get((metric, value.name))
        for metric, name, value in scored.values()
    ]
    columns = [*table.columns, Column("correlations", "json")]
    rows = [[*row, cell] for row, cell in zip(table.rows, cells, strict=True)]
    more = [[*row, None] for row in table.more]
    return as_csv(dataclasses.replace(table, columns=columns, rows=rows, more=more))


def _suite(chosen: Chosen, lang: Lang) -> dict[str, Any]:
    suite = worded(chosen.suite, lang)
    entries = [(one.metric.name, one.entry.name, said) for one, said in picked(chosen, lang)]
    return {
        "name": suite.name,
        "about": suite.about,
        "language": chosen.language,
        "metrics": [
            {"name": name, "in_place_of": entry if entry != name else None,
             "why": said.why, "cannot_see": said.cannot_see}
            for name, entry, said in entries
        ],
    }  # fmt: skip


FORMS: Mapping[str, Callable[[Scored, Lang], bytes]] = {
    "json": as_json,
    "csv": as_rows,
    "html": as_page,
    "markdown": lambda scored, lang: as_markdown(score_table(scored, lang)),
    "md": lambda scored, lang: as_markdown(score_table(scored, lang)),
    "latex": lambda scored, lang: as_latex(score_table(scored, lang)),
}
