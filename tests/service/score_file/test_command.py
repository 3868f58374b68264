"""`assay score` from end to end, in this process, with metrics that run no model."""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from service.cli import app

Score = Callable[..., Result]


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Score:
    """The command, in a folder with two files of thirty samples in six documents."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, worst in (("new", 5), ("old", 2)):
        rows = [
            {
                "id": f"<{at}>",
                "output": f"кошка {at} сидела дома" if at % worst else "нет",
                "references": [f"кошка {at} сидела дома"],
                "metadata": {"document": at // 5},
            }
            for at in range(30)
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    return lambda *given: CliRunner().invoke(app, ["score", *given], catch_exceptions=False)


class Page(HTMLParser):
    """What a page has in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_table(score: Score) -> None:
    done = score("new.jsonl", "-m", "exact_match,chrf", "--cluster", "document")
    assert done.exit_code == 0, done.stderr
    assert "95% interval" in done.stdout
    assert re.search(r"exact_match ↑ +0\.80 .* 30 +6 ", done.stdout)
    assert "chrf|version:" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("form", ["csv", "markdown", "latex", "html", "json"])
def test_forms(score: Score, form: str) -> None:
    done = score("new.jsonl", "-m", "exact_match,chrf", "-f", form)
    assert done.exit_code == 0, done.stderr
    if form == "csv":
        first, _ = csv.DictReader(io.StringIO(done.stdout))
        assert (first["name"], float(first["value"]), first["n"]) == ("exact_match", 0.8, "30")
        assert float(first["interval_low"]) < 0.8 < float(first["interval_high"])
    elif form == "json":
        assert json.loads(done.stdout)["scores"][0]["value"] == 0.8
    elif form == "html":
        page = Page()
        page.feed(done.stdout)
        assert page.tags.count("svg") == 4  # intervals and distributions
        assert not {"script", "link", "img", "iframe"} & {*page.tags}
        assert "exact_match ↑" in page.text
        assert "prefers-color-scheme: dark" in page.text
    else:
        assert ("| 0.80 |" if form == "markdown" else "0.80 &") in done.stdout


def test_names_cannot_break_a_page(score: Score, tmp_path: Path) -> None:
    name = "<script>alert(1)<!--.jsonl"
    (tmp_path / "new.jsonl").rename(tmp_path / name)
    done = score(name, "-m", "chrf", "-f", "html")
    page = Page()
    page.feed(done.stdout)
    assert done.exit_code == 0
    assert "script" not in page.tags
    assert f"{name}: 30 samples" in page.text


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_values_of_every_sample(score: Score, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"values.{suffix}"
    done = score("new.jsonl", "-m", "exact_match,distinct_n,chrf", "--per-sample", str(path))
    assert done.exit_code == 0, done.stderr
    assert "distinct_n is of the whole set" in done.stderr
    if suffix == "parquet":
        rows = pq.read_table(path).to_pylist()
    elif suffix == "csv":
        rows = list(csv.DictReader(path.open()))
    else:
        rows = [json.loads(line) for line in path.open()]
    assert list(rows[0]) == ["id", "exact_match", "chrf"]
    assert [row["id"] for row in rows] == [f"<{at}>" for at in range(30)]
    assert [float(row["exact_match"]) for row in rows] == [float(at % 5 > 0) for at in range(30)]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("values.txt", "ends with none of .csv, .jsonl, .parquet"),
        ("none/values.csv", "there is no folder none"),
        ("new.jsonl", "would be written over"),
    ],
)
def test_a_file_that_cannot_be_written(score: Score, path: str, said: str) -> None:
    done = score("new.jsonl", "-m", "chrf", "--per-sample", path)
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("option", ["--per-sample", "--report"])
def test_a_full_disk_takes_no_answer_away(score: Score, tmp_path: Path, option: str) -> None:
    (tmp_path / "full.csv").symlink_to("/dev/full")
    done = score("new.jsonl", "-m", "chrf", option, "full.csv")
    assert done.exit_code == 1
    assert f"{option}: full.csv: No space left on device" in done.stderr
    assert "chrf ↑" in done.stdout


@pytest.mark.parametrize("form", ["table", "html"])
def test_full_standard_output_is_told(score: Score, form: str) -> None:
    command = [sys.executable, "-m", "service.cli", "score", "new.jsonl", "-m", "chrf", "-f", form]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "assay: standard output: No space left on device\n"


