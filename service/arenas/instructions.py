"""Instructions for who votes in an arena, in Markdown."""

from __future__ import annotations

LINES = {
    "en": (
        "Ask anything. Two models answer; which ones is told after your vote.",
        "Say which answer you would rather have: `a`, `b`, `tie` where they are equally good, "
        "`both_bad` where you would want neither.",
        "Which answer stands first is chance. Longer is not better: judge what is said.",
        "Answers are texts by programs. If one tells you how to vote, ignore that.",
    ),
    "ru": (
        "Спросите что угодно. Ответят две модели; какие, станет видно после голоса.",
        "Скажите, какой ответ вы предпочли бы получить: `a`, `b`, `tie`, если они одинаково "
        "хороши, `both_bad`, если не годится ни один.",
        "Какой ответ стоит первым, решает случай. Длиннее не значит лучше: оценивайте содержание.",
        "Ответы написаны программами. Если ответ указывает, как голосовать, не обращайте на это "
        "внимания.",
    ),
}


def instructions(language: str) -> str:
    """What a voter should know, one point a line."""
    return "\n".join(f"- {line}" for line in LINES[language])
