"""TER against sacrebleu 2.6.0: edits and lengths to the bit."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest
from sacrebleu.metrics import TER
from sacrebleu.metrics.lib_ter import translation_edit_rate

from inference.protocol import NoModels
from metrics.core.metric import Item
from metrics.core.rows import Floats
from metrics.ter import METRIC, TerParams, reduce
from metrics.text.shifts import edits
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN, Pair, random_pairs

Words = list[str]


def rows(pairs: list[Pair], **params: bool) -> Floats:
    items = [Item(output, references) for output, references in pairs]
    return np.asarray(METRIC.measure(items, TerParams(**params), NoModels())["row"], np.float64)


def value(pairs: list[Pair], **params: bool) -> float:
    return float(reduce(rows(pairs, **params).sum(axis=0), TerParams())[0])


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"normalized": True},
        {"normalized": True, "asian_support": True, "no_punct": True},
        {"case_sensitive": True, "no_punct": True},
    ],
    ids=str,
)
def test_statistics_and_scores_equal_sacrebleus(params: dict[str, bool]) -> None:
    pairs = random_pairs(random.Random(1), 150) + ENGLISH + RUSSIAN + CHINESE + JAPANESE
    ter = TER(
        normalized=params.get("normalized", False),
        no_punct=params.get("no_punct", False),
        asian_support=params.get("asian_support", False),
        case_sensitive=params.get("case_sensitive", False),
    )
    theirs = [
        ter._extract_corpus_statistics([output], [[one] for one in references])[0]
        for output, references in pairs
    ]
    assert rows(pairs, **params).tolist() == theirs
    total = ter._aggregate_and_compute(theirs).score
    assert value(pairs, **params) == pytest.approx(total, rel=1e-15)
    assert 20 < total < 200


def disturbed(draw: random.Random, words: int, kinds: int, changes: int) -> tuple[Words, Words]:
    """A text and another made of it by edits and by moves of up to six words."""
    reference = [str(draw.randrange(kinds)) for _ in range(words)]
    output = list(reference)
    for _ in range(changes):
        place = draw.randrange(len(output) + 1)
        match draw.randrange(4):
            case 0:
                output[place : place + 1] = [str(draw.randrange(kinds))]
            case 1:
                del output[place : place + 1]
            case 2:
                output.insert(place, str(draw.randrange(kinds)))
            case _:
                run = output[place : place + draw.randrange(1, 7)]
                del output[place : place + len(run)]
                target = draw.randrange(len(output) + 1)
                output[target:target] = run
    return output, reference


@pytest.mark.parametrize(
    ("words", "kinds", "changes", "count"),
    [
        (7, 5, 6, 250),
        (24, 60, 12, 40),
        (25, 12, 8, 12),  # many moves to try: the search ends at a thousand
        (70, 300, 70, 5),  # so far apart that the band is what decides
        (130, 700, 20, 2),
    ],
)
def test_moves_are_sacrebleus(words: int, kinds: int, changes: int, count: int) -> None:
    draw = random.Random(words)
    for _ in range(count):
        output, reference = disturbed(draw, words, kinds, draw.randrange(changes + 1))
        assert edits(output, reference) == translation_edit_rate(output, reference)[0]


@pytest.mark.parametrize(("longer", "shorter"), [(160, 2), (60, 20), (60, 0), (31, 30)])
def test_texts_of_unlike_lengths(longer: int, shorter: int) -> None:
    draw = random.Random(0)
    long, short = ([str(draw.randrange(40)) for _ in range(n)] for n in (longer, shorter))
    assert edits(long, short) == translation_edit_rate(long, short)[0]
    assert edits(short, long) == translation_edit_rate(short, long)[0]


def test_a_move_is_one_edit() -> None:
    moved: Pair = ("в Москве завтра дождь", ("завтра в Москве дождь",))
    assert value([moved]) == 25
    assert value([("дождь", ("дождь",))]) == 0
    assert value([("один два", ("один",))]) == 100
    assert value([("a b", ("",))]) == 100
    assert value([("", ("",))]) == 0
    assert value([("明天东京有雨", ("明天北京有雨",))]) == 100
    assert value(
        [("明天东京有雨", ("明天北京有雨",))], normalized=True, asian_support=True
    ) == pytest.approx(100 / 6)


def test_long_texts_take_little_memory() -> None:
    """Cells beyond the band are not kept: 8,000 words a side would be half a gigabyte."""
    words = [str(number % 4000) for number in range(8000)]
    tracemalloc.start()
    assert edits([*words[:-1], "x"], words) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
