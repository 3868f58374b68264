"""Metrics of `evaluate` from local folders: found, fenced in, computed, remembered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError, ReportedError, Unavailable
from inference.protocol import NoModels
from metrics import find
from metrics.core.measure import items_of
from metrics.core.measure import measure as measure_items
from metrics.core.metric import AnyMetric, Item, Sample
from metrics.core.signature import evidence_digest, parts

SCRIPT = '''
import datasets
import evaluate


class LengthRatio(evaluate.Metric):
    """Length of the prediction over that of its nearest reference."""

    def _info(self):
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="",
            features=datasets.Features({
                "predictions": datasets.Value("string"),
                "references": FEATURE,
            }),
        )

    def _compute(self, predictions, references, power=1):
        values = []
        for prediction, chosen in zip(predictions, references):
            chosen = chosen if isinstance(chosen, list) else [chosen]
            best = min(chosen, key=lambda one: abs(len(one) - len(prediction)))
            values.append((len(prediction) / len(best)) ** power if best else float("nan"))
        return {"length_ratio": sum(values) / len(values), "count": len(values), "text": "x"}
'''
MANY = 'datasets.Sequence(datasets.Value("string"))'
ONE = 'datasets.Value("string")'
ACCURACY = """
import datasets
import evaluate


class Accuracy(evaluate.Metric):
    def _info(self):
        value = datasets.Value("int32")
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="",
            features=datasets.Features({"predictions": value, "references": value}),
        )

    def _compute(self, predictions, references):
        same = [a == b for a, b in zip(predictions, references)]
        return {"accuracy": sum(same) / len(same)}
