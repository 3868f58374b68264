"""Perplexity against lm-evaluation-harness and transformers, and its conventions one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import InputError
from inference.pool import ModelPool
from metrics.core.measure import items_of, measure
from metrics.core.metric import Item, Sample
from metrics.core.signature import parts, text
from metrics.perplexity import EMPTY, METRIC, UNPREDICTED, PerplexityParams, count_words, cut
from tests.conftest import SMOLLM2
from tests.known import known
from tests.rounding import FORWARD
from tests.tiny_models import ENGLISH, RUSSIAN, build_language_model

TEXTS = [ENGLISH * 3, RUSSIAN * 3, "Paris.", "Москва — столица.", "日本語 🙂", "x", " a  b "]
TINY = "tiny-language"


def rows_of(pool: ModelPool, items: Sequence[Item], **params: Any) -> Any:
    return measure(METRIC.bind(params), items, pool)["row"]


def harness(folder: Path | str, window: int) -> Any:
    """lm-evaluation-harness's model over the same folder."""
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return HFLM(model, tokenizer=tokenizer, device="cpu", max_length=window, batch_size=2)


def request(kind: str, *arguments: str) -> Any:
    from lm_eval.api.instance import Instance

    return Instance(request_type=kind, doc={}, arguments=arguments, idx=0)


@pytest.mark.usefixtures("tiny_language_model")
def test_rolling_loglikelihoods_are_the_harness_s(
    model_pool: ModelPool, tiny_language_model: Path
) -> None:
    reference = harness(tiny_language_model, window=32)
    requests = [request("loglikelihood_rolling", one) for one in TEXTS]
    expected = reference.loglikelihood_rolling(requests, disable_tqdm=True)
    items = [Item(one) for one in TEXTS]
    rows = rows_of(model_pool, items, model=TINY, window=32)
    np.testing.assert_allclose(-rows[:, 0], expected, rtol=FORWARD)


@pytest.mark.usefixtures("tiny_language_model")
def test_scores_are_aggregated_as_the_harness_does(model_pool: ModelPool) -> None:
    from lm_eval.api.metrics import bits_per_byte, weighted_perplexity
    from lm_eval.api.task import PerplexityTask

    params = PerplexityParams(model=TINY)
    rows = rows_of(model_pool, [Item(one) for one in TEXTS], model=TINY)
    sizes = [PerplexityTask.count_bytes(one) for one in TEXTS]
    words = [PerplexityTask.count_words(one) for one in TEXTS]
    assert rows[:, 2].tolist() == sizes
    assert rows[:, 3].tolist() == words
    values = METRIC.reduce(rows.sum(0), params)
    by_size = list(zip(-rows[:, 0], sizes, strict=True))
    by_word = list(zip(-rows[:, 0], words, strict=True))
    assert values[1] == pytest.approx(bits_per_byte(by_size), rel=1e-12)
    assert values[2] == pytest.approx(weighted_perplexity(by_size), rel=1e-12)
    assert values[3] == pytest.approx(weighted_perplexity(by_word), rel=1e-12)
    assert values[0] == pytest.approx(np.exp(rows[:, 0].sum() / rows[:, 1].sum()), rel=1e-12)


@pytest.mark.usefixtures("tiny_language_model")
def test_output_given_prompt_is_the_harness_s_loglikelihood(
    model_pool: ModelPool, tiny_language_model: Path
) -> None:
    """Where the prompt ends without whitespace and needs no cutting."""
    pairs = [
        ("Question: the capital of France?", " Paris is the capital."),
        ("Какой город столица России?", " Москва — столица."),
        (ENGLISH, "日本語 🙂"),
    ]
    reference = harness(tiny_language_model, window=256)
    requests = [request("loglikelihood", *pair) for pair in pairs]
    expected = [value for value, _ in reference.loglikelihood(requests, disable_tqdm=True)]
    items = [Item(output, prompt=prompt) for prompt, output in pairs]
    given = {"model": TINY, "text": "output_given_prompt"}
    rows = rows_of(model_pool, items, add_bos=False, **given)
    np.testing.assert_allclose(-rows[:, 0], expected, rtol=FORWARD)
    assert rows[:, 2].tolist() == [len(output.encode()) for _, output in pairs]


@given(
    st.lists(st.integers(3, 99), max_size=60),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 20),
)
@settings(max_examples=200)
def test_windows(tokens: list[int], window: int, stride: int, before: int) -> None:
    """The harness's windows for a context of one token; every token once, in order, always."""
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    stride = min(stride, window)
    rolling = get_rolling_token_windows(tokens, 1, window, window - stride + 1)
    assert cut([1], tokens, window, stride) == [make_disjoint_window(pair) for pair in rolling]

    context = list(range(1000, 1000 + before))
    found = cut(context, tokens, window, stride)
    scored = [token for _, continuation in found for token in continuation]
    assert scored == (tokens if before else tokens[1:])
    whole, at = context + tokens, before or 1
    for seen, continuation in found:
        assert seen
        assert len(seen) + len(continuation) - 1 <= window
        assert whole[at - len(seen) : at + len(continuation)] == seen + continuation
        at += len(continuation)


