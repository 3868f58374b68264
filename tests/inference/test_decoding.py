"""Tokens one after the other: rows of one batch keep their own options, draws and likelihoods."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from inference.decoding import drawn, held_back
from inference.engine import Row, TransformersEngine, encoded
from inference.language import TransformerLanguageModel
from inference.pool import ModelPool
from inference.protocol import Generation

PROMPTS = ["The quick brown", "Съешь же ещё этих мягких французских", "A"]


@pytest.fixture
def engine(model_pool: ModelPool, tiny_language_model: object) -> TransformersEngine:
    language = model_pool.language("tiny-language")
    assert isinstance(language, TransformerLanguageModel)
    return TransformersEngine(language)


def rows(engine: TransformersEngine, **options: float) -> list[Row]:
    return [
        Row(encoded(engine, prompt, True), 24, seed=at, top=2, **options)  # type: ignore[arg-type]
        for at, prompt in enumerate(PROMPTS)
    ]


def test_greedy_texts_are_those_of_transformers(engine: TransformersEngine) -> None:
    found = engine.generate(rows(engine))
    theirs = engine.language.generate(PROMPTS, Generation(max_new_tokens=24, chat=False))
    assert [one.text for one in found] == [one[0] for one in theirs]


def test_a_row_draws_what_it_draws_alone(engine: TransformersEngine) -> None:
    asked = rows(engine, temperature=1.0, top_p=0.9)
    greedy = rows(engine)
    together = engine.generate([*asked, *greedy])
    alone = [engine.generate([row])[0] for row in asked]
    assert [one.ids for one in together[:3]] == [one.ids for one in alone]
    assert [one.ids for one in together[3:]] != [one.ids for one in alone]


def test_likelihoods_are_those_of_the_whole_text(engine: TransformersEngine) -> None:
    asked = rows(engine, temperature=1.0)
    found = engine.generate(asked)
    whole = engine.logprobs(
        [[*row.ids, *one.ids] for row, one in zip(asked, found, strict=True)], 2
    )
    for one, told in zip(found, whole, strict=True):
        again = told[-len(one.ids) :]
        assert [each.id for each in again] == one.ids
        assert [each.logprob for each in one.logprobs] == pytest.approx(
            [each.logprob for each in again], abs=1e-4
        )
        assert all(len(each.top) == 2 and each.top[0][1] >= each.logprob for each in again)


def test_what_was_written_is_written_again(engine: TransformersEngine) -> None:
    """And goes on as it would have: the generator has drawn as often."""
    (row, *_) = rows(engine, temperature=1.0)
    (whole,) = engine.generate([row])
    resumed = Row(row.ids, 24, temperature=1.0, seed=row.seed, top=2, written=whole.ids[:7])
    (again,) = engine.generate([resumed])
    assert again.ids == whole.ids
    assert again.text == whole.text


def test_a_row_that_nobody_wants_is_left(engine: TransformersEngine) -> None:
    asked = rows(engine)
    found = engine.generate(asked, lambda _: {1})
    assert [len(one.ids) for one in found] == [24, 1, 24]
    assert found[0].ids == engine.generate(asked[:1])[0].ids


@pytest.mark.parametrize(
    ("top_p", "top_k", "expected"),
    [(1.0, 0, [0.5, 0.25, 0.15, 0.1]), (0.7, 0, [2 / 3, 1 / 3, 0, 0]), (1.0, 1, [1, 0, 0, 0])],
)
def test_draws_follow_the_distribution(top_p: float, top_k: int, expected: list[float]) -> None:
    logits = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()
    draws = torch.Generator().manual_seed(0)
    row = Row([1], 1, temperature=1.0, top_p=top_p, top_k=top_k)
    found = np.bincount([drawn(logits, row, draws) for _ in range(2000)], minlength=4)
    possible = np.array(expected) > 0
    assert not found[~possible].any()
    if possible.sum() > 1:
        chances = np.array(expected)[possible] * 2000
        assert stats.chisquare(found[possible], chances).pvalue > 1e-4


@pytest.mark.parametrize(
    ("text", "stop", "held"),
    [("abc", ("cde",), 1), ("abcd", ("cde",), 2), ("abc", (), 0), ("ab\ufffd", (), 1)],
)
def test_the_beginning_of_a_stop_string_is_held_back(
    text: str, stop: tuple[str, ...], held: int
) -> None:
    assert held_back(text, stop) == held
