"""BLEU against sacrebleu 2.6.0: statistics to the bit, scores to the last digits."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from sacrebleu.metrics.bleu import _get_tokenizer

from inference.errors import InputError
from inference.protocol import NoModels
from metrics import find
from metrics.bleu import METRIC, BleuParams
from metrics.core import signature
from metrics.core.measure import items_of, measure
from metrics.core.metric import Item, Sample
from metrics.core.run import score
from metrics.text.tokenizers import Name, tokenize
from tests.metrics.lexical_texts import (
    CHINESE,
    ENGLISH,
    JAPANESE,
    RUSSIAN,
    Pair,
    random_pairs,
    random_text,
)


def rows(pairs: list[Pair], **params: Any) -> np.ndarray:
    items = [Item(output, references) for output, references in pairs]
    return METRIC.measure(items, BleuParams(**params), NoModels())["row"]


def value(pairs: list[Pair], **params: Any) -> float:
    sums = rows(pairs, **params).sum(axis=0).astype(np.float64)
    return float(METRIC.reduce(sums, BleuParams(**params))[0])


def sacrebleu_rows(pairs: list[Pair], **params: Any) -> np.ndarray:
    bleu = BLEU(**params)
    return np.array(
        [
            bleu._extract_corpus_statistics([output], [[one] for one in references])[0]
            for output, references in pairs
        ]
    )


# sacrebleu 2.6.0: BLEU(tokenize=…).corpus_score, and sentence_score with effective_order
GOLDEN = [
    ("13a", ENGLISH, 37.83582916486434),
    ("13a", RUSSIAN, 35.604397571006345),
    ("zh", CHINESE, 43.32958180612277),
    ("char", CHINESE, 53.72161088829592),
    ("13a", CHINESE, 0.0),
    ("ja-mecab", JAPANESE, 23.063042920515084),
]
GOLDEN_SENTENCES = [
    65.4880361897822,
    32.26386416030252,
    18.360281349467954,
    100.00000000000004,
    0.0,
    0.0,
]


@pytest.mark.parametrize(("tokenizer", "pairs", "expected"), GOLDEN)
def test_golden(tokenizer: str, pairs: list[Pair], expected: float) -> None:
    assert value(pairs, tokenize=tokenizer) == pytest.approx(expected, rel=1e-13)


def test_golden_statistics() -> None:
    assert rows(ENGLISH).dtype == np.int64
    assert rows(ENGLISH).sum(axis=0).tolist() == [51, 52, 38, 24, 13, 7, 51, 46, 42, 38]
    assert rows(CHINESE, tokenize="zh").sum(axis=0).tolist() == [
        *(47, 46),
        *(39, 26, 16, 7),
        *(47, 44, 41, 38),
    ]


def test_a_sample_uses_the_effective_order() -> None:
    found = METRIC.bind().per_sample(rows(ENGLISH).astype(np.float64))[:, 0]
    assert found.tolist() == pytest.approx(GOLDEN_SENTENCES, rel=1e-13)


@pytest.mark.parametrize("name", ["13a", "zh", "intl", "char", "none"])
@pytest.mark.parametrize("size", [5, 12, 50])
def test_tokenizers_equal_sacrebleus(name: Name, size: int) -> None:
    rng = random.Random(size)
    lines = [random_text(rng, size) for _ in range(3000)]
    reference = _get_tokenizer(name)()
    plain = reference.__class__.__call__
    expected = [getattr(plain, "__wrapped__", plain)(reference, line).split() for line in lines]
    tokens, lengths = tokenize(lines, name)
    ends = np.cumsum(lengths)
    found = [tokens[end - n : end] for end, n in zip(ends, lengths, strict=True)]
    wrong = [row for row in zip(lines, expected, found, strict=True) if row[1] != row[2]]
    assert not wrong


@pytest.mark.parametrize("name", ["13a", "zh", "intl", "char", "none", "ja-mecab"])
@pytest.mark.parametrize("order", [1, 4, 7])
def test_statistics_equal_sacrebleus(name: str, order: int) -> None:
    pairs = random_pairs(random.Random(order), 120) + ENGLISH + RUSSIAN + CHINESE + JAPANESE
    if name == "ja-mecab":  # not made for control characters
        pairs = ENGLISH + RUSSIAN + CHINESE + JAPANESE
    params = {"tokenize": name, "max_ngram_order": order, "lowercase": order == 7}
    assert np.array_equal(rows(pairs, **params), sacrebleu_rows(pairs, **params))


def test_one_reference_each_goes_another_way_to_the_same_statistics() -> None:
    pairs = [(output, references[:1]) for output, references in random_pairs(random.Random(5), 500)]
    assert np.array_equal(rows(pairs), sacrebleu_rows(pairs))


def test_more_different_words_than_fit_a_packed_key() -> None:
    rng = random.Random(6)
    text = [str(rng.randrange(40_000)) for _ in range(40_000)]
    changed = [word if rng.random() < 0.9 else "x" for word in text]
    pairs: list[Pair] = [(" ".join(changed), (" ".join(text),)), ("a b", ("a b c",))]
    assert np.array_equal(rows(pairs), sacrebleu_rows(pairs))


@pytest.mark.parametrize("method", ["exp", "floor", "add-k", "none"])
@pytest.mark.parametrize("smooth_value", [None, 0.5])
@pytest.mark.parametrize("effective", [False, True])
def test_smoothing_equals_sacrebleus(
    method: str, smooth_value: float | None, effective: bool
) -> None:
    params: dict[str, Any] = {
        "smooth_method": method,
        "smooth_value": smooth_value,
        "effective_order": effective,
    }
    found = rows(random_pairs(random.Random(7), 300) + ENGLISH + RUSSIAN)
    bleu = BLEU(**params)
    expected = [bleu._compute_score_from_stats(row).score for row in found.tolist()]
    assert len({round(score, 6) for score in expected}) > 20
    got = METRIC.reduce(found.astype(np.float64), BleuParams(**params))
    assert got.shape == (len(found), 1)
    np.testing.assert_allclose(got[:, 0], expected, rtol=1e-13, atol=0)
    # any number of leading axes gives the same
    stacked = METRIC.reduce(np.stack([found, found]).astype(np.float64), BleuParams(**params))
    assert np.array_equal(stacked[1], got)


def test_outputs_of_a_sample_are_pooled() -> None:
    samples = [
        Sample("a", ("the cat sat", "a cat sat down"), ("the cat sat down",)),
        Sample("b", ("Привет, мир",), ("Привет, мир!", "Здравствуй, мир!")),
    ]
    items, unit = items_of(samples)
    metric = METRIC.bind()
    settled = metric.settle(measure(metric, items, NoModels()), unit)
    pairs = [(item.output, item.references) for item in items]
    expected = sacrebleu_rows(pairs)
    assert np.array_equal(settled.rows, np.stack([expected[:2].sum(axis=0), expected[2]]))


def test_a_batch_does_not_change_the_rows() -> None:
    pairs = [(output * 40, references) for output, references in random_pairs(random.Random(8), 90)]
    assert sum(len(output) for output, _ in pairs) > 100_000  # more than one batch
    apart = np.concatenate([rows([pair]) for pair in pairs])
    assert np.array_equal(rows(pairs), apart)


def test_no_items() -> None:
    assert rows([]).shape == (0, 10)


@pytest.mark.parametrize("name", ["flores200", "flores101", "spm", "spBLEU-1K"])
def test_tokenizers_that_need_a_network_say_so(name: str) -> None:
    with pytest.raises(InputError, match="network") as caught:
        METRIC.bind({"tokenize": name})
    assert caught.value.field == "params.tokenize"


def test_a_sample_without_references_is_an_input_error() -> None:
    with pytest.raises(InputError, match="reference"):
        rows([("text", ())])


def test_no_text_stays_behind_in_sacrebleus_caches() -> None:
    for name, pairs in ("13a", ENGLISH), ("zh", CHINESE), ("ja-mecab", JAPANESE):
        call: Any = type(_get_tokenizer(name)()).__call__
        call.cache_clear()
        rows(pairs, tokenize=name)
        assert call.cache_info().currsize == 0


def test_importing_the_metric_imports_no_library() -> None:
    code = (
        "import json, sys, metrics.bleu, metrics.chrf, metrics.rouge;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    heavy = {"torch", "transformers", "sacrebleu", "rouge_score", "rouge_score_rs", "nltk", "regex"}
    assert not loaded & heavy


def test_the_signature_names_what_can_change_a_number() -> None:
    found = signature.text(signature.parts(METRIC.bind(), NoModels()))
    assert found == (
        "bleu|version:1|tokenize:13a|lowercase:false|max_ngram_order:4|smooth_method:exp"
        "|smooth_value:none|effective_order:false|sacrebleu:2.6.0"
    )
    japanese = signature.parts(METRIC.bind({"tokenize": "ja-mecab"}), NoModels())
    assert japanese["ipadic"] == "1.0.0"


def test_a_perfect_score_is_sacrebleus() -> None:
    pairs = [(references[0], references) for _, references in RUSSIAN]
    assert value(pairs) == 100.00000000000004
    assert math.isclose(value(pairs, tokenize="intl"), 100)


@pytest.mark.parametrize("cluster", [None, "page"])
@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_perfect_outputs_do_not_show_how_far_others_might_lie(
    name: str, cluster: str | None
) -> None:
    """Percentiles that are all 100 are no interval, whatever rounding makes of the influence."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices("abcdefgh", k=draw.randrange(5, 14))) for _ in range(60)]
    samples = [
        Sample(str(at), (text,), (text,), metadata={"page": at // 2})
        for at, text in enumerate(texts)
    ]
    (found,) = score(samples, [find(name).bind()], cluster=cluster)
    (told,) = found.scores
    assert told.value == pytest.approx(100.0, rel=1e-12)
    assert told.interval is None
    assert told.warnings[-1].startswith(f"all {60 if cluster is None else 30} ")