@pytest.mark.usefixtures("tiny_language_model")
def test_a_smaller_stride_sees_more_context(model_pool: ModelPool) -> None:
    """A stride of one equals one forward pass a token, by hand."""
    import torch

    model: Any = model_pool.language(TINY)
    (tokens,) = model.encode([RUSSIAN * 2])
    ids = [model.bos_id, *tokens]
    total = 0.0
    with torch.no_grad():
        for at in range(1, len(ids)):
            seen = torch.tensor([ids[max(at - 16, 0) : at]])
            total -= float(torch.log_softmax(model.model(seen).logits[0, -1], -1)[ids[at]])
    (row,) = rows_of(model_pool, [Item(RUSSIAN * 2)], model=TINY, window=16, stride=1)
    assert row[0] == pytest.approx(total, rel=FORWARD)
    assert row[1] == len(tokens)


@pytest.mark.usefixtures("tiny_language_model")
def test_without_bos_the_first_token_is_neither_scored_nor_counted(model_pool: ModelPool) -> None:
    import torch

    model: Any = model_pool.language(TINY)
    (tokens,) = model.encode([ENGLISH])
    with torch.no_grad():
        ids = torch.tensor([tokens])
        loss = float(model.model(ids, labels=ids).loss)  # transformers' mean over T - 1 tokens
    (row,) = rows_of(model_pool, [Item(ENGLISH)], model=TINY, add_bos=False)
    assert row[1] == len(tokens) - 1
    assert row[0] / row[1] == pytest.approx(loss, rel=FORWARD)
    assert row[2] == len(ENGLISH.encode())


@pytest.mark.usefixtures("tiny_language_model")
def test_the_prompt_s_tokens_are_not_counted(model_pool: ModelPool) -> None:
    given = {"model": TINY, "text": "output_given_prompt"}
    model = model_pool.language(TINY)
    spaced = Item("Paris is", prompt="Where? ")  # tokenized apart: nothing of the prompt is scored
    long = Item("Рим", prompt=RUSSIAN * 12)  # only the prompt's end fits
    none = Item("Paris is", prompt="")
    rows = rows_of(model_pool, [spaced, long, none], **given)
    for item, row in zip((spaced, long, none), rows, strict=True):
        assert row[1] == len(model.encode([item.output])[0])
        assert row[2] == len(item.output.encode())
    (plain,) = rows_of(model_pool, [none], model=TINY)
    np.testing.assert_allclose(rows[2], plain, rtol=FORWARD)
    (chat,) = rows_of(model_pool, [spaced], chat=True, **given)
    assert chat[1] == rows[0, 1]
    assert chat[0] != pytest.approx(rows[0, 0], rel=1e-4)
    context = model.encode(model.render(["Where? "]))[0]  # begins with the BOS by itself
    (by_hand,) = model.logprobs([(context, model.encode(["Paris is"])[0])])
    assert chat[0] == pytest.approx(-by_hand.sum(), rel=FORWARD)


@pytest.mark.usefixtures("tiny_language_model")
def test_empty_texts_are_missing(model_pool: ModelPool) -> None:
    items = [Item(""), Item("x"), Item("Париж")]
    evidence = measure(METRIC.bind({"model": TINY, "add_bos": False}), items, model_pool)
    assert evidence["flag"].tolist() == [EMPTY, UNPREDICTED, 0]
    assert all(METRIC.flags[code].missing for code in (EMPTY, UNPREDICTED))
    assert evidence["row"][:2].sum() == 0.0
    values = METRIC.bind().per_sample(np.asarray(evidence["row"], np.float64))
    assert np.isnan(values[:2]).all()
    assert np.isfinite(values[2]).all()


@pytest.mark.usefixtures("tiny_language_model")
def test_references_count_once_however_many_outputs(model_pool: ModelPool) -> None:
    params = PerplexityParams(model=TINY, text="reference")
    one = [Sample("1", ("a",), (ENGLISH, "Рим")), Sample("2", ("b",), (RUSSIAN,))]
    many = [Sample("1", ("a", "b", "c"), (ENGLISH, "Рим")), one[1]]
    values = []
    for samples in (one, many):
        items, unit = items_of(samples)
        evidence = measure(METRIC.bind(params), items, model_pool)
        values.append(
            METRIC.reduce(known(METRIC.settle)(evidence, unit, params).rows.sum(0), params)
        )
    np.testing.assert_allclose(values[0], values[1], rtol=FORWARD)
    rows = rows_of(model_pool, [Item(t) for t in (ENGLISH, "Рим", RUSSIAN)], model=TINY)
    np.testing.assert_allclose(values[0], METRIC.reduce(rows.sum(0), params), rtol=FORWARD)
    assert METRIC.bind(params).needs == ("references",)


