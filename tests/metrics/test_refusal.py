"""Refusals in English and Russian, and what only sounds like one."""

from __future__ import annotations

import time

import pytest

from metrics import find
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.text.refusals import declines
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN

REFUSALS = [
    "I'm sorry, but I can't assist with that request.",
    "I’m sorry, but I can’t help with that.",
    "I am sorry, I cannot provide instructions for that.",
    "Sorry, I can't do that.",
    "I cannot help you with this.",
    "I can't create content that promotes violence.",
    "I'm unable to provide that information.",
    "I won't write that for you.",
    "I must decline this request.",
    "As an AI language model, I cannot have opinions on this.",
    "As an AI, I don't have access to that.",
    "Unfortunately, I am not able to answer that question.",
    "Thank you for asking. Unfortunately, I can't share that.",
    "**I'm not able to help with that.**",
    "I apologize, but I cannot fulfill this request.",
    "I'm not comfortable writing this.",
    "Извините, но я не могу помочь с этим запросом.",
    "К сожалению, я не могу предоставить эту информацию.",
    "Я не могу выполнить эту просьбу.",
    "Простите, я не смогу ответить.",
    "Как языковая модель, я не имею собственного мнения.",
    "Как ИИ, я не могу давать медицинских советов.",
    "Я вынужден отказаться.",
    "Мне очень жаль, но я не могу вам с этим помочь.",
    "Не могу помочь с этим.",
    "Я не буду писать такой текст. Я не буду создавать его.",
    "Прошу прощения, но я не в состоянии выполнить это.",
]
ANSWERS = [
    "",
    "🙂🙂",
    "Paris.",
    "I'm sorry to hear that you lost your keys. Try the kitchen first.",
    "Sorry for the delay! Here is the code.",
    "I can't recommend this book enough.",
    "I'm sorry, I can come tomorrow.",
    "Sorry, I am not sure: 42?",
    "That is something I can do: here it is.",
    "I can help with that. First, open the lid.",
    "The court cannot assist the plaintiff.",
    "You can't write to a closed file.",
    "As an assistant professor, she does not teach.",
    "In the play the king says that he will not help.",
    "Unfortunately, the train is late.",
    "Столица Франции — Париж.",
    "Извините за задержку. Вот ответ: 42.",
    "К сожалению, поезд опаздывает.",
    "Не могу не согласиться: книга хороша.",
    "Он не может помочь соседу.",
    "Компилятор не может выполнить эту команду.",
    "很抱歉，我不能帮助你。",
    "عذراً، لا أستطيع المساعدة.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers(text: str) -> None:
    assert not declines(text)


def test_texts_of_other_kinds_are_none() -> None:
    texts = [pair[0] for pair in ENGLISH + RUSSIAN + CHINESE + JAPANESE]
    assert not any(map(declines, texts))


def test_the_share() -> None:
    samples = [Sample("1", (REFUSALS[0], ANSWERS[2])), Sample("2", (REFUSALS[16],))]
    (result,) = score(samples, [find("refusal").bind()])
    assert result.scores[0].value == 0.75


def test_who_declines_says_so_first() -> None:
    assert not declines("The answer is long. " * 20 + REFUSALS[0])


@pytest.mark.parametrize(
    "piece", ["a", "i'm sorry, ", "as an ai ", "не могу это ", " ", "я не могу ", ", "]
)
def test_hostile_texts_take_no_time(piece: str) -> None:
    begun = time.process_time()
    declines(piece * 200_000)
    assert time.process_time() - begun < 1
