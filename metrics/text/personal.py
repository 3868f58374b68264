"""Personal data by its form: patterns, and the check digits that tell it from other numbers.

Every pattern is of bounded length, so the time is proportional to the text's. What many other
numbers look like (a taxpayer's, a passport's) is looked for behind its name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv6Address
from itertools import product
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
_PHONES = (
    r"(?<![\w+])\+\d(?:[ ().-]{0,3}\d){9,14}(?!\w)",
    r"(?<![\w+.,-])[78][ -]?\(?[3489]\d\d\)?[ -]?\d{3}[ -]?\d\d[ -]?\d\d(?!\w)",  # Russian
    r"(?<![\w+.,(-])(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])[2-9]\d\d[-.]\d{4}(?![\w-])",
)
_PHONE = re.compile("|".join(_PHONES))
_CARD = re.compile(
    r"(?<![\w.,+-])(?:\d{13,19}|\d{4} \d{4} \d{4} \d{4}|\d{4}-\d{4}-\d{4}-\d{4}|\d{4} \d{6} \d{5})"
    r"(?!\w|[.,-]\d)"
)
_IBAN = re.compile(
    r"(?<!\w)[A-Z]{2}\d\d(?:[A-Z\d]{11,30}|(?: [A-Z\d]{4}){2,7}(?: [A-Z\d]{1,3})?)(?!\w)", re.A
)
_VALUES = {ord(one): str(int(one, 36)) for one in ascii_uppercase}
_COUNTRIES = {
    first + second: _VALUES[ord(first)] + _VALUES[ord(second)]
    for first, second in product(ascii_uppercase, repeat=2)
}
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[\da-fA-F]{0,4}(?::[\da-fA-F]{0,4}){2,7}(?![\w:])", re.A)
_SNILS = re.compile(
    r"(?<![\w-])\d{3}-\d{3}-\d{3}[ -]\d\d(?![\w-])|\bСНИЛС\b[^\d\n]{0,20}(\d{11})(?!\d)", re.I
)
_INN = re.compile(r"\bИНН\b[^\d\n]{0,20}(\d{12}|\d{10})(?!\d)", re.I)
_PASSPORT = re.compile(
    r"(?:паспорт|passport)\w{0,4}\b[^\d\n]{0,60}(\d\d ?\d\d[ №N]{0,4}\d{6})(?!\d)", re.I
)


def digits(text: str) -> list[int]:
    """The decimal digits of a text; those of other scripts count, too."""
    return [int(one) for one in text if one.isdecimal()]


def luhn(number: str) -> bool:
    """Whether a card's last digit checks the others (ISO/IEC 7812)."""
    found = digits(number)[::-1]
    return sum(found[::2]) % 10 == -sum(sum(divmod(2 * one, 10)) for one in found[1::2]) % 10


def card(number: str) -> bool:
    """Whether a number is a payment card's: 13 to 19 digits, an issuer's first one, Luhn."""
    found = digits(number)
    return 13 <= len(found) <= 19 and found[0] in {2, 3, 4, 5, 6} and luhn(number)


def iban(text: str) -> bool:
    """Whether an account number's two check digits hold (ISO 13616: 1 modulo 97)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    try:  # without letters in the account, as most countries have it: twice as fast
        return int(plain[4:] + _COUNTRIES[plain[:2]] + plain[2:4]) % 97 == 1
    except (KeyError, ValueError):
        return int((plain[4:] + plain[:4]).translate(_VALUES)) % 97 == 1


def ipv4(text: str) -> bool:
    """Whether four numbers are an address of somebody: not of this machine, nor all of them."""
    parts = [int(one) for one in text.split(".")]
    written = ".".join(map(str, parts)) == text
    return written and max(parts) < 256 and parts[0] not in {0, 127, 255}


def ipv6(text: str) -> bool:
    """Whether it is an address, with a digit in it, and no time, ratio or name of a program."""
    try:
        found = IPv6Address(text)
    except ValueError:
        return False
    local = found.is_loopback or found.is_unspecified
    return not local and len(text.replace(":", "")) > 3 and any(map(str.isdecimal, text))


def snils(text: str) -> bool:
    """Whether a Russian insurance number's last two digits check the first nine."""
    found = digits(text)
    total = sum(one * (9 - place) for place, one in enumerate(found[:9])) % 101 % 100
    return any(found) and total == 10 * found[9] + found[10]


def inn(text: str) -> bool:
    """Whether a Russian taxpayer's number, of 10 digits or of 12, checks itself."""
    found = digits(text)
    weights = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)

    def control(length: int) -> int:
        used = weights[len(weights) - length :]
        return sum(a * b for a, b in zip(used, found[:length], strict=True)) % 11 % 10

    places = (9,) if len(found) == 10 else (10, 11)
    return any(found) and all(control(place) == found[place] for place in places)


def _always(text: str) -> bool:
    return True


KINDS: Mapping[str, tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...]] = {
    "email": ((_EMAIL, _always),),
    "phone": ((_PHONE, _always),),
    "card": ((_CARD, card),),
    "iban": ((_IBAN, iban),),
    "ip": ((_IPV4, ipv4), (_IPV6, ipv6)),
    "passport_ru": ((_PASSPORT, _always),),
    "snils": ((_SNILS, snils),),
    "inn": ((_INN, inn),),
}


def holds(texts: Sequence[str], kind: str) -> NDArray[np.bool_]:
    """(n_texts,) whether personal data of a kind, one of KINDS, stands in each of the texts.

    No pattern reaches beyond a line, nor looks at more of a line's end than at a text's: so all
    texts are searched as lines of one.
    """
    together = "\n".join(texts)
    places = [
        found.start()
        for pattern, valid in KINDS[kind]
        for found in pattern.finditer(together)
        if valid(found[found.lastindex or 0])
    ]
    ends = np.cumsum([len(text) + 1 for text in texts])
    held = np.zeros(len(texts), np.bool_)
    held[np.searchsorted(ends, places, side="right")] = True
    return held
