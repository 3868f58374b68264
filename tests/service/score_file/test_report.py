"""The report of `assay score`: its numbers are the service's, and its page stands alone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner, Result

from assay import Client
from metrics.core.clustered import MOST_SLICES
from metrics.core.metric import Sample
from metrics.core.run import score_slices
from metrics.statistics.correlation import correlation, deal, pearson, spearman
from metrics.suites import suites
from metrics.suites.declaration import Suite
from metrics.suites.wording import Lang, worded
from service.cli import app
from service.score_file import page as pages
from service.score_file import report
from service.score_file.running import requests
from service.score_file.wording import ENGLISH, RUSSIAN, many
from tests.service.scored import scored

Score = Callable[..., Result]
METRICS = "chrf,exact_match,ter,token_f1,distinct_n"
HOSTILE = "<script>alert(1)</script>\u202e🙂" + "я" * 3000


@pytest.fixture
def samples() -> list[dict[str, Any]]:
    """Of two languages, one with hostile texts, and a value of the metadata that is very long."""
    rows = []
    for at in range(24):
        output = HOSTILE if at == 7 else f"кошка {at} сидела дома"[: 6 + at]
        rows.append(
            {
                "id": f"<i>{at}</i>",
                "prompt": "Где кошка?",
                "output": output,
                "references": [f"кошка {at} сидела дома"],
                "metadata": {"lang": "<b>ru" if at % 3 else "x" * 300},
            }
        )
    return rows


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, samples: list[dict[str, Any]]) -> Score:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, samples)))
    return lambda *given: CliRunner().invoke(app, ["score", *given], catch_exceptions=False)


class Page(HTMLParser):
    """What a page has in it; nothing of it is loaded or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.policy = ""
        self.feed(text)
        assert not {"script", "link", "img", "iframe", "i", "b", "a"} & {*self.tags}
        assert "default-src 'none'" in self.policy
        assert not re.search(r"url\(|@import|https?:", text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        assert not [name for name in given if name.startswith("on") or name in ("src", "href")]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_its_numbers_are_those_of_the_service(
    assay: Client, score: Score, samples: list[dict[str, Any]]
) -> None:
    done = scored(
        assay, dataset="report", samples=samples, suite="qa", metrics=["chrf"], slices=["lang"]
    )
    ours = json.loads(score("new.jsonl", "-m", "chrf", "-s", "qa", "--slice", "lang",
                            "-f", "json").stdout)  # fmt: skip
    theirs = [one.model_dump(mode="json") for one in (*done.scores, *done.slices)]
    assert len(ours["scores"]) == len(done.scores) > 3
    assert len(ours["slices"]) == len(done.slices) == len(done.scores)

    def numbers(one: dict[str, Any]) -> tuple[Any, ...]:
        kept = ("metric", "name", "value", "interval", "level", "n", "missing", "signature")
        return (one["slice"] or "", *(one[name] for name in kept))

    assert sorted(map(numbers, [*ours["scores"], *ours["slices"]])) == sorted(map(numbers, theirs))
    told = [one.model_dump() for one in done.left_out]
    assert [one["metric"] for one in ours["left_out"]] == [one["metric"] for one in told]
    assert ours["notes"] == ["lang: values of more than 200 characters are no slices"]
    of_samples = {one.id: one.scores for one in assay.samples(done.id)}
    for worst in ours["worst"]:
        for one in worst["samples"]:
            assert one["value"] == of_samples[one["id"]][worst["score"]]


def test_what_samples_tell(score: Score, tmp_path: Path) -> None:
    done = score("new.jsonl", "-m", METRICS, "-f", "json", "--per-sample", "values.csv")
    found = json.loads(done.stdout)
    rows = list(csv.DictReader((tmp_path / "values.csv").open()))
    values = {
        name: np.array([float(row[name]) for row in rows])
        for name in ("chrf", "exact_match", "ter", "token_f1")
    }
    assert [one["score"] for one in found["distributions"]] == [*values]  # distinct_n is of the set
    for one in found["distributions"]:
        own = values[one["score"]]
        counts, _ = np.histogram(own, bins=report.BINS)
        assert one["counts"] == counts.tolist()
        assert (one["n"], one["low"], one["high"]) == (24, own.min(), own.max())
    for one in found["correlations"]:
        x, y = values[one["a"]], values[one["b"]]
        assert one["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert one["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
        for name, of in (("spearman", spearman), ("pearson", pearson)):
            expected = correlation(of, x, y, np.arange(24)).interval
            assert one[f"{name}_interval"] == pytest.approx(expected, abs=1e-9)
    assert len(found["correlations"]) == 6
    table = score("new.jsonl", "-m", METRICS, "-f", "csv").stdout
    told = {row["name"]: row["correlations"] for row in csv.DictReader(io.StringIO(table))}
    assert json.loads(told["chrf"])["ter"]["n"] == 24
    assert json.loads(told["ter"])["chrf"] == json.loads(told["chrf"])["ter"]
    assert not told["distinct_2"]
    worst = {one["score"]: one["samples"] for one in found["worst"]}
    assert worst["ter"][0] == {"id": "<i>7</i>", "value": values["ter"].max()}
    assert [one["value"] for one in worst["chrf"]] == sorted(values["chrf"])[:5]


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_the_page_stands_alone(score: Score, tmp_path: Path, lang: Lang) -> None:
    given = ("new.jsonl", "-s", "summarization", "--slice", "lang", "--lang", lang)
    done = score(*given, "--report", "report.html")
    assert done.exit_code == 0, done.stderr
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    words = ENGLISH if lang == "en" else RUSSIAN
    for title in ("why", "left_out", "distributions", "correlations", "worst"):
        assert words[title] in page.text
    assert f'<html lang="{lang}">' in text
    assert HOSTILE[:25] in page.text
    assert len(text) < 200_000
    (entry,) = (
        one for one in worded(suites()["summarization"], lang).metrics if one.name == "rouge"
    )
    assert entry.why in page.text
    assert words["value"] in done.stdout
    assert "bertscore" in done.stdout
    assert score(*given, "-f", "html").stdout.strip() == text.strip()


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_what_stands_in_speaks_for_itself(score: Score, tmp_path: Path, lang: Lang) -> None:
    done = score("new.jsonl", "-s", "summarization", "--lang", lang, "-f", "json",
                 "--report", "report.html")  # fmt: skip
    told = {one["name"]: one for one in json.loads(done.stdout)["suite"]["metrics"]}
    entries = {one.name: one for one in worded(suites()["summarization"], lang).metrics}
    text = Page((tmp_path / "report.html").read_text()).text
    for name, place in (("chrf", "bertscore"), ("k_precision", "faithfulness")):
        (own,) = (one for one in entries[place].instead if one.name == name)
        assert told[name]["in_place_of"] == place
        assert (told[name]["why"], told[name]["cannot_see"]) == (own.why, own.cannot_see)
        assert own.why in text
        assert own.why != entries[place].why
        assert entries[place].why not in text
    assert told["rouge"]["why"] == entries["rouge"].why


def test_sentences_are_of_a_metric_and_not_of_its_place() -> None:
    others = [{"name": "bertscore", "params": {"model": "m"}}, {"name": "chrf"}]
    bert = {"name": "bertscore", "why": "Why.", "instead": others}
    (entry,) = Suite.model_validate({"name": "own", "metrics": [bert]}).metrics
    assert [one.why for one in entry.options(None)] == ["Why.", "Why.", ""]


def test_what_is_left_out_stands_in_the_csv(score: Score) -> None:
    done = score("new.jsonl", "-s", "qa", "-f", "csv", "--slice", "lang")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    missing = {row["metric"]: row for row in rows if row["left_out"]}
    assert {"calibration", "sentence_similarity"} <= {*missing}
    assert "confidence" in missing["calibration"]["left_out"]
    assert not missing["calibration"]["value"]
    assert {row["slice"] for row in rows if row["metric"] == "token_f1"} == {"", "lang=<b>ru"}


def test_correlations_are_of_clusters_and_of_the_samples_that_have_both() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    columns = {"x": x, "y": x + rng.normal(size=60), "none": np.ones(60), "z": rng.normal(size=60)}
    columns["y"][:7] = np.nan
    columns["few"] = np.where(np.arange(60) < 3, x, np.nan)
    groups = np.arange(60) // 6
    told = {(one.a, one.b): one for one in report.correlated(columns, groups, 0.9)}
    assert len(told) == 10
    both, xy = slice(7, None), told["x", "y"]
    for own, value, interval in (
        (spearman, xy.spearman, xy.spearman_interval),
        (pearson, xy.pearson, xy.pearson_interval),
    ):
        expected = correlation(own, x[both], columns["y"][both], deal(53, groups[both]), 0.9)
        assert value == pytest.approx(expected.value, abs=1e-12)
        assert interval == pytest.approx(expected.interval, abs=1e-9)
    assert (told["x", "none"].pearson, told["x", "none"].spearman_interval) == (None, None)
    assert (told["x", "few"].n, told["x", "few"].pearson) == (3, None)
    assert told["x", "few"].pearson_interval is None
    open_, sure = pages._matrix([told["x", "z"]], {}, "en"), pages._matrix([xy], {}, "en")
    assert "<sup>°</sup>" in open_
    assert "<sup>°</sup>" not in sure
    low, high = xy.spearman_interval or (0.0, 0.0)
    assert f"[{low:.2f}, {high:.2f}]</small>" in sure
    assert "Spearman&#x27;s 0." in sure


def test_a_suites_metric_without_a_value_is_told_and_no_failure(score: Score) -> None:
    done = score("new.jsonl", "-s", "translation")
    assert "language: no value: 24 of 24 outputs" in done.stdout
    assert done.exit_code == 0
    assert score("new.jsonl", "-s", "translation", "-m", "language").exit_code == 1


def test_no_sample_is_worst_where_none_is_worse(score: Score, tmp_path: Path) -> None:
    given = ("new.jsonl", "-m", "length,chrf,refusal", "-f", "json", "--report", "report.html")
    found = json.loads(score(*given).stdout)
    distributions = {one["metric"]: one for one in found["distributions"]}
    assert distributions["refusal"]["low"] == distributions["refusal"]["high"]
    assert [one["metric"] for one in found["worst"]] == ["chrf"]
    text = Page((tmp_path / "report.html").read_text()).text
    assert "chrf ↑" in text
    assert "length ↑" not in text
    assert "length" in text


def test_two_words_of_many() -> None:
    assert [many(n, "ru").split()[1] for n in (1, 2, 5, 11, 12, 21, 24, 111)] == [
        *("пример", "примера", "примеров", "примеров", "примеров", "пример", "примера"),
        "примеров",
    ]
    assert {*ENGLISH} == {*RUSSIAN}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--report", "r.txt"), "--report: r.txt ends with none of .html, .json, .csv"),
        (("--report", "no/r.html"), "--report: there is no folder no"),
        (("--report", "r.csv", "--per-sample", "r.csv"), "is the file of --per-sample"),
        (
            ("-s", "qa", "--suite-language", "rus"),
            "--suite-language: no language 'rus' is known; did",
        ),
        (("-s", "zzz"), "translation. A file of your own ends with .toml"),
        (("--slice", "lnag"), "--slice: no sample has the metadata field 'lnag'; did you mean"),
        (("--compare", "new.jsonl", "--slice", "lang"), "--slice is for one file"),
        (("--compare", "new.jsonl", "--report", "r.html"), "--report is for one file"),
        (("--compare", "new.jsonl", "--lang", "ru"), "--lang is for one file"),
    ],
)
def test_what_cannot_be(score: Score, tmp_path: Path, given: tuple[str, ...], said: str) -> None:
    done = score("new.jsonl", "-m", "chrf", *given)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr
    assert not list(tmp_path.glob("r.*"))


