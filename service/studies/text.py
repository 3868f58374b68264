"""The plan of a study in words: Markdown, in the project's language."""

from __future__ import annotations

import math
from collections.abc import Mapping

from service.studies.pilots import LEAST_ANNOTATORS, LEAST_VOTES
from service.studies.schemas import StudyIn, StudyOut
from service.studies.words import ANALYSIS, CANNOT, FORMS, MEASURES, WORDS

TWO_SYSTEMS = math.sqrt(2)  # a difference's half-width in those of its parts, at most
TOLD = 1.43  # half-widths of a difference that is found with a power of 0.8, at 95%


def text(study: StudyOut, asked: StudyIn, there: int | None) -> str:
    """The form, how many, checks, analysis, and what it cannot tell. `there`: items of the project;
    None where there is none yet."""
    language, words = asked.language, WORDS[asked.language]
    values = _values(study, asked, there)
    parts: dict[str, list[str]] = {
        "form": [FORMS[language][study.form]],
        "many": [words[name] for name in _of_numbers(study, there)],
        "checks": [
            words["gold" if study.gold else "no_gold"],
            words["repeats" if asked.repeats else "no_repeats"],
        ],
        "analysis": [
            ANALYSIS[language][study.form],
            *(words[name] for name in ("intervals", "agreement", _compared(study), "stopping")),
        ],
        "cannot": [*(words[name] for name in _unseen(study)), CANNOT[language][study.form]],
    }
    lines = [
        f"## {words[title]}\n\n" + "\n".join(f"- {one.format(**values)}" for one in said)
        for title, said in parts.items()
    ]
    return "\n\n".join(lines) + "\n"


def _of_numbers(study: StudyOut, there: int | None) -> list[str]:
    names = ["wanted", "items", "people", "expected", study.spread.source]
    if there is not None:
        names.insert(2, "missing" if there < study.items else "enough")
    return names


def _compared(study: StudyOut) -> str:
    return {1: "none", 2: "one"}.get(study.systems, "several")


def _unseen(study: StudyOut) -> list[str]:
    names = ["others"]
    if study.form == "pairwise" and study.systems > 2:
        names.insert(0, "prompts")
    return ["small", *names] if study.systems > 1 else names


def _values(study: StudyOut, asked: StudyIn, there: int | None) -> Mapping[str, object]:
    numbers = {
        "wanted": study.wanted,
        "half_width": study.half_width,
        "design_effect": study.design_effect,
        "level": 100 * study.level,
        "repeats": 100 * asked.repeats,
        "least": _least(study),
    }
    spread = {
        "deviation": f"{study.spread.deviation:.3g}",
        "of_items": round(100 * study.spread.of_items),
        "of_annotators": round(100 * study.spread.of_annotators),
    }
    return {
        **{name: f"{value:.3g}" for name, value in numbers.items()},
        "measure": MEASURES[asked.language][study.measure],
        "items": study.items,
        "items_each": study.items_each,
        "overlap": study.overlap,
        "votes": study.votes,
        "systems": study.systems,
        "annotators": study.annotators,
        "votes_each": study.votes_each,
        "gold": study.gold,
        "pairs": study.systems * (study.systems - 1) // 2,
        "there": there,
        "missing": max(study.items - (there or 0), 0),
        "pilot": study.spread.votes,
        "spread": WORDS[asked.language]["spread"].format(**spread),
        "least_votes": LEAST_VOTES,
        "least_people": LEAST_ANNOTATORS,
    }


def _least(study: StudyOut) -> float:
    """A difference that is mostly found. Two systems' win rates are 1 in all: one tells the other,
    and they differ by twice what it is from ½."""
    two = 2.0 if study.form == "pairwise" and study.systems == 2 else TWO_SYSTEMS
    return two * TOLD * study.half_width
