"""Names that are typed lead to those that are meant."""

from __future__ import annotations

import pytest

import metrics
from metrics.core.errors import UnknownMetric
from metrics.core.names import MEANINGS, hint, nearest


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("BLEU", "bleu"),
        ("sacreBLEU", "bleu"),
        ("chrF", "chrf"),
        ("rouge-l", "rouge"),
        ("ROUGE_1", "rouge"),
        ("em", "exact_match"),
        ("Exact-Match", "exact_match"),
        ("bert_score", "bertscore"),
        ("BERTScore", "bertscore"),
        ("ppl", "perplexity"),
        ("f1", "token_f1"),
        ("pass@k", "pass_at_k"),
        ("distinct-n", "distinct_n"),
    ],
)
def test_metrics_by_other_names(typed: str, meant: str) -> None:
    assert metrics.find(typed).name == meant


def test_every_synonym_leads_somewhere_and_hides_nothing() -> None:
    known = metrics.catalogue()
    assert set(metrics.SYNONYMS.values()) <= set(known)
    for typed in [*metrics.SYNONYMS, *metrics.WITH_PARAMS]:
        assert typed not in known


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("chrF++", "'chrf' with params {\"word_order\": 2}"),
        ("pass@10", "'pass_at_k' with params {\"k\": [10]}"),
        ("bleuu", "did you mean 'bleu'"),
    ],
)
def test_what_is_no_metric_says_what_was_meant(typed: str, said: str) -> None:
    with pytest.raises(UnknownMetric) as refused:
        metrics.find(typed)
    assert said in refused.value.message


def test_nearest() -> None:
    fields = ["learning_rate", "max_length", "output", "references"]
    assert nearest("lr", fields, MEANINGS) == ["learning_rate"]
    assert nearest("Learning-Rate", fields) == ["learning_rate"]
    assert nearest("lr", ["output"], MEANINGS) == []
    assert nearest("refernces", fields, MEANINGS) == ["references"]
    assert hint("zzz", fields) == "known: learning_rate, max_length, output, references"
    assert hint("zzz", map(str, range(40))).endswith("29, …")