def test_one_file_by_two_names_is_one(score: Score, tmp_path: Path) -> None:
    given = ("--report", "r.csv", "--per-sample", str(tmp_path / "r.csv"))
    done = score("new.jsonl", "-m", "chrf", *given)
    assert done.exit_code == 1
    assert "is the file of --per-sample" in done.stderr
    assert not (tmp_path / "r.csv").exists()


def test_many_values_of_a_field() -> None:
    made = [Sample(str(at), ("a",), metadata={"k": at // 2, "none": None}) for at in range(300)]
    found, (note,) = report.slices_of(made, ["k", "k"], "en")
    assert len(found) == MOST_SLICES
    assert "150 values" in note
    assert found["k=3"].tolist() == [6, 7]


@pytest.mark.parametrize(
    "values", [[1.0, 1.0 + 2e-16], [-1e308, 1e308], [5e-324, 0.0], [0.5, 0.5, 0.5]]
)
def test_extreme_values_have_a_distribution(values: list[float]) -> None:
    made = [Sample(str(at), ("a" * at,), ("a",)) for at in range(len(values))]
    asked = requests("chrf", "", [])
    (found,) = score_slices(made, asked, {}, None, {"seed": 0, "replicates": 9, "level": 0.95})
    assert found[0].per_sample is not None
    found[0].per_sample[:, 0] = values
    told = report.details(report.Scored("f", made, asked, [found]))
    (one,) = told.distributions
    assert sum(one.counts) == len(values)
    assert (one.low, one.high) == (min(values), max(values))
