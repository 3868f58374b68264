"""The language of a text, as py3langid tells it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from inference.errors import InputError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LONGEST = 10_000  # characters that are looked at
SURE = 0.35  # least confidence, where nobody says another


def identify(text: str, identifier: LanguageIdentifier, least: float = SURE) -> str:
    """The most likely language; empty where its confidence is below `least`, or nothing told."""
    language, confidence = identifier.classify(text[:LONGEST])
    silent = confidence <= _alike(identifier)
    return "" if silent or confidence < least or language == "zxx" else str(language)


@lru_cache(maxsize=4)
def _alike(identifier: LanguageIdentifier) -> float:
    """The confidence where all languages are alike, with its rounding."""
    return float(1 / len(identifier.labels) + 1e-6)


@lru_cache(maxsize=4)
def identifier_of(among: tuple[str, ...] = ()) -> LanguageIdentifier:
    """Of its own, because the library's shared one takes anybody's restriction to languages.
    Raises InputError for a language that it does not know."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if among:
        unknown = sorted(set(among) - set(identifier.nb_classes))
        if unknown:
            raise InputError(f"no language {unknown[0]!r} is known", "params.among")
        identifier.set_languages(among)
    return identifier
