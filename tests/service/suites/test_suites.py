"""Suites over HTTP: listed, declared, deleted; evaluations by them, and what is left out."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import httpx
import pytest

from assay import AssayError, Client, MetricLike
from metrics import catalogue
from metrics.suites import suites
from metrics.suites.wording import Lang, worded
from tests.service.live import ROOT, Live
from tests.service.scored import scored

NAMES = [
    "code",
    "dialogue",
    "instruction_following",
    "language_modeling",
    "open_ended",
    "qa",
    "rag",
    "reasoning",
    "safety",
    "summarization",
    "translation",
]
RUSSIAN = [
    {
        "id": f"{at}",
        "prompt": f"В среду в Москве прошёл дождь, выпало {at} миллиметров осадков.",
        "output": f"В Москве в среду выпало {at} мм осадков.",
        "references": [f"В среду в Москве выпало {at} миллиметров осадков."],
    }
    for at in range(12)
]


def test_those_that_come_with_the_service(assay: Client) -> None:
    listed = [one for one in assay.suites() if one.builtin]
    assert [one.name for one in listed] == NAMES
    assert assay.suite("summarization") == next(x for x in listed if x.name == "summarization")
    for suite in listed:
        for metric in suite.metrics:
            assert metric.why.endswith((".", "?")), (suite.name, metric.name)
            assert metric.cannot_see.endswith("."), (suite.name, metric.name)


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_what_stands_in_has_sentences_of_its_own(lang: Lang) -> None:
    for suite in suites().values():
        for entry, english in zip(worded(suite, lang).metrics, suite.metrics, strict=True):
            assert len(entry.instead) == len(english.instead)
            for option in entry.instead:
                for own, entrys in (
                    (option.why, entry.why),
                    (option.cannot_see, "" if option.name == entry.name else entry.cannot_see),
                ):
                    assert own.endswith((".", "?")), (suite.name, entry.name, option.name)
                    assert own != entrys


def test_every_metric_is_in_a_suite_or_told_why_not() -> None:
    entries = [entry for suite in suites().values() for entry in suite.metrics]
    there = {option.name for entry in entries for option in entry.options(None)}
    page = (ROOT / "docs/suites.md").read_text().partition("## In no suite")[2]
    page, _, _ = page.partition("\n## ")
    rows = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    told = {name for names in rows for name in re.findall(r"`(\w+)`", names)}
    assert there & told == set()
    assert {*catalogue()} - there - told == set()


def test_they_speak_russian(assay: Client) -> None:
    listed = {one.name: one for one in assay.suites(lang="ru")}
    for name in NAMES:
        suite, english = assay.suite(name, lang="ru"), assay.suite(name)
        assert suite == listed[name]
        assert [one.params for one in suite.metrics] == [one.params for one in english.metrics]
        said = [suite.about, *(x for one in suite.metrics for x in (one.why, one.cannot_see))]
        said += [one[x] for y in suite.metrics for one in y.instead for x in ("why", "cannot_see")]
        for sentence in said:
            assert re.search("[а-яё]{3}", sentence), (name, sentence)
            assert sentence.endswith((".", "?")), (name, sentence)
    with pytest.raises(AssayError) as caught:
        assay.suite("qa", lang="de")
    assert (caught.value.status, caught.value.param) == (422, "lang")


def test_an_evaluation_by_a_suite(assay: Client, live: Live) -> None:
    done = scored(assay, dataset="suite-ru", samples=RUSSIAN, suite="summarization")
    assert done.suite == "summarization"
    measured = {one["name"]: one["params"] for one in done.metrics}
    assert measured["rouge"]["tokenizer"] == "unicode"
    assert measured["meteor"] == measured["meteor"] | {"language": "russian", "synonyms": False}
    told = {one.metric: one for one in done.left_out}
    assert {name: one.instead for name, one in told.items()} == {
        "bertscore": "chrf",
        "moverscore": None,
        "bleurt": None,
        "faithfulness": "k_precision (evidence: prompt)",
        "qa_consistency": None,
    }
    assert "lmqg/mt5-base-ruquad-qg" in told["qa_consistency"].reason
    assert "bert-base-multilingual-cased" in told["bertscore"].reason
    assert {"chrf", "k_precision"} <= {*measured}
    url = f"{live.base}/v1/evaluations/{done.id}?format="
    rows = list(csv.DictReader(io.StringIO(httpx.get(f"{url}csv").text)))
    missing = {row["metric"]: row for row in rows if row["left_out"]}
    assert {name: row["instead"] or None for name, row in missing.items()} == {
        name: one.instead for name, one in told.items()
    }
    assert len(rows) == len(done.scores) + len(missing)
    assert "- bleurt is left out: " in httpx.get(f"{url}md").text
    assert all(score.value is not None for score in done.scores)


def test_metrics_beside_a_suite_take_the_places_of_its_own(assay: Client) -> None:
    own = {"name": "rouge", "params": {"stemmer": False}}
    done = scored(
        assay, dataset="suite-ru", samples=RUSSIAN, suite="summarization", metrics=[own, "chrf"]
    )
    names = [one["name"] for one in done.metrics]
    assert names[:2] == ["rouge", "chrf"]
    assert names.count("rouge") == 1
    assert done.metrics[0]["params"]["stemmer"] is False


def test_the_usual_model_is_absent_and_another_stands_in(assay: Client) -> None:
    samples = [
        {"id": f"{at}", "output": f"the cat {at} sat on a mat", "references": ["a cat sat there"]}
        for at in range(4)
    ]
    done = scored(assay, dataset="suite-en", samples=samples, suite="qa")
    told = {one.metric: one for one in done.left_out}
    stand_in = "sentence_similarity (model: builtin/minilm-l6)"
    assert told["sentence_similarity"].instead == stand_in
    assert told["calibration"].instead is None
    assert "confidence" in told["calibration"].reason
    assert done.score("sentence_similarity").value is not None


def test_nothing_can_be_measured(assay: Client) -> None:
    assay.create_suite("needs-tests", ["pass_at_k"])
    with pytest.raises(AssayError) as caught:
        assay.evaluate(system="x", dataset="d", samples=RUSSIAN, suite="needs-tests")
    assert (caught.value.code, caught.value.param) == ("nothing_to_measure", "suite")
    assert "tests" in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "code", "param"),
    [
        ({}, "missing_metrics", "metrics"),
        ({"suite": "sumarization"}, "suite_not_found", "suite"),
        ({"suite": {"name": "qa", "language": "russian"}}, "string_pattern_mismatch", None),
        ({"suite": {"name": "qa", "language": "xx"}}, "unknown_language", "suite.language"),
        ({"suite": {"name": "qa", "lang": "ru"}}, "extra_forbidden", None),
        (
            {"metrics": [{"name": "language", "params": {"language": "xx"}}]},
            "invalid_input",
            "metrics[0].params.language",
        ),
    ],
)
def test_what_is_wrong_is_told(
    assay: Client, request_: dict[str, Any], code: str, param: str | None
) -> None:
    with pytest.raises(AssayError) as caught:
        assay.evaluate(system="x", dataset="d", samples=RUSSIAN, **request_)
    assert caught.value.status == 422
    assert caught.value.code == code
    assert param is None or caught.value.param == param
    if code == "suite_not_found":
        assert "did you mean 'summarization'?" in str(caught.value)


def test_a_suite_of_ones_own(assay: Client) -> None:
    counted = {
        "name": "length",
        "params": {"unit": "words"},
        "by_language": {"ru": {"unit": "characters"}},
        "why": "<b>Зачем</b> 🙂",
    }
    metrics: list[MetricLike] = ["chrf", counted]
    made = assay.create_suite("наш набор", metrics, "Для <i>новостей</i>")
    assert (made.builtin, made.about) == (False, "Для <i>новостей</i>")
    assert assay.create_suite("наш набор", metrics, "Для <i>новостей</i>") == made
    assert assay.suite("наш набор") == assay.suite("наш набор", lang="ru") == made
    assert assay.suites()[-1] == made
    done = scored(assay, dataset="suite-ru", samples=RUSSIAN, suite="наш набор")
    assert [one["name"] for one in done.metrics] == ["chrf", "length"]
    assert done.metrics[1]["params"]["unit"] == "characters"
    with pytest.raises(AssayError) as caught:
        assay.create_suite("наш набор", ["bleu"])
    assert (caught.value.status, caught.value.code) == (409, "suite_exists")
    assert assay.delete_suite("наш набор").deleted
    with pytest.raises(AssayError) as caught:
        assay.suite("наш набор")
    assert caught.value.status == 404
    assert assay.evaluation(done.id).suite == "наш набор"


def test_a_key_makes_one(assay: Client) -> None:
    first = assay.create_suite("once", ["chrf"], idempotency_key="suite-once")
    assay.delete_suite("once")
    assert assay.create_suite("once", ["chrf"], idempotency_key="suite-once") == first
    with pytest.raises(AssayError):
        assay.suite("once")


@pytest.mark.parametrize(
    ("name", "metrics", "param"),
    [
        ("a/b", ["chrf"], "name"),
        ("x", ["chrff"], "metrics[0].name"),
        ("x", ["bleu", "bleu"], "metrics"),
        ("x", [{"name": "bleu", "params": {"tokenise": "zh"}}], "metrics[0].params.tokenise"),
        ("x", [{"name": "bleu", "by_language": {"zh": {"tokenize": "kanji"}}}],
         "metrics[0].params.tokenize"),
        ("x", [{"name": "bleu", "instead": [{"name": "chrf", "params": {"beta": "x"}}]}],
         "metrics[0].instead[0].params.beta"),
        ("x", [{"name": "bleu", "why": "a\x00b"}], None),
        ("x", [], "metrics"),
    ],
)  # fmt: skip
def test_a_declaration_that_is_wrong(
    assay: Client, name: str, metrics: list[Any], param: str | None
) -> None:
    with pytest.raises(AssayError) as caught:
        assay.create_suite(name, metrics)
    assert caught.value.status == 422
    assert param is None or caught.value.param == param


def test_what_comes_with_the_service_stays(assay: Client) -> None:
    for ask in (lambda: assay.delete_suite("qa"), lambda: assay.create_suite("qa", ["chrf"])):
        with pytest.raises(AssayError) as caught:
            ask()
        assert caught.value.status == 409
    assert "qa" in suites()
