"""Which language a text is in, by py3langid."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from inference.errors import InputError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LONGEST = 10_000  # characters that are looked at
LEAST = 0.35  # confidence, below which a text is too short to tell


def identify(text: str, identifier: LanguageIdentifier, least: float = LEAST) -> str:
    """The most likely language; empty where its confidence is below `least`, or nothing told."""
    language, confidence = identifier.classify(text[:LONGEST])
    silent = confidence <= 1 / len(identifier.labels) + 1e-6  # all alike
    return "" if silent or confidence < least or language == "zxx" else str(language)


@lru_cache(maxsize=4)
def identifier(among: tuple[str, ...] = ()) -> LanguageIdentifier:
    """Of our own, because the library's shared one takes anybody's restriction to languages.

    among  ISO 639 codes of the languages to choose from; none: all 140

    Raises InputError for a code that is not known.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if among:
        unknown = sorted(set(among) - set(found.nb_classes))
        if unknown:
            raise InputError(f"no language {unknown[0]!r} is known", "params.among")
        found.set_languages(among)
    return found
