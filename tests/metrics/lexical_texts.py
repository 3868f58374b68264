"""Outputs and references in four languages, and random text that tokenizers stumble over."""

from __future__ import annotations

import random

Pair = tuple[str, tuple[str, ...]]

ENGLISH: list[Pair] = [
    (
        "The committee approved the budget on Tuesday, after two hours of debate.",
        (
            "The committee passed the budget on Tuesday after a two-hour debate.",
            "On Tuesday, after two hours of debate, the committee approved its budget.",
        ),
    ),
    (
        "Prices rose 3.5% in May, up from 2,1% a year ago... analysts said.",
        ("Prices climbed 3.5% in May, analysts said, up from 2.1% a year earlier.",),
    ),
    (
        "She said: &quot;It's done&quot;.\nThen she left.",
        ('She said, "It\'s done." She left then.',),
    ),
    ("yes", ("yes", "Yes!", "yes, of course")),
    ("", ("An output was expected here.",)),
    ("Something was said.", ("",)),
]
RUSSIAN: list[Pair] = [
    (
        "Комитет одобрил бюджет во вторник после двух часов обсуждения.",
        (
            "Во вторник комитет утвердил бюджет после двухчасового обсуждения.",
            "После двух часов обсуждений комитет одобрил бюджет.",
        ),
    ),
    (
        "Цены выросли на 3,5% в мае — сообщили аналитики.\nГод назад рост был ниже.",
        ("В мае цены выросли на 3,5%, сообщили аналитики.\nГодом ранее рост был ниже.",),
    ),
    ("Ёлка стояла в углу большой комнаты.", ("В углу большой комнаты стояла елка.",)),
    ("Москва — столица России.", ("Москва — столица России.",)),
]
CHINESE: list[Pair] = [
    (
        "委员会星期二批准了预算,经过两个小时的讨论。",
        ("经过两小时的辩论，委员会于星期二通过了预算。",),
    ),
    ("五月份价格上涨了3.5%。", ("5月价格上涨3.5%。", "五月份的物价上涨了3.5%。")),
    ("苹果公司发布了新的iPhone 15手机！", ("苹果公司发布新手机iPhone 15。",)),
]
JAPANESE: list[Pair] = [
    ("委員会は火曜日に予算を承認しました。", ("委員会は火曜日、予算を可決した。",)),
    ("今日はとても天気がいいですね。", ("今日は天気がとても良いですね。", "本日は晴天なり。")),
    ("東京タワーへ行きたい!", ("東京タワーに行きたいです！",)),
]

PIECES = [
    *"aab 0159..,,--'!&;<>/()$éяЁ中文。，！٣²Ⅷ€😀«»日本の…½ \n\t",
    *("<skipped>", "&quot;", "&amp;", "&lt;", "&gt;", "-\n", "the ", "cat. ", "2,5", "3.", ".7"),
    *("\u00a0", "\u3000", "\u0301", "\x1c", "\x85", "\x00", "\u2028", "\ud800", "\u200b"),
]


def random_text(rng: random.Random, most: int) -> str:
    return "".join(rng.choice(PIECES) for _ in range(rng.randrange(most)))


def random_pairs(rng: random.Random, count: int) -> list[Pair]:
    """Outputs near to one to three references, some of them equal, empty or unrelated."""
    pairs = []
    for _ in range(count):
        words = [random_text(rng, 6) for _ in range(10)]

        def sentence(words: list[str] = words) -> str:
            return " ".join(rng.choices(words, k=rng.randrange(14)))

        output = sentence()
        references = tuple(
            output if rng.random() < 0.1 else sentence() for _ in range(rng.randrange(1, 4))
        )
        pairs.append((output, references))
    return pairs