"""


def write(
    root: Path, name: str = "length_ratio", script: str = SCRIPT, feature: str = MANY
) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / f"{name}.py").write_text(script.replace("FEATURE", feature))
    return folder


def value(metric: AnyMetric, samples: list[Sample], **given: Any) -> Any:
    bound = metric.bind(given)
    items, unit = items_of(samples)
    evidence = measure_items(bound, items, NoModels())
    return bound.reduce(bound.settle(evidence, unit).rows.sum(0))


SAMPLES = [
    Sample("1", ("да", "нет"), ("год", "века")),
    Sample("2", ("漢字😀",), ("a",)),
]


def test_computes_the_mean_over_samples(tmp_path: Path) -> None:
    write(tmp_path)
    metric = find("evaluate/length_ratio", [tmp_path])
    assert value(metric, SAMPLES) == pytest.approx([((2 / 3 + 1) / 2 + 3) / 2])
    assert value(metric, SAMPLES, options={"power": 2})[0] == pytest.approx(
        ((4 / 9 + 1) / 2 + 9) / 2
    )
    both = value(metric, SAMPLES, scores=["count", "length_ratio"], lower_is_better=["count"])
    assert both == pytest.approx([1, ((2 / 3 + 1) / 2 + 3) / 2])


def test_equals_evaluate_on_each_sample(tmp_path: Path) -> None:
    import evaluate

    folder = write(tmp_path)
    metric = find("evaluate/length_ratio", [tmp_path])
    theirs = evaluate.load(str(folder), keep_in_memory=True)
    for sample in SAMPLES[1:]:
        expected = theirs.compute(
            predictions=list(sample.outputs), references=[list(sample.references)]
        )
        assert value(metric, [sample])[0] == expected["length_ratio"]


def test_numbers_and_single_references(tmp_path: Path) -> None:
    write(tmp_path, "accuracy", ACCURACY)
    metric = find("evaluate/accuracy", [tmp_path])
    right, wrong = Sample("1", ("3",), ("3",)), Sample("2", (" 4 ",), ("5",))
    assert value(metric, [right, wrong]).tolist() == [0.5]
    with pytest.raises(InputError, match="numbers"):
        value(metric, [Sample("1", ("три",), ("3",))])
    write(tmp_path, "one_reference", SCRIPT.replace("length_ratio", "one_reference"), ONE)
    single = find("evaluate/one_reference", [tmp_path])
    assert value(single, [Sample("1", ("ab",), ("a",))]).tolist() == [2]
    with pytest.raises(InputError, match="one reference"):
        value(single, [Sample("1", ("ab",), ("a", "b"))])


def test_not_a_number_is_missing(tmp_path: Path) -> None:
    write(tmp_path)
    metric = find("evaluate/length_ratio", [tmp_path])
    evidence = metric.bind().measure([Item("ab", ("",)), Item("ab", ("a",))], NoModels())
    assert evidence["flag"].tolist() == [1, 0]
    assert evidence["row"].tolist() == [[0, 0], [2, 1]]
    assert metric.flags[1].missing


def test_what_the_caller_got_wrong_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    metric = find("evaluate/length_ratio", [tmp_path])
    for given, field in (
        ({"scores": ["length"]}, "params.scores"),
        ({"scores": ["text"]}, "params.scores"),
        ({"options": {"powr": 2}}, "params.options"),
    ):
        with pytest.raises(InputError) as caught:
            value(metric, SAMPLES, **given)
        assert caught.value.field == field
    with pytest.raises(InputError, match="option"):
        metric.bind({"option": {}})
    with pytest.raises(InputError):
        metric.bind({"options": {"power": float("nan")}})
    with pytest.raises(InputError):
        metric.bind({"files": "another"})
    write(tmp_path, "broken", "raise OSError('no such thing')")
    with pytest.raises(ReportedError, match="no such thing"):
        value(find("evaluate/broken", [tmp_path]), SAMPLES)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        ".",
        "..",
        "../outside/length_ratio",
        "inside/../../outside/length_ratio",
        "link",
        "linked",
        "rouge",
        "accuracy",
        "someone/metric",
        "/etc",
        "length_ratio\x00",
        "half",
    ],
)
def test_nothing_outside_the_roots(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    write(root, "inside")
    outside = write(tmp_path / "outside")
    (root / "link").symlink_to(outside, target_is_directory=True)
    (root / "length_ratio").symlink_to(outside, target_is_directory=True)
    linked = root / "linked"  # the folder is inside, its script is not
    linked.mkdir()
    (linked / "linked.py").symlink_to(outside / "length_ratio.py")
    (root / "half").mkdir()
    for name in (path, str(outside), "length_ratio"):
        with pytest.raises(InputError, match="allowed roots") as caught:
            find(f"evaluate/{name}", [root])
        assert caught.value.field == "name"
        assert "network" in caught.value.message
    with pytest.raises(InputError):
        find("evaluate/length_ratio", [])


def test_absolute_paths_stay_out_of_the_name(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert find(f"evaluate/{folder}", [tmp_path]).name == "evaluate/length_ratio"
    nested = write(tmp_path / "a", "b")
    assert find("evaluate/a/b/", [tmp_path]).name == "evaluate/a/b"
    assert find(f"evaluate/{nested}", [tmp_path]).name == "evaluate/a/b"


def test_signature_follows_the_files(tmp_path: Path) -> None:
    folder = write(tmp_path)
    before = find("evaluate/length_ratio", [tmp_path])
    old = parts(before.bind(), NoModels())
    assert old["evaluate"][0].isdigit()
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    same = find("evaluate/length_ratio", [tmp_path])
    assert parts(same.bind(), NoModels()) == old
    (folder / "length_ratio.py").write_text(
        SCRIPT.replace("FEATURE", MANY).replace("power=1", "power=3")
    )
    after = find("evaluate/length_ratio", [tmp_path])
    assert parts(after.bind(), NoModels()) != old
    digests = {evidence_digest(each.bind(), NoModels()) for each in (before, after)}
    assert len(digests) == 2
    assert value(after, SAMPLES[1:]).tolist() == [27]


def test_options_in_any_order_are_the_same(tmp_path: Path) -> None:
    write(tmp_path)
    metric = find("evaluate/length_ratio", [tmp_path])
    a = metric.bind({"options": {"x": 1, "power": 2}})
    b = metric.bind({"options": {"power": 2, "x": 1}})
    assert parts(a, NoModels()) == parts(b, NoModels())


def test_declaring_does_not_import_evaluate(tmp_path: Path) -> None:
    import subprocess

    write(tmp_path)
    code = (
        "import sys; from pathlib import Path; from metrics import find; "
        f"found = find('evaluate/length_ratio', [Path({str(tmp_path)!r})]); "
        "found.params.model_json_schema(); "
        "assert not {'evaluate', 'datasets', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setattr("metrics.community.evaluate.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"'\.\[community\]'"):
        find("evaluate/length_ratio", [tmp_path])


def test_rows_are_finite(tmp_path: Path) -> None:
    write(tmp_path)
    metric = find("evaluate/length_ratio", [tmp_path])
    evidence = metric.bind().measure([Item("x", ("",))], NoModels())
    assert np.isfinite(evidence["row"].astype(np.float64)).all()
