"""Samples for the service's tests: real sentences, English and Russian."""

from __future__ import annotations

from typing import Any

PAIRS = [
    ("en", "The capital of France is Paris.", "Paris is the capital of France."),
    ("en", "Water boils at one hundred degrees.", "Water boils at 100 degrees Celsius."),
    ("en", "The committee postponed its vote until Friday.", "The vote was put off until Friday."),
    ("en", "Heavy rain closed two roads in the north.", "Two northern roads shut after rain."),
    ("ru", "Столица России — Москва.", "Москва — столица России."),
    ("ru", "Вода закипает при ста градусах.", "Вода кипит при температуре сто градусов."),
    ("ru", "Комитет отложил голосование до пятницы.", "Голосование перенесли на пятницу."),
    ("ru", "Сильный дождь закрыл две дороги.", "Из-за дождя закрыты две дороги на севере."),
]


def samples(count: int = len(PAIRS), *, worse: bool = False, tag: str = "") -> list[dict[str, Any]]:
    """`count` samples; `worse` halves every output, `tag` makes the texts distinct."""
    made = []
    for index in range(count):
        lang, output, reference = PAIRS[index % len(PAIRS)]
        words = output.split()
        text = " ".join(words[: len(words) // 2]) if worse else output
        round_ = index // len(PAIRS)
        suffix = f" {tag}{round_}" if tag or round_ else ""
        made.append(
            {
                "id": f"s{index}",
                "prompt": f"Say it again: {reference}",
                "output": text + suffix,
                "references": [reference + suffix],
                "metadata": {"lang": lang},
            }
        )
    return made
