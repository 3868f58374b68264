"""CSV and Parquet read back as what was written, and harm no spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.evaluations.tables import evaluation_table
from service.figures.data import as_csv, as_parquet
from service.leaderboards.tables import board_table, comparison_table
from tests.service.figures.boards import (
    HOSTILE,
    NOW,
    board,
    comparison,
    evaluation,
    result,
    score,
)


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_numbers_of_a_csv_are_exact_and_missing_ones_empty() -> None:
    given = board(["a", "b", "c"])
    given.rows[1].value = 0.1 + 0.2
    rows = read_csv(as_csv(board_table(given)))
    assert [float(row["value"]) for row in rows] == [60.0, 0.1 + 0.2, 58.0]
    assert [row["interval_low"] for row in rows] == ["58.75", "57.75", ""]
    assert [row["p_vs_next"] for row in rows] == ["0.0", "0.03", ""]
    first = rows[0]
    assert (first["rank"], first["rank_interval_low"], first["rank_interval_high"]) == (
        "1",
    ) * 2 + ("2",)
    assert (first["dataset"], first["version"], first["slice"]) == ("news/ru", "3", "")
    assert json.loads(first["generation"]) == {"temperature": 0.7, "stop": ["\n"]}
    assert (first["notes"], first["finished_at"]) == ("one; two", NOW.isoformat())


def test_no_spreadsheet_runs_a_name_and_every_name_comes_back() -> None:
    rows = read_csv(as_csv(board_table(board(HOSTILE))))
    shown = [row["system"] for row in rows]
    assert not any(name.lstrip().startswith(("=", "+", "-", "@")) for name in shown)
    assert [name.removeprefix("'") for name in shown] == HOSTILE
    assert shown[6] == HOSTILE[6]  # a harmless name is as it is
    worse = comparison([result("chrf", -1.5, 0.5, system_a="=1+1")], a="=1+1")
    row = read_csv(as_csv(comparison_table(worse)))[0]
    assert (row["difference"], row["system_a"]) == ("-1.5", "'=1+1")  # a number is no formula


def test_parquet_has_types_and_nulls() -> None:
    table = pq.read_table(io.BytesIO(as_parquet(board_table(board(HOSTILE)))))
    types = {field.name: field.type for field in table.schema}
    assert types["rank"] == types["rank_interval_low"] == pa.int64()
    assert types["value"] == types["interval_high"] == types["p_vs_next"] == pa.float64()
    assert types["system"] == types["slice"] == types["generation"] == pa.string()
    assert types["finished_at"] == pa.timestamp("us", tz="UTC")
    assert types["notes"] == pa.list_(pa.string())
    rows: list[dict[str, Any]] = table.to_pylist()
    assert [row["system"] for row in rows] == HOSTILE  # as it is: no spreadsheet reads it
    assert rows[2]["interval_low"] is None
    assert rows[0]["p_vs_next"] == 0.0
    assert rows[-1]["p_vs_next"] is None
    assert rows[0]["finished_at"] == NOW
    assert rows[0]["notes"] == ["one", "two"]


def test_types_do_not_depend_on_what_is_there() -> None:
    full = pq.read_schema(io.BytesIO(as_parquet(board_table(board(["a", "b"])))))
    empty = pq.read_table(io.BytesIO(as_parquet(board_table(board([])))))
    assert empty.num_rows == 0
    assert empty.schema.remove_metadata() == full.remove_metadata()


def test_comparisons_and_evaluations_are_rows() -> None:
    results = [result("chrf", 2.0, 0.01), result("perplexity", -3.0, 0.2), result("bleu", None, 1)]
    rows = pq.read_table(io.BytesIO(as_parquet(comparison_table(comparison(results))))).to_pylist()
    assert [row["better"] for row in rows] == ["модель_a", None, None]
    assert [row["significant"] for row in rows] == [True, False, None]
    assert {(row["evaluation_a"], row["system_b"]) for row in rows} == {("eval_a", "b$")}
    parts = [score("chrf", 44.0, "lang=ru"), score("chrf", 36.0, "lang=en")]
    one = evaluation([score("chrf", 40.0), score("bleu", None)], parts)
    rows = pq.read_table(io.BytesIO(as_parquet(evaluation_table(one)))).to_pylist()
    assert [(row["name"], row["slice"], row["value"]) for row in rows] == [
        ("chrf", None, 40.0),
        ("chrf", "lang=ru", 44.0),
        ("chrf", "lang=en", 36.0),
        ("bleu", None, None),
    ]
    assert json.loads(rows[3]["error"])["message"] == "it failed"
    assert {row["evaluation"] for row in rows} == {"eval_1"}
