"""Personal data: check digits against python-stdnum, forms by hand."""

from __future__ import annotations

import random
import time

import pytest
import stdnum.iban
import stdnum.luhn
import stdnum.ru.inn

from metrics import find
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.personal_data import ALL
from metrics.text import personal
from metrics.text.personal import holds
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN

FOUND = {
    "email": ["a.b+c@mail.example.org", "Пишите: ivan_p@mail.ru.", "почта@пример.рф", "<a@b.io>"],
    "phone": [
        *("+7 (495) 123-45-67", "8 800 555-35-35", "89161234567", "+44 20 7946 0958"),
        *("(212) 555-0143", "call 1-212-555-0143", "+86 138 0013 8000", "тел.:+79161234567."),
    ],
    "card": [
        "4111 1111 1111 1111",
        "5555-5555-5555-4444 12/27",
        "378282246310005",
        "2200000000000004",
    ],
    "iban": [
        "DE89 3704 0044 0532 0130 00 BIC",
        "GB82WEST12345698765432",
        "FR1420041010050500013M02606",
    ],
    "ip": ["192.168.10.20", "at 8.8.8.8.", "2001:db8::ff00:42:8329", "fe80::1ff:fe23:4567:890a"],
    "passport_ru": [
        "паспорт 45 09 123456",
        "Паспорт серии 4509 № 123456",
        "паспортом: 4509 123456",
    ],
    "snils": ["112-233-445 95", "СНИЛС 11223344595"],
    "inn": ["ИНН 7707083893", "инн: 500100732259"],
}
NOTHING = [
    *("", "🙂🙂", "a@b", "@user", "1234567890", "3.14159265358979", "12:30:45", "127.0.0.1", "::1"),
    *("4111 1111 1111 1112", "DE88 3704 0044 0532 0130 00", "112-233-445 96", "ИНН 7707083894"),
    *("std::cout << a::b", "2026-11-27 02:15", "v 300.1.2.3", "паспорт 2020 года", "1700000000"),
    *("10 000 000 000 000", "0000 0000 0000 0000", "ISBN 978-3-16-148410-0", "+1 - 2 + 3 = 2"),
]


def kinds(text: str) -> list[str]:
    return [kind for kind in ALL if holds([text], kind).all()]


@pytest.mark.parametrize(("kind", "text"), [(kind, one) for kind in FOUND for one in FOUND[kind]])
def test_found(kind: str, text: str) -> None:
    assert kinds(text) == kinds(f"Вот: {text}, да") == [kind]


@pytest.mark.parametrize(
    "text", NOTHING + [pair[0] for pair in ENGLISH + RUSSIAN + CHINESE + JAPANESE]
)
def test_nothing_is_found(text: str) -> None:
    assert kinds(text) == []


def test_check_digits_are_stdnums() -> None:
    draw = random.Random(0)
    for _ in range(4000):
        ten, twelve, sixteen = ("".join(draw.choices("0123456789", k=k)) for k in (10, 12, 16))
        assert personal.luhn(sixteen) == stdnum.luhn.is_valid(sixteen)
        assert personal.inn(ten) == stdnum.ru.inn.is_valid(ten)
        assert personal.inn(twelve) == stdnum.ru.inn.is_valid(twelve)
        german = f"DE{draw.randrange(2, 99):02}{ten}{twelve[:8]}"
        assert personal.iban(german) == stdnum.iban.is_valid(german, check_country=False)


def test_one_wrong_digit_is_seen() -> None:
    for text, valid in [("11223344595", personal.snils), ("7707083893", personal.inn)]:
        assert valid(text)
        for place, digit in enumerate(text):
            other = text[:place] + str((int(digit) + 1) % 10) + text[place + 1 :]
            assert not valid(other)


def test_shares() -> None:
    outputs = (FOUND["email"][0] + " " + FOUND["ip"][0], FOUND["email"][1], "nothing", "")
    (result,) = score([Sample("1", outputs)], [find("personal_data").bind()])
    values = {one.name: one.value for one in result.scores if one.value}
    assert values == {
        "personal_data": 0.5,
        "personal_data_email": 0.5,
        "personal_data_ip": 0.25,
    }


@pytest.mark.parametrize(
    "piece",
    ["a", "1", "1 ", "a.", "+1-", ":", "1:", "a@", "a@a.", "DE11 1111 ", "паспорт ", "ИНН-", "1."],
)
def test_hostile_texts_take_time_in_proportion(piece: str) -> None:
    begun = time.process_time()
    kinds(piece * 100_000)
    assert time.process_time() - begun < 5  # a quadratic pattern takes hours
