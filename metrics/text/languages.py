"""The language of a text, as py3langid tells it: one by itself, or many at once."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inference.errors import InputError
from metrics.text.automaton import Automaton

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LONGEST = 10_000  # characters that are looked at
TOGETHER = 65_536  # bytes of texts that are classified at once: some megabytes of memory
SURE = 0.35  # least confidence, where nobody says another
_KNOWN = (
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
CODES, OTHERS = _KNOWN.split(), _OTHERS.split()


def identify(text: str, identifier: LanguageIdentifier, least: float = SURE) -> str:
    """The most likely language; empty where its confidence is below `least`, or nothing told."""
    language, confidence = identifier.classify(text[:LONGEST])
    return _told(identifier, language, confidence, least)


def identify_all(
    texts: Sequence[str], identifier: LanguageIdentifier, least: float = SURE
) -> list[str]:
    """The same of each of many texts, in less than half the time."""
    told = [""] * len(texts)
    for chosen, confidences in classified(texts, identifier):
        best = confidences.argmax(1)
        for at, column, confidence in zip(chosen, best, confidences.max(1), strict=True):
            language = identifier.nb_classes[column]
            told[at] = _told(identifier, language, float(confidence), least)
    return told


def classified(
    texts: Sequence[str], identifier: LanguageIdentifier
) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Parts of the texts: their places, and confidences (texts, classes), each row's sum 1."""
    encoded = [_encoded(text[:LONGEST]) for text in texts]
    part: list[int] = []
    size = 0
    for at, content in enumerate(encoded):
        if part and size + len(content) > TOGETHER:
            yield part, _confidences([encoded[one] for one in part], identifier)
            part, size = [], 0
        part.append(at)
        size += len(content)
    if part:
        yield part, _confidences([encoded[one] for one in part], identifier)


def _encoded(text: str) -> bytes:
    """The bytes that the model was trained on: composed, and no text in capitals alone."""
    composed = unicodedata.normalize("NFC", text.lower() if text.isupper() else text)
    return composed.encode(errors="surrogatepass")


def _confidences(texts: Sequence[bytes], identifier: LanguageIdentifier) -> NDArray[np.float32]:
    """(texts, classes): naive Bayes over log(1 + count) of features, at a temperature that is the
    square root of the bytes; all alike where a text has no feature."""
    counts = [Counter(found.tolist()) for found in _automaton(identifier).features(texts)]
    used = np.array(sorted(set().union(*counts)), np.intp)
    place = np.zeros(len(identifier.nb_ptc), np.intp)
    place[used] = np.arange(len(used))
    weights = identifier.nb_ptc[used].astype(np.float32)  # once for all texts
    scores = np.zeros((len(texts), len(identifier.nb_classes)), np.float32)
    for row, count in zip(scores, counts, strict=True):
        if count:
            features = np.fromiter(count, np.intp, len(count))
            times = np.fromiter(count.values(), np.float32, len(count))
            row[:] = np.log1p(times) @ weights[place[features]] + identifier.nb_pc
    scores *= (1 / np.sqrt([len(text) or 1 for text in texts])).astype(np.float32)[:, None]
    np.exp(scores - scores.max(1, keepdims=True), out=scores)
    scores /= scores.sum(1, keepdims=True)
    for column, label in enumerate(identifier.nb_classes):
        first = identifier.nb_classes.index(label)
        if first != column:  # of two scripts
            scores[:, first] += scores[:, column]
            scores[:, column] = 0
    return scores


def _told(identifier: LanguageIdentifier, language: str, confidence: float, least: float) -> str:
    silent = confidence <= _alike(identifier)
    return "" if silent or confidence < least or language == "zxx" else str(language)


@lru_cache(maxsize=4)
def _automaton(identifier: LanguageIdentifier) -> Automaton:
    return Automaton(identifier.tk_nextmove, identifier.tk_row, identifier.tk_output)


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
