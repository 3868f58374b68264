"""Datasets from files: three formats give one version, and a bad row stores nothing."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pyarrow as arrow
import pytest
from pyarrow import parquet

from assay import Client
from tests.service.live import Live

ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt": "Столица?", "references": ["Москва", "г. Москва"], "lang": "ru"},
    {"id": "b", "prompt": "Capital, please", "references": ["Paris"], "lang": "en"},
]


def upload(live: Live, content: bytes, name: str, format_: str) -> httpx.Response:
    query = {"name": name, "format": format_}
    return httpx.post(f"{live.base}/v1/datasets/upload", content=content, params=query)


def jsonl() -> bytes:
    lines = []
    for row in ROWS:
        record = {key: value for key, value in row.items() if key != "lang"}
        lines.append(json.dumps(record | {"metadata": {"lang": row["lang"]}}, ensure_ascii=False))
    return ("\n".join(lines) + "\n\n").encode()


def csv_file() -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "prompt", "references", "lang"])
    writer.writeheader()
    for row in ROWS:
        writer.writerow(row | {"references": json.dumps(row["references"], ensure_ascii=False)})
    return b"\xef\xbb\xbf" + out.getvalue().encode()  # as spreadsheets write it


def parquet_file() -> bytes:
    out = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(ROWS), out)
    return out.getvalue()


def test_three_formats_one_version(live: Live, assay: Client) -> None:
    answers = [
        upload(live, jsonl(), "uploaded", "jsonl"),
        upload(live, csv_file(), "uploaded", "csv"),
        upload(live, parquet_file(), "uploaded", "parquet"),
    ]
    assert [one.status_code for one in answers] == [201, 200, 200], [one.text for one in answers]
    assert len({one.json()["digest"] for one in answers}) == 1
    records = assay.request("GET", "/v1/datasets/uploaded/records")["data"]
    assert records[0]["references"] == ["Москва", "г. Москва"]
    assert records[0]["metadata"] == {"lang": "ru"}
    made = assay.evaluate(
        system="x", dataset="uploaded", outputs={"a": "Москва", "b": "Lyon"}, metrics=["token_f1"]
    )
    assert assay.wait(made.id).score("token_f1").value == 0.5


@pytest.mark.parametrize(
    ("content", "format_", "param", "part"),
    [
        (b'{"id": "a"}\n{"id": "b", "references": "x"}\n', "jsonl", "rows[1].references", "list"),
        (b'{"id": "a"}\n{"id": "a"}\n', "jsonl", "rows[1].id", "rows[0]"),
        (b'{"id": "a", "output": "x"}\n', "jsonl", "rows[0].output", ""),
        (b'{"id": "a"}\n{"id"\n', "jsonl", None, "line 2"),
        (b"id,prompt\na,\xff\n", "csv", None, "UTF-8"),
        (b"nonsense", "parquet", None, "Parquet"),
        (b"", "jsonl", None, "no rows"),
    ],
)
def test_a_bad_file_stores_nothing(
    live: Live, content: bytes, format_: str, param: str | None, part: str
) -> None:
    answer = upload(live, content, "bad-file", format_)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == param
    assert part in answer.json()["error"]["message"]
    assert httpx.get(f"{live.base}/v1/datasets/bad-file").status_code == 404


def test_columns_of_types_that_json_lacks(live: Live) -> None:
    """Dates become text; what has no text is refused by row and field, and not with a 500."""

    def sent(name: str, **columns: Any) -> httpx.Response:
        out = io.BytesIO()
        parquet.write_table(arrow.table({"references": ["x"], **columns}), out)
        return upload(live, out.getvalue(), name, "parquet")

    assert sent("dated", day=[datetime.date(2024, 2, 29)]).status_code == 201
    (record,) = httpx.get(f"{live.base}/v1/datasets/dated/records").json()["data"]
    assert record["metadata"] == {"day": "2024-02-29"}
    assert sent("numbered", metadata=[3]).status_code == 201
    for name, column in (("bytes", [b"\xff"]), ("decimal", [decimal.Decimal("1.5")])):
        answer = sent(name, column=column)
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"]["param"] == "rows[0].metadata"


def test_a_long_field_of_csv(live: Live) -> None:
    content = b"id,references\n1," + b"x" * 300_000 + b"\n"
    assert upload(live, content, "long-field", "csv").status_code == 201


QUESTIONS = "id{0}question{0}answer{0}lang\na{0}Столица?{0}Москва{0}ru\nb{0}Capital?{0}Paris{0}en\n"
MAPPING = "question:prompt,answer:references"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_with_columns_of_other_names(live: Live, delimiter: str) -> None:
    name = f"mapped-{ord(delimiter)}"
    query = {"name": name, "format": "csv"}
    content = QUESTIONS.format(delimiter).encode()
    url = f"{live.base}/v1/datasets/upload"
    refused = httpx.post(url, content=content, params=query)
    assert refused.status_code == 422, refused.text
    error = refused.json()["error"]
    assert (error["code"], error["param"]) == ("unknown_columns", "mapping")
    assert f"mapping={MAPPING}" in error["message"]
    done = httpx.post(url, content=content, params=query | {"mapping": MAPPING})
    assert done.status_code == 201, done.text
    records = httpx.get(f"{live.base}/v1/datasets/{name}/records").json()["data"]
    assert records[0] == {
        "id": "a",
        "prompt": "Столица?",
        "references": ["Москва"],
        "metadata": {"lang": "ru"},
    }


def test_parquet_and_jsonl_with_columns_of_other_names(
    live: Live, assay: Client, tmp_path: Path
) -> None:
    table = [{"question": "Capital?", "answer": ["Paris"]}]
    out = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(table), out)
    refused = upload(live, out.getvalue(), "mapped-parquet", "parquet")
    assert f"mapping={MAPPING}" in refused.json()["error"]["message"]
    mapping = {"question": "prompt", "answer": "references"}
    for suffix, content in [("parquet", out.getvalue()), ("jsonl", json.dumps(table[0]).encode())]:
        file = tmp_path / f"file.{suffix}"
        file.write_bytes(content)
        made = assay.upload_dataset(f"mapped-{suffix}", file, mapping=mapping)
        (record,) = assay.records(made.id)
        assert record == {"id": "1", "prompt": "Capital?", "references": ["Paris"]}


@pytest.mark.parametrize(
    ("content", "mapping", "part"),
    [
        ("foo,bar\n1,2\n", None, "mapping=COLUMN:prompt"),
        ("foo,bar\n1,2\n", "foo:promt", "did you mean 'prompt'"),
        ("foo,bar\n1,2\n", "fo:prompt", "did you mean 'foo'"),
        ("foo,bar\n1,2\n", "foo", "write question:prompt"),
        ("foo,bar\n1,2\n", "foo:prompt,bar:prompt", "one column a field"),
        ("foo,prompt\n1,2\n", "foo:prompt", "has a column 'prompt', too"),
    ],
)
def test_a_mapping_that_cannot_be(live: Live, content: str, mapping: str | None, part: str) -> None:
    query = {"name": "bad-mapping", "format": "csv"} | ({"mapping": mapping} if mapping else {})
    url = f"{live.base}/v1/datasets/upload"
    answer = httpx.post(url, content=content.encode(), params=query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == "mapping"
    assert part in answer.json()["error"]["message"]
    assert httpx.get(f"{live.base}/v1/datasets/bad-mapping").status_code == 404


def test_commas_within_texts_divide_nothing(live: Live) -> None:
    content = 'prompt;references\n"a, b; c";x, y, z\n'
    assert upload(live, content.encode(), "commas", "csv").status_code == 201
    (record,) = httpx.get(f"{live.base}/v1/datasets/commas/records").json()["data"]
    assert (record["prompt"], record["references"]) == ("a, b; c", ["x, y, z"])
