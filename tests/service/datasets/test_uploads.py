"""Datasets from files: three formats give one version, and a bad row stores nothing."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as arrow
import pytest
from pyarrow import parquet

from assay import Client
from service.datasets import files
from service.datasets.schemas import checked
from service.datasets.staging import Staged
from service.datasets.store import digest
from service.errors import ApiError
from service.settings import Settings
from tests.service.live import Live

ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt": "Столица?", "references": ["Москва", "г. Москва"], "lang": "ru"},
    {"id": "b", "prompt": "Capital, please", "references": ["Paris"], "lang": "en"},
]


TYPED = {"content-type": "application/octet-stream"}


def upload(live: Live, content: bytes, name: str, format_: str) -> httpx.Response:
    query = {"name": name, "format": format_}
    url = f"{live.base}/v1/datasets/upload"
    return httpx.post(url, content=content, params=query, headers=TYPED)


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
        (b"id,prompt\na,\xff\n", "csv", None, "line 2 is not UTF-8: save the file as UTF-8"),
        (b"id,prompt\n1,Hello, world\n", "csv", None, "line 2 has 3 fields, the header has 2"),
        (b'id,prompt\n1,"a\nb"\n\n2\n', "csv", None, "line 5 has 1 field, the header has 2"),
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
    answer = sent("not-a-number", length=[float("nan")])
    assert "'length' holds a number that is not finite" in answer.json()["error"]["message"]


def test_a_format_that_is_left_out(live: Live) -> None:
    url = f"{live.base}/v1/datasets/upload?name=formless"
    error = httpx.post(url, content=b"{}", headers=TYPED).json()["error"]
    assert (error["param"], error["code"]) == ("format", "missing")
    assert "'jsonl', 'csv', 'parquet', 'arrow', 'tar'" in error["message"]


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
    refused = httpx.post(url, content=content, params=query, headers=TYPED)
    assert refused.status_code == 422, refused.text
    error = refused.json()["error"]
    assert (error["code"], error["param"]) == ("unknown_columns", "mapping")
    assert f"mapping={MAPPING}" in error["message"]
    done = httpx.post(url, content=content, params=query | {"mapping": MAPPING}, headers=TYPED)
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
        ("foo,bar\n1,2\n", "foo:prompt,foo:id", "'foo' is mapped to prompt and to id"),
        ("foo,prompt\n1,2\n", "foo:prompt", "has a column 'prompt', too"),
    ],
)
def test_a_mapping_that_cannot_be(live: Live, content: str, mapping: str | None, part: str) -> None:
    query = {"name": "bad-mapping", "format": "csv"} | ({"mapping": mapping} if mapping else {})
    url = f"{live.base}/v1/datasets/upload"
    answer = httpx.post(url, content=content.encode(), params=query, headers=TYPED)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == "mapping"
    assert part in answer.json()["error"]["message"]
    assert httpx.get(f"{live.base}/v1/datasets/bad-mapping").status_code == 404


def test_commas_within_texts_divide_nothing(live: Live) -> None:
    content = 'prompt;references\n"a, b; c";x, y, z\n'
    assert upload(live, content.encode(), "commas", "csv").status_code == 201
    (record,) = httpx.get(f"{live.base}/v1/datasets/commas/records").json()["data"]
    assert (record["prompt"], record["references"]) == ("a, b; c", ["x, y, z"])


@pytest.fixture(scope="module")
def narrow(new_database: Callable[[], str], data_dir: Path) -> Iterator[Live]:
    """An API by itself that takes a thousand rows, and a megabyte of them."""
    limits = {"max_upload_rows": "1000", "max_upload_decoded_bytes": str(10**6)}
    service = Live(new_database(), data_dir, **limits)
    service.api()
    yield service
    service.close()


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_too_many_rows(narrow: Live, format_: str) -> None:
    for count, status in ((1000, 201), (1001, 413)):
        columns = {"prompt": ["x"] * count}
        answer = upload(narrow, _file(columns, format_), f"rows-{format_}-{count}", format_)
        assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["type"] == "request_too_large_error"
    assert "1000 rows" in error["message"]
    assert "ASSAY_MAX_UPLOAD_ROWS" in error["message"]


@pytest.mark.parametrize("columns", ["prompt", "references", "note"])
def test_a_small_file_of_gigabytes(narrow: Live, columns: str) -> None:
    """Of one text, written once and pointed at from 900 rows: 2.7 GB in a kilobyte."""
    text, count = "x" * 3_000_000, 900
    cells = [[text]] * 3 + [["y"]] * (count - 3) if columns == "references" else None
    if cells is None:
        cells = arrow.DictionaryArray.from_arrays(arrow.array([0] * count, arrow.int32()), [text])
    out = io.BytesIO()
    table = {"prompt": ["?"] * count, columns: cells}  # some column has to be a field
    parquet.write_table(arrow.table(table), out, compression="zstd")
    assert len(out.getvalue()) < 10_000
    process = psutil.Process(narrow.processes[0].pid)
    before = process.memory_info().rss
    began = time.monotonic()
    answer = upload(narrow, out.getvalue(), "inflated", "parquet")
    assert answer.status_code == 413, answer.text
    assert "1000000 bytes" in answer.json()["error"]["message"]
    assert "ASSAY_MAX_UPLOAD_DECODED_BYTES" in answer.json()["error"]["message"]
    assert time.monotonic() - began < 10
    assert process.memory_info().rss - before < 300 * 1024**2
    assert httpx.get(f"{narrow.base}/v1/datasets/inflated").status_code == 404


def test_rows_are_not_held_in_memory() -> None:
    """Not even while they are checked and stored: of 40 MB of rows, a fraction at a time."""

    def records() -> Iterator[dict[str, Any]]:
        for _ in range(400):
            yield {"references": ["x" * 100_000]}

    tracemalloc.start()
    with Staged() as staged:
        staged.fill(checked(records(), "eval"), Settings())
        digests = {digest("eval", staged) for _ in range(2)}
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (len(staged), len(digests)) == (400, 1)
    assert most < 25e6


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 1000)
    good = b'{"prompt": "' + b"x" * 900 + b'"}\n'
    assert len(list(files.rows(io.BytesIO(good * 3), "jsonl", "eval"))) == 3
    cases: list[tuple[files.Format, bytes]] = [("jsonl", good), ("csv", b"prompt\n")]
    for format_, head in cases:
        with pytest.raises(ApiError, match="line 2") as refused:
            list(files.rows(io.BytesIO(head + b"x" * 1001), format_, "eval"))
        assert refused.value.status == 413


def test_a_long_line_of_jsonl(live: Live) -> None:
    row = {"references": ["x" * 200_000], "metadata": {"n": [[]] * 50_000}}
    assert upload(live, json.dumps(row).encode(), "long-line", "jsonl").status_code == 201
    answer = upload(live, json.dumps(row).encode()[:-2], "long-line", "jsonl")
    assert "line 1 is not valid JSON" in answer.json()["error"]["message"]


def _file(columns: dict[str, list[str]], format_: str) -> bytes:
    if format_ == "parquet":
        out = io.BytesIO()
        parquet.write_table(arrow.table(columns), out)
        return out.getvalue()
    table = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if format_ == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in table).encode()
    lines = [",".join(columns), *(",".join(row.values()) for row in table)]
    return "\n".join(lines).encode()


def test_a_list_without_entries_is_empty(live: Live) -> None:
    content = 'prompt,references,metadata\n?,[],{}\n!,"[""x""]","{""a"": 1}"\n'
    assert upload(live, content.encode(), "empty-lists", "csv").status_code == 201
    records = httpx.get(f"{live.base}/v1/datasets/empty-lists/records").json()["data"]
    assert records == [
        {"id": "1", "prompt": "?"},
        {"id": "2", "prompt": "!", "references": ["x"], "metadata": {"a": 1}},
    ]


@pytest.mark.parametrize(
    "column",
    [
        arrow.array([2**60], arrow.timestamp("us")),
        arrow.array([0], arrow.timestamp("us", tz="Mars/Base")),
        arrow.StringArray.from_buffers(
            1, arrow.py_buffer(b"\0\0\0\0\2\0\0\0"), arrow.py_buffer(b"\xff\xfe")
        ),
    ],
)
def test_a_value_that_nothing_can_hold(live: Live, column: arrow.Array) -> None:
    out = io.BytesIO()
    parquet.write_table(arrow.table({"prompt": ["x"], "when": column}), out)
    answer = upload(live, out.getvalue(), "beyond", "parquet")
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] == "unreadable_file"
