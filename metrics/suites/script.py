"""A suite as a plain Python script, of the reference packages alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pprint import pformat
from typing import Any

from inference.errors import ReportedError
from metrics.core.metric import BoundMetric, Sample
from metrics.suites.choosing import Bind
from metrics.suites.declaration import Suite, SuiteMetric
from metrics.suites.source import Extract, comments, constant, exists

PACKAGE = "metrics.suites.reference"
NEEDS = "# needs:"
WITHOUT = {  # metrics whose package cannot run beside the others
    "comet": "unbabel-comet pins an older transformers: run it in an environment of its own",
}
NO_PACKAGE = "no reference package computes it"
LETTERS = {  # by which a metric tells the script of a language; others are Latin
    **dict.fromkeys(("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg"), "ж"),
    **{"zh": "中", "ja": "の", "ko": "한", "ar": "ب", "fa": "ب", "ur": "ب", "el": "ω", "hy": "ա"},
    **{"hi": "क", "mr": "क", "ne": "क", "ta": "த", "th": "ก", "he": "א", "ka": "ა", "bn": "ক"},
}

HEAD = '''\
"""The suite {name}, with the reference packages alone.

{about}

    python script.py samples.jsonl

A line of the file is a sample: {{"output": …, "references": […], "prompt": …}}, or `outputs`. The
numbers are those of the suite for samples in the language {language!r}. The packages are the
reference implementations, and nothing else is needed: `pip install` what stands below.
"""

# /// script
# requires-python = ">=3.11"
# dependencies = {dependencies}
# ///

from __future__ import annotations

'''


def script(suite: Suite, bind: Bind, language: str) -> str:
    """The script's text: what has no reference package is left out, and told in a comment.

    language  of the samples, ISO 639-1
    """
    extract, needs, calls = Extract(), dict[str, None](), list[str]()
    extract.add(f"{PACKAGE}.frame", "run")
    for entry in suite.metrics:
        option, why_not = _option(entry, language, bind)
        if option is None:
            calls.append(f"    # {entry.name} is left out: {why_not}")
            continue
        name, params = option
        extract.add(f"{PACKAGE}.{name}", name)
        needs.update(dict.fromkeys(comments(f"{PACKAGE}.{name}", NEEDS)))
        given = pformat(params, width=100, sort_dicts=False).replace("\n", "\n        ")
        calls.append(f'    ("{name}", {name}, {given}),')
    head = HEAD.format(
        name=_plain(suite.name),
        about=_plain(suite.about),
        language=language,
        dependencies=json.dumps(sorted(needs)),
    )
    body = [head + "\n".join(sorted(extract.imports)), *extract.parts]
    body.append("MEASURED: list[tuple[str, Measure, dict[str, Any]]] = [")
    tail = ["\n".join([body.pop(), *calls, "]"]), 'if __name__ == "__main__":\n    run(MEASURED)\n']
    return "\n\n\n".join([*body, *tail])


def _option(
    entry: SuiteMetric, language: str, bind: Bind
) -> tuple[tuple[str, Mapping[str, Any]] | None, str]:
    """The first that can be bound, as (name, parameters), if it has a reference; or why not."""
    reason = ""
    for option in entry.options(language):
        try:
            if option.languages and language not in option.languages:
                continue
            metric = _resolved(bind(option.name, option.params), language)
        except ReportedError as error:
            reason = reason or error.message
            continue
        fault = _fault(metric)
        return (None, _plain(fault)) if fault else ((metric.name, metric.dump()), "")
    languages = ", ".join(entry.languages)
    return None, _plain(reason or f"it holds for the languages {languages} alone")


def _resolved(metric: BoundMetric, language: str) -> BoundMetric:
    """With "auto" settled as texts of the language settle it."""
    letter = LETTERS.get(language, "a")
    return metric.resolve([Sample("1", (letter,), (letter,), prompt=letter)])


def _fault(metric: BoundMetric) -> str | None:
    """Why there is no reference for it; None where there is."""
    name = metric.name
    if not name.isidentifier() or not exists(f"{PACKAGE}.{name}"):
        return WITHOUT.get(name, NO_PACKAGE)
    only = constant(f"{PACKAGE}.{name}", "ONLY")
    given = metric.dump()
    for key, value in (only if isinstance(only, dict) else {}).items():
        if given.get(key) != value:
            return f"its reference has {key}: {value}, and not {given.get(key)}"
    return None


def _plain(text: str) -> str:
    """On one line, and no end of a docstring."""
    return " ".join(text.split()).replace("\\", "/").replace('"""', "'''")
