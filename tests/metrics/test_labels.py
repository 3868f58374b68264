"""Accuracy, F1 and MCC against scikit-learn, in several scripts."""

from __future__ import annotations

import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    matthews_corrcoef,
)

from metrics import find
from metrics.core.compare import compare
from metrics.core.details import Details
from metrics.core.errors import MissingInput
from metrics.core.metric import Sample
from metrics.core.run import prepare, score
from tests.known import known

SCRIPTS = ["yes", "нет", "也许", "ربما", "😀", "+", "-"]


def drawn(
    seed: int, n: int, labels: list[str], strange: float = 0.0
) -> tuple[list[str], list[str]]:
    """What was said and wanted; a share of the said is no label."""
    draw = random.Random(seed)
    wanted = draw.choices(labels, [0.6**k for k in range(len(labels))], k=n)
    said = [one if draw.random() < 0.6 else draw.choice(labels) for one in wanted]
    return ["nothing of it" if draw.random() < strange else one for one in said], wanted


def scored(said: list[str], wanted: list[str], name: str, **params: object) -> dict[str, float]:
    pairs = enumerate(zip(said, wanted, strict=True))
    samples = [Sample(str(n), (one,), (other,)) for n, (one, other) in pairs]
    (result,) = score(samples, [find(name).bind(params)])
    values = {found.name: found.value for found in result.scores}
    return {key: np.nan if value is None else value for key, value in values.items()}


