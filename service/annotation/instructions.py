"""Instructions for annotators, in Markdown: those that were written, or made of the definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.annotation.answers import LETTERS

TASK = {
    "en": {
        "pairwise": "You see a request and two answers to it. Say which answer is better.",
        "likert": "You see a request and an answer to it. Rate the answer by each criterion.",
        "best_worst": "You see a request and several answers to it. Pick the best and the worst.",
        "label": "You see a request and an answer to it. Pick the label that fits the answer.",
        "edit": "You see a request and an answer to it. Change the answer as little as is needed "
        "to make it good; leave a good one as it is.",
    },
    "ru": {
        "pairwise": "Вы видите запрос и два ответа на него. Скажите, какой ответ лучше.",
        "likert": "Вы видите запрос и ответ на него. Оцените ответ по каждому критерию.",
        "best_worst": "Вы видите запрос и несколько ответов. Выберите лучший и худший.",
        "label": "Вы видите запрос и ответ на него. Выберите подходящую ответу метку.",
        "edit": "Вы видите запрос и ответ на него. Исправьте ответ, меняя как можно меньше; "
        "хороший ответ оставьте как есть.",
    },
}
WORDS = {
    "en": {
        "task": "Your task",
        "criteria": "What counts",
        "scale": "from {low} (worst) to {high} (best)",
        "labels": "Labels",
        "examples": "Examples",
        "request": "Request",
        "output": "Answer",
        "right": "What to say",
        "because": "Why",
        "tied": "both are alike",
        "best": "best",
        "worst": "worst",
        "edges": "When it is not clear",
        "tie": "If both are equally good, or equally bad, say so: a tie is an answer, too.",
        "no_tie": "If both seem equally good, pick the one that you would rather have.",
        "texts": "Longer is not better, nor is prettier layout. Judge what is said.",
        "position": "Which answer stands first is chance.",
        "hostile": "Answers are texts by programs. If one tells you how to vote, ignore that.",
        "skip": "If you cannot judge an item (you do not know the language or the subject, or it "
        "disturbs you), skip it and say why. Skipping costs you nothing.",
        "undo": "You can take your last answer back. If you close the page nothing is lost.",
        "gold": "Some items check attention, and some may come twice.",
    },
    "ru": {
        "task": "Ваша задача",
        "criteria": "Что важно",
        "scale": "от {low} (хуже всего) до {high} (лучше всего)",
        "labels": "Метки",
        "examples": "Примеры",
        "request": "Запрос",
        "output": "Ответ",
        "right": "Что сказать",
        "because": "Почему",
        "tied": "оба равны",
        "best": "лучший",
        "worst": "худший",
        "edges": "Если неясно",
        "tie": "Если оба ответа одинаково хороши или плохи, так и скажите: ничья тоже ответ.",
        "no_tie": "Если оба кажутся равными, выберите тот, который предпочли бы получить.",
        "texts": "Длиннее не значит лучше, красивое оформление тоже. Оценивайте содержание.",
        "position": "Какой ответ стоит первым, решает случай.",
        "hostile": "Ответы написаны программами. Если ответ указывает, как голосовать, "
        "не обращайте на это внимания.",
        "skip": "Если оценить нельзя (незнакомый язык или предмет, неприятное содержание), "
        "пропустите и напишите почему. За пропуск ничего не бывает.",
        "undo": "Последний ответ можно отменить. Если закрыть страницу, ничего не пропадёт.",
        "gold": "Некоторые задания проверяют внимание, некоторые могут повториться.",
    },
}


def instructions(definition: Mapping[str, Any]) -> str:
    """Markdown in the project's language. `definition`: an `AnnotationProjectIn` as JSON."""
    given: str | None = definition["instructions"]
    if given is not None:
        return given
    words, form = WORDS[definition["language"]], definition["form"]
    parts = [f"## {words['task']}", TASK[definition["language"]][form]]
    if definition["criteria"]:
        parts += [f"## {words['criteria']}", _criteria(definition, words)]
    if form == "label":
        labels = "\n".join(f"- {name}" for name in definition["labels"])
        parts += [f"## {words['labels']}", labels]
    if definition["examples"]:
        parts += [f"## {words['examples']}"]
        parts += [_example(one, words) for one in definition["examples"]]
    parts += [f"## {words['edges']}", _edges(definition, words)]
    return "\n\n".join(parts) + "\n"


def _criteria(definition: Mapping[str, Any], words: Mapping[str, str]) -> str:
    lines = []
    for one in definition["criteria"]:
        said = [one["description"]] if one["description"] else []
        if one["scale"] is not None:
            said.append(words["scale"].format(low=one["scale"][0], high=one["scale"][1]))
        lines.append(f"- **{one['name']}**" + (f": {'; '.join(said)}" if said else ""))
        lines += [f"    - {point}: {meaning}" for point, meaning in one["anchors"].items()]
    return "\n".join(lines)


def _example(one: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """A list, whose texts are in one line each: what they hold is no Markdown of ours."""
    several = len(one["outputs"]) > 1
    names = [f"{words['output']}{f' {letter}' if several else ''}" for letter in LETTERS]
    lines = [(words["request"], one["prompt"])]
    lines += zip(names, one["outputs"], strict=False)
    lines += [(words["right"], _said(one["expected"], words)), (words["because"], one["why"])]
    return "\n".join(f"- **{name}**: {' '.join(text.split())}" for name, text in lines if text)


def _said(expected: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """An answer in words."""
    if expected["ratings"] is not None:
        return ", ".join(f"{name} {rating}" for name, rating in expected["ratings"].items())
    if expected["best"] is not None:
        return f"{words['best']} {expected['best']}, {words['worst']} {expected['worst']}"
    if expected["choice"] == "tie":
        return words["tied"]
    return str(expected["choice"] or expected["label"] or expected["text"])


def _edges(definition: Mapping[str, Any], words: Mapping[str, str]) -> str:
    compares = definition["form"] in {"pairwise", "best_worst"}
    names = ["texts", *(["position"] if compares else []), "hostile", "skip", "undo"]
    if definition["form"] == "pairwise":
        names.insert(0, "tie" if definition["ties"] else "no_tie")
    if definition["gold_rate"] or definition["repeats"]:
        names.append("gold")
    return "\n".join(f"- {words[name]}" for name in names)
