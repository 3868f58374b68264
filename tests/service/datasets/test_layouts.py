"""Layouts that public datasets have, and folders of Arrow, as records."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import ipc

from assay import Client
from service.datasets import arrow, files
from service.datasets.schemas import checked
from service.errors import ApiError

ALPACA = {"instruction": "Translate.", "input": "дом", "output": "house", "text": "all of it"}
SHAREGPT = {
    "id": "a1",
    "source": "web",
    "conversations": [
        {"from": "system", "value": "Кратко."},
        {"from": "human", "value": "7?"},
        {"from": "gpt", "value": "Да"},
    ],
}


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


SAID = [{"role": "system", "content": "Кратко."}, user("7?"), assistant("Да")]
PAIR = {"prompt": "7?", "chosen": "Да", "rejected": "no"}


def read(
    content: bytes, format_: files.Format, kind: str, mapping: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    found = list(checked(files.rows(io.BytesIO(content), format_, kind, mapping), kind))
    for one in found:
        one.pop("id")
    return found


def jsonl(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode()


def stream(
    rows: list[dict[str, Any]], new: Callable[..., Any] = ipc.new_stream, **options: Any
) -> bytes:
    table = pyarrow.Table.from_pylist(rows)
    out = io.BytesIO()
    with new(out, table.schema, **options) as writer:
        writer.write_table(table)
    return out.getvalue()


@pytest.mark.parametrize("format_", ["jsonl", "arrow"])
@pytest.mark.parametrize(
    ("kind", "row", "want"),
    [
        ("sft", ALPACA, {"prompt": "Translate.\n\nдом", "completion": "house"}),
        ("sft", ALPACA | {"input": ""}, {"prompt": "Translate.", "completion": "house"}),
        ("eval", ALPACA, {"prompt": "Translate.\n\nдом", "references": ["house"]}),
        ("prompts", ALPACA, {"prompt": "Translate.\n\nдом", "references": ["house"]}),
        ("sft", SHAREGPT, {"messages": SAID, "metadata": {"source": "web"}}),
        ("sft", {"messages": SAID}, {"messages": SAID}),
        ("sft", {"messages": [one | {"name": None} for one in SAID]}, {"messages": SAID}),
        ("sft", {"prompt": SAID[:2], "completion": SAID[2:]}, {"messages": SAID}),
        (
            "preference",
            {"prompt": [user("7?")], "chosen": [assistant("Да")], "rejected": [assistant("no")]},
            PAIR,
        ),
        (
            "preference",
            {"chosen": [user("7?"), assistant("Да")], "rejected": [user("7?"), assistant("no")]},
            PAIR,
        ),
        ("preference", PAIR | {"margin": 1}, PAIR | {"margin": 1.0}),
        ("preference", PAIR | {"margin": None}, PAIR),
        (
            "labelled",
            {"prompt": [user("7?")], "completion": [assistant("Да")], "label": True},
            {"prompt": "7?", "completion": "Да", "label": True},
        ),
        ("prompts", {"prompt": [user("7?")]}, {"prompt": "7?"}),
    ],
)
def test_usual_layouts_are_records(
    format_: files.Format, kind: str, row: dict[str, Any], want: dict[str, Any]
) -> None:
    content = jsonl(row) if format_ == "jsonl" else stream([row])
    assert read(content, format_, kind) == [want]


def test_a_conversation_in_csv_is_json() -> None:
    turns = json.dumps(SHAREGPT["conversations"]).replace('"', '""')
    assert read(f'conversations\n"{turns}"\n'.encode(), "csv", "sft") == [{"messages": SAID}]
    assert read(f'talk\n"{turns}"\n'.encode(), "csv", "sft", {"talk": "messages"}) == [
        {"messages": SAID}
    ]


def test_a_record_of_its_own_keeps_its_columns() -> None:
    row = {"prompt": "7?", "completion": "Да", "instruction": "x", "conversations": "y"}
    kept = {"prompt": "7?", "completion": "Да"}
    rest = {"metadata": {"instruction": "x", "conversations": "y"}}
    assert read(stream([row]), "arrow", "sft") == [kept | rest]


@pytest.mark.parametrize(
    ("kind", "row", "where", "part"),
    [
        ("sft", {"conversations": [{"from": "tool", "value": "x"}]}, "conversations[0]", "'tool'"),
        ("sft", {"conversations": ["x"]}, "conversations[0]", "{from, value}"),
        ("sft", {"conversations": "hello"}, "conversations", "list of turns"),
        ("preference", PAIR | {"chosen": [user("x")]}, "chosen", "end with a message of the assis"),
        ("preference", PAIR | {"margin": "wide"}, "margin", "valid number"),
        ("preference", PAIR | {"margin": 1e300}, "margin", "less than or equal to 1000000"),
        ("preference", PAIR | {"margin": "nan"}, "margin", "finite number"),
        ("preference", PAIR | {"prompt": SAID}, "prompt", "one message of the user"),
    ],
)
def test_what_a_record_cannot_hold_is_told(
    kind: str, row: dict[str, Any], where: str, part: str
) -> None:
    good = {"prompt": "?", "completion": "!"} if kind == "sft" else PAIR
    with pytest.raises(ApiError) as error:
        read(jsonl(good) + b"\n" + jsonl(row), "jsonl", kind)
    assert error.value.param == f"rows[1].{where}"
    assert part in error.value.message


def test_a_refusal_says_what_the_columns_should_be() -> None:
    with pytest.raises(ApiError) as error:
        read(b"foo,bar\n1,2\n", "csv", "sft")
    assert "instruction, input, output (Alpaca); conversations (ShareGPT)" in error.value.message


@pytest.mark.parametrize("new", [ipc.new_stream, ipc.new_file])
def test_arrow_is_read_unless_it_is_compressed(new: Callable[..., Any]) -> None:
    """A few compressed bytes may stand for gigabytes."""
    assert read(stream([ALPACA], new), "arrow", "sft")[0]["completion"] == "house"
    packed = stream([ALPACA], new, options=ipc.IpcWriteOptions(compression="zstd"))
    for content in (packed, b"nonsense", packed[:40]):
        with pytest.raises(ApiError) as error:
            read(content, "arrow", "sft")
        assert error.value.code == "unreadable_file"
    coded = pyarrow.table({"text": pyarrow.array(["да", "да"]).dictionary_encode()})
    out = io.BytesIO()
    with new(out, coded.schema, options=ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(coded)
    with pytest.raises(ApiError, match="compressed"):
        read(out.getvalue(), "arrow", "sft")


@pytest.mark.parametrize("new", [ipc.new_stream, ipc.new_file])
def test_arrow_that_is_cut_off_is_refused(new: Callable[..., Any]) -> None:
    """Wherever it is cut: between two batches the rest is a whole stream, but for its end."""
    out = io.BytesIO()
    table = pyarrow.Table.from_pylist([ALPACA] * 6)
    with new(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    whole = out.getvalue()
    assert len(read(whole, "arrow", "sft")) == 6
    for size in range(len(whole)):
        with pytest.raises(ApiError) as error:
            read(whole[:size], "arrow", "sft")
        assert error.value.code in {"unreadable_file", "unknown_columns"}
    between = whole.rindex(b"\xff\xff\xff\xff", 0, whole.rindex(arrow.END))
    with pytest.raises(ApiError, match="cut off"):
        read(whole[:between], "arrow", "sft")


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(folder, folder.name)
    return out.getvalue()


def test_a_folder_of_datasets_is_uploaded(assay: Client, tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    rows = [{"instruction": f"{n}?", "output": str(n)} for n in range(5)]
    made = Dataset.from_list(rows)
    made.save_to_disk(tmp_path / "one", num_shards=2)
    file = tmp_path / "one.tar"
    file.write_bytes(packed(tmp_path / "one"))
    found = list(assay.records(assay.upload_dataset("folder", file, kind="sft").id))
    assert [(one["prompt"], one["completion"]) for one in found] == [
        (row["instruction"], row["output"]) for row in rows
    ]
    DatasetDict(train=made, test=made).save_to_disk(tmp_path / "splits")
    with pytest.raises(ApiError, match=r"one folder.*splits/test, splits/train"):
        read(packed(tmp_path / "splits"), "tar", "sft")
    with pytest.raises(ApiError, match="not a tar"):
        read(b"nonsense" * 200, "tar", "sft")