def test_signatures_say_what_may_be_compared(
    models_root: Path, model_pool: ModelPool, tiny_language_model: Path
) -> None:
    build_language_model(models_root / "tiny-other", seed=7)

    def signatures(name: str, **params: Any) -> dict[str, str]:
        metric = METRIC.bind({"model": name, **params})
        found = parts(metric, model_pool)
        return {score.name: text(found, score) for score in metric.scores}

    a, b = (signatures(name, text="reference") for name in (TINY, "tiny-other"))
    assert a == b  # the models are judged, and cut texts alike
    a, c = signatures(TINY, text="reference"), signatures(SMOLLM2, text="reference")
    assert a["bits_per_byte"] == c["bits_per_byte"]
    assert a["perplexity"] != c["perplexity"]  # other tokens
    a, b = signatures(TINY), signatures("tiny-other")
    assert all(a[name] != b[name] for name in a)  # the model is the ruler
    windowed = signatures(TINY, text="reference", window=64)
    assert windowed["bits_per_byte"] != signatures(TINY, text="reference")["bits_per_byte"]


@pytest.mark.usefixtures("tiny_language_model")
def test_bad_windows_are_named(model_pool: ModelPool) -> None:
    with pytest.raises(InputError, match="256 positions") as error:
        rows_of(model_pool, [Item("x")], model=TINY, window=257)
    assert error.value.field == "params.window"
    with pytest.raises(InputError) as error:
        rows_of(model_pool, [Item("x")], model=TINY, stride=257)
    assert error.value.field == "params.stride"
    for params in ({"window": 8, "stride": 9}, {"stride": 0}):
        with pytest.raises(InputError) as error:
            METRIC.bind(params)
        assert error.value.field == "params.stride"


class Remembering(dict[bytes, Any]):
    """An evidence cache in a dictionary."""

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        return {key: self[key] for key in keys if key in self}

    def keep(self, found: Any) -> None:
        self.update(found)


def test_stored_evidence_costs_no_pass_and_loads_nothing(
    models_root: Path, model_cache: Path, tiny_language_model: Path
) -> None:
    cache, items, params = Remembering(), [Item(one) for one in TEXTS], PerplexityParams(model=TINY)
    first = measure(METRIC.bind(params), items, ModelPool([models_root], model_cache), cache)
    pool = ModelPool([models_root], model_cache)
    again = measure(METRIC.bind(params), items, pool, cache)
    assert (pool.loads, pool.calls) == (0, 0)
    np.testing.assert_array_equal(first["row"], again["row"])


@pytest.mark.usefixtures("tiny_language_model")
def test_rows_do_not_depend_on_the_company(model_pool: ModelPool) -> None:
    """Batches merged across requests: any list of items, the same rows within the tolerance."""
    items = [Item(one) for one in TEXTS]
    together = rows_of(model_pool, items[::-1], model=TINY, window=64)[::-1]
    alone = np.concatenate([rows_of(model_pool, [i], model=TINY, window=64) for i in items])
    np.testing.assert_allclose(together, alone, rtol=FORWARD)


def test_words_are_pieces_between_whitespace() -> None:
    assert [count_words(one) for one in ("a b", "a\n\tb", " a ", "", "слово")] == [2, 2, 3, 1, 1]


@pytest.mark.slow
def test_golden_values_of_the_builtin_model(model_pool: ModelPool, model_cache: Path) -> None:
    """The harness over the same weights, live, and the numbers seen when this was written."""
    from inference.convert import converted
    from inference.names import locate

    texts = [ENGLISH, RUSSIAN]
    rows = rows_of(model_pool, [Item(one) for one in texts], model=SMOLLM2, window=24)
    gguf = locate(SMOLLM2).gguf
    assert gguf is not None
    reference = harness(converted(gguf, model_cache), window=24)
    requests = [request("loglikelihood_rolling", one) for one in texts]
    expected = reference.loglikelihood_rolling(requests, disable_tqdm=True)
    np.testing.assert_allclose(-rows[:, 0], expected, rtol=FORWARD)
    golden = [-174.096928, -693.909654]  # lm-eval 0.4, torch 2.13, float32
    np.testing.assert_allclose(expected, golden, rtol=1e-4)
    assert rows[:, 1].tolist() == [53, 195]
    values = METRIC.reduce(rows.sum(0), PerplexityParams())
    nll, tokens, size, words = 868.006582, 53 + 195, 246 + 438, 46 + 37
    golden = [np.exp(nll / tokens), nll / size / np.log(2), *np.exp([nll / size, nll / words])]
    np.testing.assert_allclose(values, golden, rtol=1e-3)
