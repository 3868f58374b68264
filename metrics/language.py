"""Language: is the output in the language that was asked for?

Conventions
    1 when the output's most likely language is the wanted one, else 0: that of the prompt, of the
    references (any of them), the ISO 639-1 code given as `language`, or each sample's own code, of
    its metadata `language` (`pt-BR` is `pt`). Languages are py3langid 0.4.0's, 140 of them, told by
    the first 10,000 characters; `among` leaves it fewer to choose from, which is what short texts
    in Russian, Bulgarian or Macedonian need. Code and addresses are of no language: what stands
    between ``` or `, and URLs, is left out. Of mixed text it is the language of most of it. An
    output that is too short to tell (a confidence below `min_confidence`, as of numbers, emoji,
    single words and code alone) is missing, and so is one whose prompt or references are. Several
    outputs of a sample are averaged; the value is the mean over samples. 0..1, higher is better.

Lui and Baldwin: langid.py: An off-the-shelf language identification tool (ACL 2012).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("Завтра в Москве дождь.", "It will rain in Moscow tomorrow."))
    >>> (result,) = score([sample], [METRIC.bind({"language": "ru"})])
    >>> result.scores[0].value
    0.5
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator

from inference.errors import InputError
from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Reads, Score, Source
from metrics.core.names import hint
from metrics.core.rows import mean
from metrics.text.languages import CODES, SURE, identifier_of, identify_all

SHORT, UNKNOWN_WANTED = 1, 2  # flags
TEXTS = ("prompt", "references")
_NO_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)

Code = Annotated[str, Field(pattern="^[a-z]{2,3}$")]


class LanguageParams(Params):
    """Which language is wanted, and when one can tell."""

    language: str = Field(
        "prompt",
        pattern="^(prompt|references|metadata|[a-z]{2,3})$",
        description="`prompt` or `references`: theirs; `metadata`: the code in each sample's "
        "metadata `language`; or an ISO 639 code for all, as `ru`",
    )
    among: tuple[Code, ...] = Field(
        (), max_length=140, description="codes of the languages that it can be; none: all 140"
    )
    min_confidence: float = Field(
        SURE, ge=0, le=1, description="below it a text is too short to tell"
    )

    @field_validator("language", "among")
    @classmethod
    def _known(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for code in (value,) if isinstance(value, str) else value:
            if code not in {*TEXTS, "metadata", *CODES}:
                raise ValueError(f"no language {code!r} is known; {hint(code, CODES)}")
        return value


def needs(params: LanguageParams) -> tuple[Reads, ...]:
    """What the wanted language is told by."""
    told: dict[str, tuple[Reads, ...]] = {
        "prompt": ("output", "prompt"),
        "references": ("output", "references"),
        "metadata": ("output", "language"),
    }
    return told.get(params.language, ("output",))


def measure(items: Sequence[Item], params: LanguageParams, models: Models) -> Evidence:
    """Rows (whether it is the wanted language, 1); zeros where one cannot tell."""
    identifier = identifier_of(params.among)
    if params.language not in {*TEXTS, "metadata", *identifier.nb_classes}:
        raise InputError(f"no language {params.language!r} is known", "params.language")
    texts = [_told_by(item, params) for item in items]
    distinct = {text: prose(text) for own in texts for text in own}
    distinct |= {item.output: prose(item.output) for item in items}
    told = identify_all(list(distinct.values()), identifier, params.min_confidence)
    known = dict(zip(distinct, told, strict=True))
    rows, flags = np.zeros((len(items), 2), np.uint8), []
    for index, (item, own) in enumerate(zip(items, texts, strict=True)):
        wanted = {params.language}
        if params.language == "metadata":
            wanted = {item.language or ""} & {*identifier.nb_classes}
        elif params.language in TEXTS:
            wanted = {known[text] for text in own} - {""}
        found = known[item.output]
        flags.append(SHORT if not found else 0 if wanted else UNKNOWN_WANTED)
        rows[index] = (0, 0) if flags[-1] else (found in wanted, 1)
    return Evidence.of_rows(rows, flags)


def _told_by(item: Item, params: LanguageParams) -> Sequence[str]:
    """The texts whose language is wanted."""
    told = {"prompt": (item.prompt or "",), "references": item.references}
    return told.get(params.language, ())


def prose(text: str) -> str:
    """The text without code and addresses; a block of code that does not end goes on to the end."""
    return _NO_PROSE.sub(" ", text) if "`" in text or "://" in text else text


METRIC = Metric(
    name="language",
    version=2,
    about="Share of outputs in the language that was asked for.",
    formula="share of outputs whose most likely language is the prompt's",
    avoid="One or two words, mixed languages; a translation task by its prompt's language.",
    params=LanguageParams,
    reads=("output", "prompt", "references", "language"),
    needs=needs,
    scores=(Score("language", higher_is_better=True, high=1.0, about="share of such outputs"),),
    interval="wilson",
    pooling="average",
    source=Source(
        paper="Lui and Baldwin 2012, https://aclanthology.org/P12-3005", reference="py3langid 0.4.0"
    ),
    measure=measure,
    reduce=mean,
    libraries=("py3langid",),
    flags={
        SHORT: Flag("too short to tell its language", missing=True),
        UNKNOWN_WANTED: Flag(
            "prompt or references are too short to tell theirs, or a code is not known",
            missing=True,
        ),
    },
    independent=True,
)
