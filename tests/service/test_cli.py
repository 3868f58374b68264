"""The command `assay`, as a user types it: separate processes, real metrics."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sacrebleu

from tests.checkout import ROOT

SAMPLES = [
    ("1", "The cat sat on the mat.", ["The cat sat on a mat."]),
    ("2", "It rained all day in Paris.", ["In Paris it rained all day."]),
    ("3", "Кошка сидела на ковре.", ["Кошка сидела на коврике.", "На ковре сидела кошка."]),
]


def assay(
    *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        input=stdin,
        env=os.environ | {"ASSAY_DATABASE_URL": "", "COLUMNS": "200"} | dict(env or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lines(samples: list[tuple[str, str, list[str]]] = SAMPLES) -> str:
    keys = ("id", "output", "references")
    return "".join(
        json.dumps(dict(zip(keys, sample, strict=True)), ensure_ascii=False) + "\n"
        for sample in samples
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "outputs.jsonl"
    path.write_text(lines())
    return path


def test_help_is_quick_and_has_examples() -> None:
    """In seconds of the processor: what else the machine does is not counted."""
    took = []
    for _ in range(3):
        before = os.times()
        shown = assay("--help")
        after = os.times()
        took.append(sum(after[2:4]) - sum(before[2:4]))  # of ended children: user, system
        assert shown.returncode == 0
    assert 0 < min(took) < 0.5
    for command in ("serve", "api", "worker", "migrate", "score", "board", "compare"):
        assert command in shown.stdout
    assert "assay serve --port 9000" in assay("serve", "--help").stdout
    assert "--metrics bleu,rouge" in assay("score", "--help").stdout


def test_score_is_what_the_reference_says(file: Path) -> None:
    params = '{"bleu": {"lowercase": true}}'
    done = assay("score", str(file), "-m", "bleu,chrf", "--params", params, "--format", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["samples"] == 3
    scores = {score["name"]: score for score in answer["scores"]}
    outputs = [output for _, output, _ in SAMPLES]
    first = [references[0] for _, _, references in SAMPLES]
    second: list[Any] = [
        references[1] if len(references) > 1 else None for _, _, references in SAMPLES
    ]
    bleu = sacrebleu.BLEU(lowercase=True).corpus_score(outputs, [first, second])
    chrf = sacrebleu.CHRF().corpus_score(outputs, [first, second])
    assert scores["bleu"]["value"] == pytest.approx(bleu.score, abs=1e-9)
    assert scores["chrf"]["value"] == pytest.approx(chrf.score, abs=1e-9)
    for score in scores.values():
        low, high = score["interval"]
        assert low <= score["value"] <= high
        assert score["n"] == 3
    assert "lowercase:true" in scores["bleu"]["signature"]


def test_score_prints_a_table_and_reads_standard_input() -> None:
    done = assay("score", "-", "--metrics", "chrf", stdin=lines())
    assert done.returncode == 0, done.stderr
    assert "95% interval" in done.stdout
    assert "chrf|version:" in done.stdout


def test_one_bad_metric_fails_alone() -> None:
    bare = '{"output": "The cat sat."}\n'
    done = assay("score", "-", "--metrics", "distinct_n,bleu", "-f", "json", stdin=bare * 2)
    assert done.returncode == 1
    scores = {score["name"]: score for score in json.loads(done.stdout)["scores"]}
    assert "references" in scores["bleu"]["error"]
    assert scores["distinct_1"]["value"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (lines() + "{oops\n", "standard input:4: no JSON"),
        ("\n" + lines() + '{"output": "x", "references": "y"}\n', "input:5: references:"),
        ('{"output": "x", "outputs": ["y"]}\n', "input:1: give either `output` or"),
        ('{"outptu": "x"}\n', "input:1: outptu:"),
        (
            lines() + "\n" + lines(SAMPLES[1:2]),
            "standard input:5: id: id '2' is also that of line 2",
        ),
        (
            '{"id": "1", "output": "\\ud800"}\n',
            "standard input:1: outputs: text has a lone surrogate",
        ),
        ("", "there are no samples"),
    ],
)
def test_what_is_wrong_is_named_by_line_and_field(stdin: str, said: str) -> None:
    done = assay("score", "-", "--metrics", "bleu", stdin=stdin)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--metrics", "blue"), "did you mean 'bleu'"),
        (("--metrics", ","), "name metrics, as --metrics"),
        (("--metrics", "bleu", "--params", '{"bleu": {"lowercas": true}}'), "'lowercase'"),
        (("--metrics", "bleu", "--params", '{"chrf": {}}'), "chrf not among --metrics"),
        (("--metrics", "bleu", "--params", "{"), "--params is no JSON"),
        (("--metrics", "bleu", "--params", '{"lowercase": true}'), "give each metric its own"),
    ],
)
def test_a_wrong_request_says_what_was_meant(
    file: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = assay("score", str(file), *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file() -> None:
    done = assay("score", "/no/such.jsonl", "--metrics", "bleu")
    assert done.returncode == 1
    assert "/no/such.jsonl: No such file" in done.stderr


def test_migrate_twice(fresh_url: str) -> None:
    for _ in range(2):
        done = assay("migrate", env={"ASSAY_DATABASE_URL": fresh_url})
        assert done.returncode == 0, done.stderr
    with psycopg.connect(fresh_url) as connection:
        assert connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone() != (None,)


@pytest.mark.parametrize("command", ["api", "worker", "migrate"])
def test_what_needs_a_database_says_so(command: str) -> None:
    done = assay(command)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "ASSAY_DATABASE_URL is not set" in line


def test_a_wrong_setting_is_named() -> None:
    done = assay("serve", env={"ASSAY_PORT": "many"})
    assert done.returncode == 1
    assert "ASSAY_PORT: " in done.stderr
    done = assay("migrate", env={"ASSAY_DATABASE_URL": "mysql://me:hush-hush@db/x"})
    assert "ASSAY_DATABASE_URL: " in done.stderr
    assert "hush-hush" not in done.stderr


def test_the_version() -> None:
    done = assay("--version")
    assert done.returncode == 0
    assert done.stdout == f"assay {version('assay')}\n"


@pytest.mark.slow
def test_score_keeps_models_in_the_users_cache(tmp_path: Path) -> None:
    """Neither a converted model here nor a progress bar, of libraries or our own; what it says is
    where models are kept."""
    for folder in ("work", "temporary"):
        (tmp_path / folder).mkdir()
    cache = tmp_path / "cache" / "assay"
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "score", "-", "-m", "perplexity", "-f", "json"],
        input=lines(),
        cwd=tmp_path / "work",
        env={name: value for name, value in os.environ.items() if name != "ASSAY_DATA_DIR"}
        | {"TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": str(ROOT)}
        | {"XDG_CACHE_HOME": str(cache.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"assay: converted models are kept in {cache / 'models'}\n"
    assert json.loads(done.stdout)["samples"] == 3
    assert list((tmp_path / "work").iterdir()) == []
    shutil.rmtree(cache)  # half a gigabyte
    kept = [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < 1e6  # torch's own cache, if anything


@pytest.mark.parametrize(
    ("host", "warned"),
    [("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)],  # noqa: S104
)
def test_an_open_address_is_warned_about(fresh_url: str, host: str, warned: bool) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "api", "--host", host, "--port", "0"],
        env=os.environ | {"ASSAY_DATABASE_URL": fresh_url, "ASSAY_LOG_LEVEL": "INFO"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if "running on" in line:
                break
    finally:
        process.terminate()
        process.communicate()
    assert any(f"listening on {host} without keys" in line for line in said) == warned, said
