"""Logs that the real packages wrote, over HTTP: rows become scores with intervals and tests."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assay import AssayError, Client, Import
from service.cli import app
from service.errors import ApiError
from service.imports.tables import parsed
from tests.known import known
from tests.service.live import Live

FILES = Path(__file__).parent / "files"
LM_EVAL = [FILES / f"lm-eval-0.4.13-{run}.tar.gz" for run in (0, 1)]


def ended(assay: Client, found: Import) -> dict[str, str]:
    """Ids of the evaluations by task, once all of them have succeeded."""
    for one in found.evaluations:
        done = assay.wait(known(one.evaluation), timeout=60)
        assert done.status == "succeeded", done.error
    return {one.task: known(one.evaluation) for one in found.evaluations}


def test_lm_eval_runs_are_compared_and_ranked(assay: Client) -> None:
    seen = assay.import_results(LM_EVAL[0], dry_run=True)
    assert (seen.format, seen.dry_run) == ("lm_eval", True)
    assert [one.evaluation for one in seen.evaluations] == [None, None]
    first, second = (ended(assay, assay.import_results(file)) for file in LM_EVAL)
    done = assay.evaluation(first["capitals_choice"])
    acc = done.score("acc")
    assert (acc.value, acc.n, acc.interval_method) == (0.625, 8, "wilson")
    assert "harness:lm-eval|harness_version:0.4.13|task:capitals_choice" in known(acc.signature)
    assert known(done.origin)["harness"] == "lm-eval"
    assert known(done.origin)["details"]["model_args"]["pretrained"] == "tiny-llama-0"
    sample = assay.samples(done.id, sort="acc", limit=1)[0]
    assert sample.scores["acc"] == 0.0
    assert sample.references != sample.outputs
    (result,) = assay.compare(done.id, second["capitals_choice"], metrics=["acc"])
    assert (result["a"], result["b"], result["n"]) == (0.625, 0.5, 8)
    assert 0 < result["p_value"] <= 1
    board = assay.leaderboard("lm-eval/capitals_choice", "acc")
    assert [row.system for row in board.rows] == ["tiny-llama-0", "tiny-llama-1"]


def test_what_has_no_rows_is_reported_and_never_tested(assay: Client) -> None:
    first, second = (ended(assay, assay.import_results(file))["capitals_open"] for file in LM_EVAL)
    scores = {score.name: score for score in assay.evaluation(first).scores}
    assert set(scores) == {
        f"{name},{filter_}"
        for name in ("exact_match", "bleu")
        for filter_ in ("strict", "first-word")
    }
    bleu = scores["bleu,strict"]
    assert (bleu.value, bleu.interval_method) == (0.0, "reported")
    assert "not recomputed" in bleu.warnings[0]
    results = {one["name"]: one for one in assay.compare(first, second)}
    assert results["bleu,strict"]["p_value"] is None
    assert results["exact_match,strict"]["error"] is None
    assert assay.retry(first).status == "succeeded"  # nothing of it can be measured


def test_slices_and_directions_are_the_request_s(assay: Client) -> None:
    found = assay.import_results(
        LM_EVAL[0], scores=["acc"], lower_is_better=["acc"], slices=["topic"]
    )
    done = assay.evaluation(ended(assay, found)["capitals_choice"])
    assert [score.name for score in done.scores] == ["acc"]
    assert not done.score("acc").higher_is_better
    assert {known(one.slice): one.n for one in done.slices} == {
        "topic=africa": 1,
        "topic=asia": 3,
        "topic=europe": 4,
    }


def test_helm_s_trials_are_outputs_of_one_sample(assay: Client) -> None:
    found = assay.import_results(FILES / "helm-0.5.16.zip")
    done = assay.evaluation(ended(assay, found)["simple_mcqa"])
    assert (done.system, done.dataset) == ("simple/model1", "helm/simple_mcqa")
    assert (done.score("exact_match").value, done.score("exact_match").n) == (0.5, 10)
    assert done.score("perplexity").interval_method == "reported"
    assert not done.score("perplexity").higher_is_better
    sample = assay.samples(done.id, limit=1)[0]
    assert (sample.prompt, sample.references) == ("Is 48 even or odd?", ["Even"])
    assert sample.outputs == ["A", "B"]


@pytest.mark.parametrize("name", ["inspect-0.3.285.eval", "inspect-0.3.285.json"])
def test_inspect_reads_its_own_logs(assay: Client, name: str) -> None:
    if find_spec("inspect_ai") is None:
        with pytest.raises(AssayError, match=r"pip install 'assay\[inspect\]'") as refused:
            assay.import_results(FILES / name)
        assert (refused.value.status, refused.value.code) == (422, "not_installed")
        return
    found = assay.import_results(FILES / name)
    done = assay.evaluation(ended(assay, found)["capitals"])
    expected = {"inspect-0.3.285.eval": 0.8, "inspect-0.3.285.json": 0.7}[name]
    assert (done.score("match").value, done.score("match").n) == (expected, 5)
    outputs = assay.samples(done.id, limit=1)[0].outputs
    assert len(outputs) == (2 if name.endswith("json") else 1)


def test_records_of_every_eval_ever_come_and_go(assay: Client, tmp_path: Path) -> None:
    found = assay.import_results(FILES / "every-eval-ever-0.3.0.zip")
    id = ended(assay, found)["capitals_choice"]
    first = assay.evaluation(id)
    assert (first.score("acc").value, first.score("acc").n) == (0.625, 8)
    folder = assay.export_records(id, tmp_path / "out")
    record, lines = sorted(folder.iterdir())
    assert lines.name == f"{record.stem}_samples.jsonl"
    again = assay.import_results(record, dataset="alone")  # without its lines
    alone = assay.evaluation(known(ended_one(assay, again)))
    assert alone.score("acc").value == 0.625
    assert alone.score("acc").interval == pytest.approx(first.score("acc").interval)
    assert "not recomputed" in alone.score("acc").warnings[0]


def ended_one(assay: Client, found: Import) -> str:
    """The id of the only evaluation."""
    (id,) = ended(assay, found).values()
    return id


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet"])
def test_tables_of_any_form_are_recognised(assay: Client, tmp_path: Path, form: str) -> None:
    import pyarrow
    from pyarrow import parquet

    rows: list[dict[str, Any]] = [
        {"id": f"{at}", "output": ["a", "b"], "rating": [at, 2.5]} for at in range(3)
    ]
    file = tmp_path / "table"
    if form == "parquet":
        typed = [row | {"rating": [float(one) for one in row["rating"]]} for row in rows]
        parquet.write_table(pyarrow.Table.from_pylist(typed), file)
    else:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        write(file, json.dumps(rows) if form == "json" else lines)
    mapping = {"id": "id", "output": "output", "rating": "score"}
    seen = assay.import_results(file, system="s", mapping=mapping, dry_run=True)
    assert seen.format == form
    (one,) = seen.evaluations
    assert (one.samples, one.scores[0].value) == (3, 1.75)
    assert known(one.sample)["scores"] == {"rating": [0.0, 2.5]}


TABLE = "id;model;question;answer;label;acc;lang\n1;a;Who?;Me;You;1;en\n2;a;Кто?;Я;Ты;;ru\n"


def test_a_table_s_columns_are_guessed_shown_and_said(assay: Client, tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text(TABLE + "1;b;Who?;You;You;0;en\n2;b;Кто?;Ты;Ты;true;ru\n")
    seen = assay.import_results(file, dry_run=True)
    assert seen.mapping == {
        **{"id": "id", "model": "system", "question": "prompt", "answer": "output"},
        **{"label": "references", "acc": "score", "lang": "metadata"},
    }
    assert [(one.system, one.scores[0].n, one.scores[0].missing) for one in seen.evaluations] == [
        ("a", 1, 1),
        ("b", 2, 0),
    ]
    mapping = {"id": "id", "answer": "output", "acc": "score"}
    found = assay.import_results(
        write(file, TABLE), system="mine", dataset="said", mapping=mapping, slices=None
    )
    assert known(found.mapping)["question"] == "ignore"
    done = assay.evaluation(ended_one(assay, found))
    assert (done.system, done.dataset, done.score("acc").missing) == ("mine", "said", 1)


def test_a_column_or_a_field_is_mapped_once() -> None:
    with pytest.raises(ApiError, match="'x' is mapped to score and to id: keep one"):
        parsed("x:score,x:id")
    with pytest.raises(ApiError, match=r"'x' and 'y' are both mapped to id.* score, ignore may be"):
        parsed("x:id,y:id")
    assert parsed("x:score,y:score") == {"x": "score", "y": "score"}


@pytest.mark.parametrize(
    ("name", "cells", "method"),
    [
        ("solved", ("true", "false", "true"), "wilson"),
        ("acc", ("1", "0", "1"), "wilson"),
        ("acc", ("100", "0", "100"), "t"),  # percent
        ("rating", ("1", "0", "1"), "t"),  # of any number of stars
    ],
)
def test_truth_values_lie_between_0_and_1(
    assay: Client, tmp_path: Path, name: str, cells: tuple[str, ...], method: str
) -> None:
    rows = "".join(f"{at},x,{cell}\n" for at, cell in enumerate(cells))
    file = write(tmp_path / "truths.csv", f"id,output,{name}\n{rows}")
    found = assay.import_results(file, system="s", dataset=f"truths-{name}")
    score = assay.evaluation(ended_one(assay, found)).score(name)
    assert score.interval_method == method
    if method == "wilson":
        low, high = known(score.interval)
        assert 0.0 < low < 2 / 3 < high < 1.0


def write(file: Path, content: str | bytes) -> Path:
    """The file with that content."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def line(**fields: object) -> str:
    """A line of lm-evaluation-harness's samples."""
    given = {
        "doc_id": 0,
        "doc": {},
        "resps": [["x"]],
        "filter": "none",
        "metrics": ["acc"],
        "acc": 1,
    }
    return json.dumps(given | fields) + "\n"


