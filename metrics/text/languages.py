"""The language of a text, as py3langid tells it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from inference.errors import InputError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LONGEST = 10_000  # characters that are looked at
SURE = 0.35  # least confidence, where nobody says another
_TOLD = (
    "ace af am an ar ary arz as az ba bcl be bg bn br bs ca crh cs cy da de dz el en eo es et "
    "eu ext fa fi fo fr fuv fy ga gcf gcr gd gl gom grc gu gug guw ha hbo he hi hr ht hu hy id "
    "ig is it ja jv ka kab kik kk km kn ko ku ky la lb lg lij ln lo lt ltg lv mg mk ml mn mr ms "
    "mt my ne nl nn no nso oc om or pa pcm pl ps pt qu ro ru rw sa sdh se si sk sl sn so sq sr "
    "st sv sw ta te tg th tk tl tr tt ug uk ur uz uzs vec vi vo wa wuu xh yo yue zh zu"
)
_OTHERS = (
    "aa ab ae ak av ay bh bi bm bo ce ch co cr cu cv dv ee ff fj gn gv ho hz ia ie ii ik io iu "
    "kg ki kj kl kr ks kv kw li lu mh mi na nb nd ng nr nv ny oj os pi rm rn sc sd sg sm ss su "
    "ti tn to ts tw ty ve wo yi za"
)
# ISO 639 codes of the languages that can be told, without the model that tells them; all others of
# ISO 639-1
CODES, OTHERS = _TOLD.split(), _OTHERS.split()


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
