"""Which language a set of samples is in."""

from __future__ import annotations

from collections.abc import Sequence

from inference.errors import InputError
from metrics.core.metric import Sample
from metrics.core.names import hint
from metrics.suites.declaration import Suite
from metrics.text.languages import CODES, LONGEST, OTHERS, identifier_of, identify
from metrics.text.scripts import main_script

MOST_READ = 200  # samples
LEAST_SHARE = 0.9  # of the samples, in one script: else they are of several languages
# Japanese is written in all three
EAST_ASIAN = {"CJK": "HAN", "HIRAGANA": "HAN", "KATAKANA": "HAN"}
# of texts that are too short to tell more than their script
COMMONEST = {"LATIN": "en", "CYRILLIC": "ru", "HAN": "zh", "HANGUL": "ko", "ARABIC": "ar"}
# how much likelier another language has to be: short Russian texts pass for Macedonian
ODDS = 20


def language_of(samples: Sequence[Sample]) -> str | None:
    """The ISO 639-1 code of the language that answers are to be in, by the references, else the
    outputs, else the prompts. None where samples are of several scripts, or have no letters.

    Languages that share a script are told apart by all texts together, so that a set of several of
    them passes for the one that has most text. Texts too short to tell are in the language that is
    the commonest of their script.
    """
    found = languages_of(samples)
    return found[0] if len(found) == 1 else None


def languages_of(samples: Sequence[Sample]) -> list[str | None]:
    """The same of each script, the commonest first; of one alone where most samples are in it.
    None: not told."""
    read = samples[:: -(-len(samples) // MOST_READ) or 1]
    together: dict[str, list[str]] = {}
    for text in filter(None, map(_text, read)):
        script = _script(text)
        if script is not None:
            together.setdefault(script, []).append(text)
    ordered = sorted(together, key=lambda script: -len(together[script]))
    total = sum(map(len, together.values()))
    if ordered and len(together[ordered[0]]) >= LEAST_SHARE * total:
        del ordered[1:]
    return [_told(script, together[script]) for script in ordered]


def check(code: str, suite: Suite) -> None:
    """Raises InputError for what is no code of a language: of ISO 639-1, one that we can tell, or
    one that the suite names."""
    entries = suite.metrics
    own = {one for entry in entries for one in (*entry.by_language, *entry.languages)}
    known = {*CODES, *OTHERS, *own}
    if code not in known:
        raise InputError(f"no language {code!r} is known; {hint(code, sorted(known))}", "language")


def _told(script: str, texts: Sequence[str]) -> str | None:
    """The language of texts in one script."""
    each = LONGEST // len(texts)
    joined = "\n".join(text[:each] for text in dict.fromkeys(texts))
    identifier, common = identifier_of(), COMMONEST.get(script)
    likely = dict(identifier.rank(joined[:LONGEST]))
    if common is not None and ODDS * likely[common] >= max(likely.values()):
        return common
    return identify(joined, identifier) or common


def _text(sample: Sample) -> str:
    given = (*sample.references[:1], *sample.outputs[:1], sample.prompt or "")
    return next((text for text in given if text.strip()), "")


def _script(text: str) -> str | None:
    found = main_script([text])
    return EAST_ASIAN.get(found, found) if found is not None else None