def zipped(name: str, content: bytes) -> bytes:
    """A zip with one file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return made.getvalue()


WRONG: dict[str, tuple[Callable[[], str | bytes], str, str]] = {
    "no file": (lambda: "", "empty_file", "empty"),
    "twice": (lambda: line() + line(), "duplicate_id", "line 2"),
    "a text": (lambda: line() + line(doc_id=1, acc="x"), "invalid_rows", "line 2"),
    "huge": (lambda: line(acc=10**400), "invalid_rows", "line 1"),
    "infinite": (lambda: line(acc=float("inf")), "invalid_rows", "line 1"),
    "only NaN": (lambda: line(acc=float("nan")), "nothing_to_import", "no score"),
    "a list for an id": (lambda: line(doc_id=[1]), "invalid_rows", "line 1"),
    "deep": (lambda: "[" * 100_000, "unreadable_file", "parsed"),
    "cut off": (lambda: line() + '{"doc_id": 1, "resps"', "unreadable_file", "line 2"),
    "no text": (lambda: line().encode() + b'{"doc_id": "\xff"}', "unreadable_file", "as UTF-8"),
    "outside": (lambda: zipped("../../samples_x.jsonl", b"{}"), "unreadable_file", "leads out"),
    "no log": (lambda: zipped("a.txt", b"x"), "unknown_columns", "score"),
    "only a header": (lambda: "вопрос,балл\n", "unknown_columns", "has no rows"),
    "an empty list": (lambda: "[]", "unknown_columns", "has no rows"),
    "an empty zip": (lambda: b"PK\5\6" + bytes(18), "unknown_format", "holds nothing"),
    "a bad zip": (lambda: zipped("samples_x.jsonl", b"{}")[:30], "unreadable_file", "archive"),
    "no score": (lambda: "id,text\n1,a\n", "unknown_columns", "mapping="),
    "words": (lambda: "id,acc\n1,0.5\n2,much\n", "unknown_columns", "mapping="),
    "a pickle": (lambda: b"\x80\x04\x95\x10", "unreadable_file", "UTF-8"),
}


@pytest.mark.parametrize("case", WRONG)
def test_hostile_files_are_refused_and_say_where(assay: Client, tmp_path: Path, case: str) -> None:
    make, code, where = WRONG[case]
    file = write(tmp_path / "samples_x.jsonl", make())
    with pytest.raises(AssayError) as refused:
        assay.import_results(file, system="s", dataset="hostile")
    assert (refused.value.status, refused.value.code) == (422, code), refused.value
    assert where in str(refused.value)


def test_values_and_texts_that_cannot_be_stored_are_mended(assay: Client, tmp_path: Path) -> None:
    given = line(doc={"question": "a\x00b\ud800"}, target="t\x00") + line(doc_id=1, acc=None)
    file = write(tmp_path / "samples_x.jsonl", given)
    found = assay.import_results(file, system="s", dataset="mended")
    done = assay.evaluation(ended_one(assay, found))
    assert (done.score("acc").n, done.score("acc").missing) == (1, 1)
    assert assay.samples(done.id, limit=1)[0].prompt == "a\ufffdb?"


def test_imported_scores_cannot_be_asked_for(assay: Client) -> None:
    params = {"harness": "h", "task": "t"}
    with pytest.raises(AssayError, match="imported with a file") as refused:
        assay.evaluate(
            system="s",
            samples=[{"output": "x"}],
            metrics=[{"name": "imported/acc", "params": params}],
        )
    assert refused.value.status == 422


def test_an_archive_of_imported_values_is_sound(assay: Client, tmp_path: Path) -> None:
    file = write(tmp_path / "samples_x.jsonl", line() + line(doc_id=1))
    found = assay.import_results(file, system="s", dataset="archived-import")
    archive = assay.archive(ended_one(assay, found), tmp_path / "eval.zip")
    told = CliRunner().invoke(app, ["verify", str(archive), "--sample", "1", "--format", "json"])
    assert told.exit_code == 0, told.output
    assert "not measured" in told.output


def test_the_command_says_what_it_imports(live: Live, tmp_path: Path) -> None:
    file = write(tmp_path / "votes.csv", TABLE)
    told = CliRunner().invoke(app, ["import", str(file), "--url", live.base, "--dry-run"])
    assert told.exit_code == 0, told.output
    assert "answer:output" in told.output.replace("\n", "")
    wrong = CliRunner().invoke(app, ["import", str(file), "--url", live.base, "--score", "bleu"])
    assert wrong.exit_code == 1
    assert "no score 'bleu'" in wrong.output


def test_a_file_without_outputs_has_none_that_are_equal(assay: Client, tmp_path: Path) -> None:
    for system in ("x", "y"):
        file = write(tmp_path / f"{system}.csv", "id,acc\n0,1\n1,0\n2,1\n")
        asked: dict[str, Any] = {"dataset": "silent", "mapping": {"id": "id", "acc": "score"}}
        ended(assay, assay.import_results(file, system=system, **asked))
    board = assay.leaderboard("silent", "acc")
    assert [(row.same_outputs, row.in_references) for row in board.rows] == [(None, None)] * 2
    assert not any("same outputs" in one for one in board.warnings)


@pytest.mark.parametrize("columns", ["80", None])
def test_the_command_prints_ids_whole(
    assay: Client, live: Live, tmp_path: Path, columns: str | None
) -> None:
    """To be copied: in a terminal of 80 columns, and in a pipe."""
    file = write(tmp_path / "samples_x.jsonl", line() + line(doc_id=1))
    system = f"a-system-with-a-name-that-is-long-[{columns}]"
    asked = ["--url", live.base, "--system", system, "--dataset", "a-dataset-of-a-long-name"]
    told = CliRunner(env={"COLUMNS": columns}).invoke(app, ["import", str(file), *asked])
    assert told.exit_code == 0, told.output
    (id,) = re.findall(r"eval_\w+(?=\s)", told.output)
    assert assay.evaluation(id).system == system


def test_values_without_rows_stand_on_no_samples(assay: Client, tmp_path: Path) -> None:
    file = write(tmp_path / "record.json", json.dumps(RECORD))
    found = assay.import_results(file)
    done = assay.evaluation(ended_one(assay, found))
    score = done.score("Accuracy")
    assert (done.dataset, score.value, score.n) == ("some-lib/bench", 0.5, 400)
    assert score.interval == pytest.approx((0.5 - 1.959964 * 0.025, 0.5 + 1.959964 * 0.025))
    board = assay.leaderboard("some-lib/bench", "Accuracy")
    assert [row.system for row in board.rows] == ["org/model"]
    with pytest.raises(AssayError, match="no samples") as refused:
        assay.evaluate(system="s", dataset=done.dataset, outputs={"1": "x"}, metrics=["length"])
    assert refused.value.code == "empty_dataset"


RECORD = {
    "schema_version": "0.3.0",
    "evaluation_id": "bench/org/model/1",
    "retrieved_timestamp": "1",
    "eval_library": {"name": "some-lib", "version": "2"},
    "model_info": {"name": "model", "id": "org/model"},
    "evaluation_results": [
        {
            "evaluation_name": "bench",
            "source_data": {"dataset_name": "bench", "source_type": "other"},
            "metric_config": {"metric_name": "Accuracy", "lower_is_better": False},
            "score_details": {
                "score": 0.5,
                "uncertainty": {"standard_error": {"value": 0.025}, "num_samples": 400},
            },
        }
    ],
}