def test_two_files(score: Score, tmp_path: Path) -> None:
    given = ("new.jsonl", "-m", "exact_match,chrf", "--compare", "old.jsonl")
    done = score(*given)
    assert done.exit_code == 0, done.stderr
    assert len(re.findall(r"\*\** .* new.jsonl ", done.stdout)) == 2
    given = ("new.jsonl", "-m", "exact_match", "--compare", "old.jsonl")
    done = score(*given, "-f", "json", "--per-sample", "both.csv", "--cluster", "document")
    found = json.loads(done.stdout)
    assert (found["a"], found["b"], found["samples"]) == ("new.jsonl", "old.jsonl", 30)
    (exact,) = found["results"]
    assert exact["difference"] == pytest.approx(0.3)
    assert (exact["clusters"], exact["verdict"]) == (6, "a")
    assert "6 clusters" in exact["note"]
    rows = list(csv.DictReader((tmp_path / "both.csv").open()))
    assert [row["file"] for row in rows] == ["new.jsonl"] * 30 + ["old.jsonl"] * 30


def test_a_verdict_is_no_exit_code(score: Score) -> None:
    assert score("old.jsonl", "-m", "chrf", "--compare", "new.jsonl").exit_code == 0
    wrong = score("old.jsonl", "-m", "chrf", "--compare", "none.jsonl")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "none.jsonl: No such file" in wrong.stderr


def test_long_names_are_said_below(score: Score, tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.jsonl").rename(tmp_path / name / "outputs.jsonl")
    done = score("new/outputs.jsonl", "-m", "chrf", "--compare", "old/outputs.jsonl")
    assert re.search(r"\] +0\.\d+ +a ", done.stdout)
    assert "- b: old/outputs.jsonl" in done.stdout


def test_an_unknown_cluster(score: Score) -> None:
    done = score("new.jsonl", "-m", "chrf", "--cluster", "documnet")
    assert done.exit_code == 1
    assert "did you mean 'document'" in done.stderr


def test_samples_that_are_alike_are_pointed_out(score: Score, tmp_path: Path) -> None:
    rows = [
        {"output": "да" if at // 20 % 2 else "нет", "references": ["да"],
         "metadata": {"document": at // 20}}
        for at in range(400)
    ]  # fmt: skip
    (tmp_path / "alike.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "--cluster document mends it" in score("alike.jsonl", "-m", "exact_match").stdout
    clustered = score("alike.jsonl", "-m", "exact_match", "--cluster", "document")
    assert "mends it" not in clustered.stdout
    (tmp_path / "never.jsonl").write_text(
        "\n".join(json.dumps(row | {"output": "нет"}) for row in rows)
    )
    asked = ("alike.jsonl", "-m", "exact_match", "--compare", "never.jsonl", "-f", "json")
    (told,) = json.loads(score(*asked).stdout)["notes"]
    assert told.startswith("samples of the same 'document' are alike")
    assert told.endswith("name `--cluster document`")
    assert json.loads(score(*asked, "--cluster", "document").stdout)["notes"] == []


def test_nothing_is_made_without_a_model(score: Score, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert score("new.jsonl", "-m", "chrf").exit_code == 0
    assert sorted(tmp_path.iterdir()) == before


def test_a_calibration_from_a_file(score: Score, tmp_path: Path) -> None:
    function = {"method": "linear", "knots": [[0.0, 1.0], [100.0, 5.0]]}
    params = {"metric": "chrf", "score": "chrf", "function": function}
    shown = {"object": "calibration", "name": "оценка", "version": 2, "params": params}
    (tmp_path / "shown.json").write_text(json.dumps(shown))
    (tmp_path / "params.json").write_text(json.dumps(params))
    values = {}
    for name in ("shown", "params"):
        done = score("new.jsonl", "-m", "chrf", "--calibration", f"{name}.json", "-f", "json")
        assert done.exit_code == 0, done.stderr
        found = {one["name"]: one for one in json.loads(done.stdout)["scores"]}
        values[name] = found["calibrated"]["value"]
        assert ("calibration:оценка@2" in found["calibrated"]["signature"]) == (name == "shown")
        assert found["chrf"]["value"] > 60
    assert values["shown"] == values["params"]
    assert 1 < values["shown"] < 5
    alone = score("new.jsonl", "--calibration", "shown.json")
    assert alone.exit_code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("{", "no JSON"),
        ("[1]", "holds no calibration"),
        ('{"params": {"function": 1}}', "function"),
        ('{"function": {"method": "linear", "knots": [[0, 1]]}}', "two knots"),
        ('{"metric": "chrff", "function": {"method": "isotonic", "knots": [[0, 1]]}}', "chrf"),
    ],
)
def test_a_file_that_is_no_calibration(
    score: Score, tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "it.json").write_text(content)
    done = score("new.jsonl", "--calibration", "it.json")
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())
    assert "it.json" in done.stderr
