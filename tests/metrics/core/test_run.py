"""A run without a service: every metric alone, and input that cannot be right is refused."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from inference.errors import Cancelled, InputError, Unavailable
from inference.protocol import Models
from metrics import find
from metrics.core.errors import MissingInput
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Reads, Sample
from metrics.core.run import prepare, score, validate
from tests.known import known
from tests.metrics.core.toy import MODELS, WORDS, WordsParams

SAMPLES = [
    Sample("1", ("кошка сидит на ковре",), ("кошка лежит на ковре",)),
    Sample("2", ("a cat sat", "the cat sat on the mat"), ("the cat sat on a mat",)),
    Sample("3", ("猫が座っている 🙂",), ("猫が座っている",)),
]


def breaks(error: Exception) -> Metric[WordsParams]:
    def measure(items: Sequence[Item], params: WordsParams, models: Models) -> Evidence:
        raise error

    return replace(WORDS, name="broken", measure=measure)


def test_metrics_are_scored_in_order_and_fail_alone() -> None:
    bleu = find("bleu")
    requests = [
        WORDS.bind(),
        breaks(Unavailable("no sandbox here")).bind(),
        breaks(ZeroDivisionError("oh")).bind(),
        bleu.bind(),
    ]
    found = [result.scores[0] for result in score(SAMPLES, requests, MODELS, seed=3)]
    assert [one.error for one in found] == [None, "no sandbox here", "ZeroDivisionError: oh", None]
    assert found[0].value == pytest.approx((4 + 4.5 + 2) / 3)
    assert 0 < known(found[3].value) < 100
    assert found[1].signature.startswith("broken|version:1")
    assert found[3].signature.startswith("bleu|version:")


def test_needs_are_named() -> None:
    bleu = find("bleu")
    samples = [*SAMPLES, Sample("4", ("x",))]
    failed, stands = score(samples, [bleu.bind(), WORDS.bind()], MODELS)
    assert failed.scores[0].error == "bleu needs references, and samples[3] (id '4') has none"
    assert stands.scores[0].value is not None


@pytest.mark.parametrize("need", ["output", "references", "prompt", "tests"])
def test_what_a_sample_lacks_is_told_with_its_place(need: Reads) -> None:
    whole = Sample("whole", ("x",), ("r",), "p", "t")
    field = "outputs" if need == "output" else need
    empty: dict[str, Any] = {field: None if need in {"prompt", "tests"} else ()}
    metric = replace(WORDS, needs=(need,)).bind()
    with pytest.raises(MissingInput) as caught:
        prepare(metric, [whole, replace(whole, id="x", **empty)], "records")
    error = caught.value
    assert (error.code, error.field) == (f"missing_{need}", f"records[1].{need}")
    assert error.message == f"words needs {need}, and records[1] (id 'x') has none"
    assert (error.metric, error.need, error.index, error.sample_id) == ("words", need, 1, "x")


@pytest.mark.parametrize(
    ("tests", "nothing"),
    [
        ("", True),
        ("  \n", True),
        ("# nothing\n", True),
        ("pass", True),
        ("# first\n'''It works.'''\npass; ...\n", True),
        ("'says'\nassert f() == 1", False),
        ("passed(f)", False),
        ("pass\nf(", False),
        ("f'{f()}'", False),
        ("f()", False),
    ],
)
def test_tests_that_do_nothing_are_none(tests: str, nothing: bool) -> None:
    """Every program would pass them."""
    metric = replace(WORDS, needs=("tests",)).bind()
    samples = [Sample("1", ("x",), tests=tests)]
    if not nothing:
        assert prepare(metric, samples) == metric
        return
    with pytest.raises(MissingInput) as caught:
        prepare(metric, samples)
    assert (caught.value.code, caught.value.field) == ("missing_tests", "samples[0].tests")


def test_needs_and_check_see_resolved_parameters() -> None:
    checked = []
    metric = replace(
        WORDS,
        resolve=lambda params, samples: WordsParams(lower=True),
        needs=lambda params: ("tests",) if params.lower else (),
        check=lambda params, samples: checked.append(params),
    ).bind()
    with pytest.raises(MissingInput, match="needs tests"):
        prepare(metric, SAMPLES)
    assert checked == []
    tested = [replace(sample, tests="assert 1") for sample in SAMPLES]
    assert prepare(metric, tested) == replace(metric, params=WordsParams(lower=True))
    assert checked == [WordsParams(lower=True)]


def test_parameters_are_resolved_and_recorded() -> None:
    metric = replace(WORDS, resolve=lambda params, samples: WordsParams(shown=f"n{len(samples)}"))
    (found,) = score(SAMPLES, [metric.bind()], MODELS)
    assert "|shown:n3|" in found.scores[0].signature


def test_progress_counts_outputs_and_may_stop() -> None:
    seen: list[tuple[int, int]] = []
    score(SAMPLES, [WORDS.bind()] * 2, MODELS, progress=lambda *given: seen.append(given))
    assert seen == [(0, 4), (1, 4)]

    def stop(index: int, count: int) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        score(SAMPLES, [WORDS.bind()], MODELS, progress=stop)


@pytest.mark.parametrize(
    ("samples", "field"),
    [
        ([], "samples"),
        ([Sample("1", ("a",)), Sample("2", ("b",)), Sample("1", ("c",))], "samples[2].id"),
        ([Sample("1", ("a", "\ud800"))], "samples[0].outputs"),
        ([Sample("1", ("a",), ("\udfff",))], "samples[0].references"),
        ([Sample("1", ("a",), prompt="\ud83d")], "samples[0].prompt"),
        ([Sample("\ud83d", ("a",))], "samples[0].id"),
    ],
)
def test_input_that_cannot_be_right(samples: list[Sample], field: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(samples)
    assert caught.value.field == field
    with pytest.raises(InputError):
        score(samples, [WORDS.bind()], MODELS)


def test_surrogates_that_would_pair_across_texts_are_still_refused() -> None:
    with pytest.raises(InputError):
        validate([Sample("1", ("\ud83d", "\ude42"))])