@pytest.mark.parametrize("strange", [0.0, 0.2])
@pytest.mark.parametrize("count", [2, 3, 7])
def test_numbers_are_scikit_learns(count: int, strange: float) -> None:
    for seed in range(5):
        said, wanted = drawn(seed, 120, SCRIPTS[:count], strange)
        classes = sorted(set(wanted))
        found = scored(said, wanted, "f1_macro")
        theirs = {
            "f1_macro": f1_score(wanted, said, labels=classes, average="macro"),
            "f1_weighted": f1_score(wanted, said, labels=classes, average="weighted"),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a label that is no class
            theirs["balanced_accuracy"] = balanced_accuracy_score(wanted, said)
        assert found == pytest.approx(theirs, rel=1e-12)
        assert scored(said, wanted, "mcc")["mcc"] == pytest.approx(
            matthews_corrcoef(wanted, said), rel=1e-12
        )
        assert scored(said, wanted, "accuracy")["accuracy"] == accuracy_score(wanted, said)


def test_named_labels_are_scikit_learns() -> None:
    said, wanted = drawn(1, 150, SCRIPTS[:4])
    named = ["yes", "нет"]
    found = scored(said, wanted, "f1_macro", labels=named)
    assert found["f1_macro"] == pytest.approx(
        f1_score(wanted, said, labels=named, average="macro"), rel=1e-12
    )
    merged = [[one if one in named else "other" for one in texts] for texts in (said, wanted)]
    assert scored(said, wanted, "mcc", labels=named)["mcc"] == pytest.approx(
        matthews_corrcoef(merged[1], merged[0]), rel=1e-12
    )


def test_knowing_nothing_is_a_correlation_of_zero() -> None:
    wanted = ["a"] * 9 + ["b"]
    assert scored(["a"] * 10, wanted, "mcc")["mcc"] == 0
    assert scored(["a"] * 10, wanted, "accuracy")["accuracy"] == 0.9
    assert scored(["a", "b"] * 5, ["b", "a"] * 5, "mcc")["mcc"] == pytest.approx(-1)


@pytest.mark.parametrize(
    ("output", "references", "params", "expected"),
    [
        ("Paris.", ("Lyon", "paris"), {}, 1),
        ("<think>Lyon?</think>Париж", ("париж",), {}, 1),
        ("<think>Paris", ("Paris",), {}, 0),
        ("", ("Paris",), {}, 0),
        ("", ("",), {}, 1),
        ("+", ("-",), {}, 0),
        ("The answer is (B).", ("B",), {"take": "choice"}, 1),
        ("Ответ: В", ("(B)",), {"take": "choice"}, 1),
        ("A", ("B",), {"take": "choice"}, 0),
        ("It costs 1,234.50", ("1234.5",), {"take": "last_number"}, 1),
        ("答案：是", ("是",), {"take": "whole", "marker": "答案："}, 1),
        ('{"label": "ноль"}', ("Ноль",), {"take": "json", "path": "label"}, 1),
    ],
)
def test_accuracy_by_hand(
    output: str, references: tuple[str, ...], params: dict[str, str], expected: float
) -> None:
    (result,) = score([Sample("1", (output,), references)], [find("accuracy").bind(params)])
    assert result.scores[0].value == expected


@pytest.mark.parametrize(("output", "expected"), [("(E)", 1), ("Answer: A", 0), ("none", 0)])
def test_a_multiple_choice_needs_no_references(output: str, expected: float) -> None:
    metadata = {"choices": ["one", "two", "three", "four", "five"], "answer": "E"}
    metric = find("accuracy").bind({"take": "choice"})
    (result,) = score([Sample("1", (output,), metadata=metadata)], [metric])
    assert result.scores[0].value == expected
    (result,) = score([Sample("1", ("Five!",), metadata=metadata)], [find("accuracy").bind()])
    assert result.scores[0].value == 1


def test_a_sample_without_a_label_is_refused() -> None:
    with pytest.raises(MissingInput, match="needs references"):
        prepare(find("accuracy").bind(), [Sample("1", ("a",))])


def test_outputs_of_a_sample_count_as_one_together() -> None:
    metric = find("f1_macro").bind()
    once = [Sample("1", ("a",), ("a",)), Sample("2", ("a",), ("b",)), Sample("3", ("b",), ("b",))]
    many = [Sample(one.id, one.outputs * 3, one.references) for one in once]
    first, second = (score(samples, [metric])[0].scores for samples in (once, many))
    assert [one.value for one in first] == pytest.approx([one.value for one in second])


def test_texts_are_no_classes() -> None:
    texts = [f"text {n}" for n in range(300)]
    samples = [Sample(text, (text,), (text,)) for text in texts]
    (result,) = score(samples, [find("f1_macro").bind()])
    assert "these are no classes" in (result.scores[0].error or "")


def test_rare_classes_are_told() -> None:
    (result,) = score(
        [Sample(str(n), ("a",), ("b" if n else "a",)) for n in range(12)], [find("mcc").bind()]
    )
    assert any("1 of 2 labels have fewer than 5" in one for one in result.scores[0].warnings)


@pytest.mark.parametrize("name", ["f1_macro", "mcc"])
def test_intervals_hold_the_value_of_the_population(name: str) -> None:
    """95% are asked, of 150 sets: fewer than 88% has a chance below one in a thousand."""
    said, wanted = drawn(99, 60_000, ["a", "b", "c"])
    truth = scored(said, wanted, name)[name]
    metric, held = find(name).bind(), 0
    for seed in range(150):
        pairs = enumerate(zip(*drawn(seed, 50, ["a", "b", "c"]), strict=True))
        samples = [Sample(str(n), (one,), (other,)) for n, (one, other) in pairs]
        interval = score(samples, [metric])[0].scores[0].interval
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    assert held >= 132


def test_systems_are_compared_where_one_lacks_a_class() -> None:
    """Its only sample is missing there, so that rows have other columns."""
    metric = find("f1_macro").bind()
    said, wanted = drawn(3, 60, ["a", "b"])
    samples = [
        Sample(str(n), (one,), (other,))
        for n, (one, other) in enumerate(zip([*said, "c"], [*wanted, "c"], strict=True))
    ]
    broken = [*samples[:-1], replace(samples[-1], details=(Details(failure="refused"),))]
    ids = [one.id for one in samples]
    first, second = (score(one, [metric])[0] for one in (samples, broken))
    assert second.scores[0].missing == 1
    found = compare(metric, first, ids, second, ids)
    assert [one.difference is None for one in found] == [False] * 3
    assert found[0].only_a == 1
    assert np.isfinite(known(found[0].difference).error)
