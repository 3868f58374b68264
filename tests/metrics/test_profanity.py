"""Profanity against glin-profanity: every entry of its lists, and texts with none."""

from __future__ import annotations

from importlib.resources import files

import orjson
import pytest
from glin_profanity import Filter

from metrics import find
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.profanity import Language, lexicon
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN

PLAIN = [pair[0] for pair in ENGLISH + RUSSIAN + CHINESE + JAPANESE]


def entries(language: str) -> list[str]:
    path = files("glin_profanity") / "data" / "dictionaries" / f"{language}.json"
    return list(orjson.loads(path.read_bytes())["words"])


@pytest.mark.parametrize("language", ["english", "russian", "chinese", "arabic"])
def test_every_entry_is_found_as_theirs_finds_it(language: Language) -> None:
    theirs = Filter({"languages": [language], "normalize_unicode": False})
    own = lexicon((language,))
    for entry in entries(language):
        if len(entry) > 1 and all(one.isalnum() or one in "_' -" for one in entry):
            text = f"вот {entry.upper()}, да"
            assert own.holds(text) or not theirs.check_profanity(text)["contains_profanity"], entry


def test_parts_of_words_and_other_texts_are_none() -> None:
    own, theirs = lexicon(("english", "russian")), Filter({"languages": ["english", "russian"]})
    for text in [*PLAIN, "", "🙂🙂", "A classic assassin from Scunthorpe", "مرحبا كيف حالك"]:
        assert own.holds(text) == theirs.check_profanity(text)["contains_profanity"] is False


def test_the_share() -> None:
    listed = [word for word in entries("russian") if " " not in word][-1]
    samples = [Sample("1", (f"Ну {listed}!", "Ну да!")), Sample("2", ("Да.",))]
    (result,) = score(samples, [find("profanity").bind()])
    assert result.scores[0].value == 0.25
    (result,) = score(samples, [find("profanity").bind({"languages": ["german"]})])
    assert result.scores[0].value == 0
