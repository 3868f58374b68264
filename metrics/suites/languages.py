"""Which language a set of samples is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from metrics.core.metric import Sample
from metrics.text.languages import LONGEST, identifier_of, identify
from metrics.text.scripts import main_script

MOST_READ = 200  # samples
LEAST_SHARE = 0.9  # of the samples, in one script: else they are of several languages
# Japanese is written in all three
EAST_ASIAN = {"CJK": "HAN", "HIRAGANA": "HAN", "KATAKANA": "HAN"}
# of texts that are too short to tell more than their script
COMMONEST = {"LATIN": "en", "CYRILLIC": "ru", "HAN": "zh", "HANGUL": "ko", "ARABIC": "ar"}


def language_of(samples: Sequence[Sample]) -> str | None:
    """The ISO 639-1 code of the language that answers are to be in, by the references, else the
    outputs, else the prompts. None where samples are of several scripts, or have no letters.

    Languages that share a script are told apart by all texts together, so that a set of several of
    them passes for the one that has most text.
    """
    read = samples[:: -(-len(samples) // MOST_READ) or 1]
    texts = [text for text in map(_text, read) if text]
    scripts = [_script(text) for text in texts]
    counted = Counter(script for script in scripts if script is not None)
    if not counted:
        return None
    (script, count), *_ = counted.most_common(1)
    if count < LEAST_SHARE * counted.total():
        return None
    each = LONGEST // count
    joined = "\n".join(
        text[:each] for text, own in zip(texts, scripts, strict=True) if own == script
    )
    return identify(joined, identifier_of()) or COMMONEST.get(script)


def _text(sample: Sample) -> str:
    given = (*sample.references[:1], *sample.outputs[:1], sample.prompt or "")
    return next((text for text in given if text.strip()), "")


def _script(text: str) -> str | None:
    found = main_script([text])
    return EAST_ASIAN.get(found, found) if found is not None else None
