"""Format: does an output have the form that was asked for?

Conventions
    What stands in `<think>…</think>` is cut first, then the spaces around the rest and, with
    `fenced`, a code fence around all of it. Then hold, of what the parameters ask for,
        json     it is JSON (no NaN), and valid by `json_schema`; `{}` takes any JSON. References to
                 other documents are refused; patterns in it are of linear time (Rust's `regex`)
        pattern  the regular expression matches somewhere; `^…$` for all of it
        length   it has at least and at most so many characters and words; a Han or kana character
                 is a word
    `format` is 1 where all of them hold, else 0; the others are shown beside it. Several outputs
    of a sample are averaged; the value is the mean over samples. What takes too long to decide is
    missing. 0..1, higher is better. Without parameters an output only has to have a character.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> samples = [Sample("1", ("Да, конечно.",)), Sample("2", ("Нет",))]
    >>> (result,) = score(samples, [METRIC.bind({"pattern": "^(Да|Нет)$"})])
    >>> {found.name: found.value for found in result.scores}
    {'format': 0.5, 'pattern': 0.5, 'length': 1.0}
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from inference.batching import plan_in_order
from inference.errors import InputError
from inference.protocol import Models
from inference.protocols.answers import PATTERN_SECONDS, without_thoughts
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Sample, Score, Source
from metrics.core.rows import mean
from metrics.text.bounded import Bounded
from metrics.text.normalization import words

PROCESS = Bounded(Path(__file__).parent / "text" / "schema_process.py")  # starts when it is asked
SECONDS = 5.0  # that the process may take for so many texts
TOGETHER = 64
FAILURES = 3  # after which a schema is taken to be too dear
BATCH = 1024  # outputs between two reports of progress
UNDECIDED = 1
FENCE = re.compile(r"```[\w+-]{0,30}[ \t]*\n(.*)\n```", re.DOTALL)

Verdict = float  # 1, 0, or NaN where there is none


class FormatParams(Params):
    """What is asked of an output; the rest may be anything."""

    json_schema: dict[str, Any] | None = Field(
        None, description="what the output has to be valid by; {}: any JSON"
    )
    pattern: str | None = Field(
        None, min_length=1, max_length=2000, description="has to match somewhere in the output"
    )
    min_characters: int = Field(1, ge=0)
    max_characters: int | None = Field(None, ge=0)
    min_words: int = Field(0, ge=0)
    max_words: int | None = Field(None, ge=0)
    fenced: bool = Field(True, description="a code fence around the whole output is cut off")

    @model_validator(mode="after")
    def _is_a_pattern(self) -> Self:
        import regex

        try:
            regex.compile(self.pattern or "")
        except (regex.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{self.pattern!r} is no regular expression: {error}") from None
        return self

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of what is asked for beside `format` itself."""
        json_asked = ("json",) if self.json_schema is not None else ()
        return (*json_asked, *(("pattern",) if self.pattern is not None else ()), "length")


def check(params: FormatParams, samples: Sequence[Sample]) -> None:
    """Raises InputError for a schema that is none."""
    if params.json_schema is not None:
        _valid([], params.json_schema)


def measure(items: Sequence[Item], params: FormatParams, models: Models) -> Evidence:
    """Rows (format, each of what is asked, 1)."""
    texts = [stripped(item.output, params.fenced) for item in items]
    columns: list[Sequence[Verdict]] = []
    if params.json_schema is not None:
        columns.append(_valid(texts, params.json_schema))
    if params.pattern is not None:
        columns.append([_matches(params.pattern, text) for text in texts])
    columns.append([float(_fits(text, params)) for text in texts])
    each = np.array(columns, np.float64).T  # (n_items, asked)
    known = np.isfinite(each.sum(1))
    each = np.where(known.reshape(-1, 1), each, 0)
    rows = np.concatenate([each.min(1, keepdims=True), each, np.ones((len(texts), 1))], 1)
    return Evidence.of_rows(rows.astype(np.uint8), np.where(known, 0, UNDECIDED).tolist())


def stripped(output: str, fenced: bool) -> str:
    """An output without thoughts and fence; nothing where the thoughts have no end."""
    text = without_thoughts(output) or ""
    found = FENCE.fullmatch(text) if fenced and text.startswith("```") else None
    return found[1].strip() if found else text


def _valid(texts: Sequence[str], schema: dict[str, Any]) -> list[Verdict]:
    """Of each text whether it is valid; those that the process fails at are asked one by one, until
    some more have failed."""
    written, failed = json.dumps(schema), 0
    found: list[Verdict] = []
    for start in range(0, max(len(texts), 1), TOGETHER):
        part = list(texts[start : start + TOGETHER])
        told = _told(written, part) if failed < FAILURES else None
        if told is not None:
            found += told
            continue
        for text in part:
            single = _told(written, [text]) if failed < FAILURES else None
            failed += single is None
            found.append(single[0] if single else np.nan)
    return found


def _told(schema: str, texts: list[str]) -> list[Verdict] | None:
    answer = PROCESS.ask({"schema": schema, "texts": texts}, SECONDS)
    if answer is None:
        return None
    if "error" in answer:
        raise InputError(f"json_schema is no schema: {answer['error']}", "params.json_schema")
    return [float(valid) for valid in answer["valid"]]


def _matches(pattern: str, text: str) -> Verdict:
    import regex

    try:
        return float(regex.search(pattern, text, timeout=PATTERN_SECONDS) is not None)
    except TimeoutError:
        return np.nan


def _fits(text: str, params: FormatParams) -> bool:
    most = params.max_characters
    if len(text) < params.min_characters or (most is not None and len(text) > most):
        return False
    if not params.min_words and params.max_words is None:
        return True
    count = len(words(text, spaceless=True))
    return params.min_words <= count and (params.max_words is None or count <= params.max_words)


ABOUT = {
    "json": "share that is JSON and valid by the schema",
    "pattern": "share that the pattern matches",
    "length": "share of the length that is asked for",
}


def scores(params: FormatParams) -> tuple[Score, ...]:
    """`format`, and one for each of what is asked."""
    return (
        Score("format", higher_is_better=True, high=1.0, about="share that has all of the form"),
        *(Score(name, True, 0.0, 1.0, ABOUT[name]) for name in params.asked),
    )


METRIC = Metric(
    name="format",
    version=1,
    about="Share of outputs in the form that was asked for: JSON by a schema, pattern, length.",
    formula="share of outputs that are valid by the schema, match the pattern, and fit the length",
    avoid="Content: an output may have the form and say nothing.",
    params=FormatParams,
    reads=("output",),
    needs=(),
    scores=scores,
    interval="wilson",
    pooling="average",
    source=Source(
        paper="JSON Schema, draft 2020-12 and those before; Zhou et al. 2023, arXiv:2311.07911",
        reference="jsonschema_rs 0.60.3, jsonschema; the `regex` package",
    ),
    measure=measure,
    reduce=mean,
    check=check,
    plan=lambda items, params, models: plan_in_order([1] * len(items), BATCH, BATCH),
    libraries=lambda params: ("jsonschema_rs",) if params.json_schema is not None else (),
    flags={UNDECIDED: Flag("it takes too long to decide", missing=True, lasting=False)},
)
