"""A run without a service: every metric alone, and input that cannot be right is refused."""

from dataclasses import replace

import pytest

from inference.errors import Cancelled, InputError, Unavailable
from metrics import find, parse
from metrics.core.metric import Sample
from metrics.core.run import score, validate
from tests.metrics.core.toy import MODELS, WORDS, WordsParams

SAMPLES = [
    Sample("1", ("кошка сидит на ковре",), ("кошка лежит на ковре",)),
    Sample("2", ("a cat sat", "the cat sat on the mat"), ("the cat sat on a mat",)),
    Sample("3", ("猫が座っている 🙂",), ("猫が座っている",)),
]
PARAMS = WordsParams()


def breaks(error):
    def measure(items, params, models):
        raise error

    return replace(WORDS, name="broken", measure=measure)


def test_metrics_are_scored_in_order_and_fail_alone() -> None:
    bleu = find("bleu")
    requests = [
        (WORDS, PARAMS),
        (breaks(Unavailable("no sandbox here")), PARAMS),
        (breaks(ZeroDivisionError("oh")), PARAMS),
        (bleu, parse(bleu, {})),
    ]
    found = [result.scores[0] for result in score(SAMPLES, requests, MODELS, seed=3)]
    assert [one.error for one in found] == [None, "no sandbox here", "ZeroDivisionError: oh", None]
    assert found[0].value == pytest.approx((4 + 4.5 + 2) / 3)
    assert 0 < found[3].value < 100
    assert found[1].signature.startswith("broken|version:1")
    assert found[3].signature.startswith("bleu|version:")


def test_needs_are_named() -> None:
    bleu = find("bleu")
    samples = [*SAMPLES, Sample("4", ("x",))]
    failed, stands = score(samples, [(bleu, parse(bleu, {})), (WORDS, PARAMS)], MODELS)
    assert failed.scores[0].error == "bleu needs references"
    assert stands.scores[0].value is not None


def test_parameters_are_resolved_and_recorded() -> None:
    metric = replace(WORDS, resolve=lambda params, samples: WordsParams(shown=f"n{len(samples)}"))
    (found,) = score(SAMPLES, [(metric, PARAMS)], MODELS)
    assert "|shown:n3|" in found.scores[0].signature


def test_progress_counts_outputs_and_may_stop() -> None:
    seen: list[tuple[int, int]] = []
    score(SAMPLES, [(WORDS, PARAMS)] * 2, MODELS, progress=lambda *given: seen.append(given))
    assert seen == [(0, 4), (1, 4)]

    def stop(index: int, count: int) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        score(SAMPLES, [(WORDS, PARAMS)], MODELS, progress=stop)


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
def test_input_that_cannot_be_right(samples, field) -> None:
    with pytest.raises(InputError) as caught:
        validate(samples)
    assert caught.value.field == field
    with pytest.raises(InputError):
        score(samples, [(WORDS, PARAMS)], MODELS)


def test_surrogates_that_would_pair_across_texts_are_still_refused() -> None:
    with pytest.raises(InputError):
        validate([Sample("1", ("\ud83d", "\ude42"))])
