"""Files as samples: each kind, by what it begins with, and what is wrong by line and field."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inference.errors import InputError
from metrics.core.metric import Sample
from service.score_file import columns
from service.score_file.reading import Reading, read

FILES = Path(__file__).parent / "files"
OPEN, CHOICE = (next(FILES.glob(f"samples_capitals_{task}_*.jsonl")) for task in ("open", "choice"))

RECORDS = [
    {"id": "1", "prompt": "Кто там?", "output": "Кот, «рыжий»", "references": ["Кот", "Кошка"]},
    {"id": "2", "prompt": "Где?", "output": "", "references": ["На ковре"]},
]
SAMPLES = [
    Sample("1", ("Кот, «рыжий»",), ("Кот", "Кошка"), "Кто там?", metadata={"lang": "ru"}),
    Sample("2", ("",), ("На ковре",), "Где?", metadata={"lang": "ru"}),
]
ROWS = [record | {"metadata": {"lang": "ru"}} for record in RECORDS]
REFERENCES = [json.dumps(one["references"], ensure_ascii=False) for one in RECORDS]


def quoted(text: object) -> str:
    return '"' + str(text).replace('"', '""') + '"'


def as_csv(delimiter: str) -> str:
    head = delimiter.join(["id", "prompt", "output", "references", "lang"])
    lines = [
        delimiter.join(
            [*(quoted(one[key]) for key in ("id", "prompt", "output")), quoted(references), "ru"]
        )
        for one, references in zip(RECORDS, REFERENCES, strict=True)
    ]
    return "\r\n".join([head, *lines, ""])


def as_parquet(path: Path) -> bytes:
    flat = [record | {"lang": "ru"} for record in RECORDS]
    pq.write_table(pa.Table.from_pylist(flat), path)
    return path.read_bytes()


def made(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("kind", ["jsonl", "array", "csv,", "csv;", "csv\t", "csv|", "parquet"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("name", ["outputs.csv", "outputs"])
def test_a_file_is_told_by_its_content(tmp_path: Path, kind: str, mark: str, name: str) -> None:
    content: str | bytes
    if kind == "parquet":
        content = as_parquet(tmp_path / "made")
    elif kind == "jsonl":
        content = mark + "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    elif kind == "array":
        content = mark + json.dumps(ROWS, ensure_ascii=False, indent=1)
    else:
        content = mark + as_csv(kind[-1])
    assert read(made(tmp_path / name, content)) == SAMPLES


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    rows = [{"q": "Где?", "gold": "тут", "said": 42, "topic": "x", "n": 1}]
    mapping = columns.parsed(["q=prompt,gold=references", "said=output,topic=metadata,*=metadata"])
    path = made(tmp_path / "a.jsonl", json.dumps(rows[0]))
    wanted = [Sample("1", ("42",), ("тут",), "Где?", metadata={"topic": "x", "n": 1})]
    assert read(path, Reading(mapping)) == wanted
    path = made(tmp_path / "a.csv", "q;gold;said;topic\nГде?;тут;42;x\n")
    (sample,) = read(path, Reading(columns.parsed(["q=prompt,gold=references,said=output"])))
    assert (sample.prompt, sample.references, sample.outputs) == ("Где?", ("тут",), ("42",))
    assert sample.metadata == {"topic": "x"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("question", "no pair: write question=prompt"),
        ("question=promt", "did you mean 'prompt'"),
        ("a=output,b=output", "one column a field"),
        ("*=output", "can be metadata alone"),
    ],
)
def test_a_wrong_mapping_says_what_was_meant(options: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("*", r"\*")):
        columns.parsed([options])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a", '[{"output": "x"},\n {"output": 3.5.1}]', "a:2: no JSON"),
        ("a", '[{"output": "x"}\n', "a:1: no JSON: the array"),
        ("a", '[{"output": "x"},\n\n "y"]', "a:3: is no object"),
        ("a", '{"output": "x"}\n{"output": "x", "outptu": 1}', "a:2: outptu: .* did you mean"),
        ("a", '{"output": ["x"]}', "a:1: output: "),
        ("a", '{"output": "x"}\n{"output": 5}', "a:2: output: Input should be a valid string"),
        ("a", '{"outputs": ["x", 5]}', r"a:1: outputs\.1: Input should be a valid string"),
        (
            "a",
            "question,answer,prediction\nx,y,z\n",
            "a:2: .*`--map question=prompt,answer=references,prediction=output`",
        ),
        ("a", '{"pred": "x", "gold": "y"}', "a:1: .*`--map pred=output,gold=references`"),
        ("a", '{"prompt": "x"}', "a:1: give either `output` or"),
        ("a", "prompt,z\nx,y\n", "a:2: there is no `output`, but 'prompt', 'z'; .*COLUMN=output"),
        ("a", "output,references\nx,y,z\n", "a:2: 3 fields, the header has 2; put quotes"),
        ("a", 'output,references\n"x\ny",z\n"w\n', "a:4: not valid CSV"),
        ("a", "id,output\n1,x\n\n1,y\n", "a:4: id: id '1' is also that of line 2"),
        ("a", "output\nПривет\n".encode("cp1251"), "a:2: is not UTF-8: save the file as UTF-8"),
        ("a", "output\nx\n".encode("utf-16"), "a: UTF-16 is not UTF-8"),
        ("a", b"PAR1nothing", "a: not valid Parquet"),
        ("a.jsonl", "output\n", "a.jsonl:1: no JSON"),
        ("a", "\n\n", "there are no samples"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | bytes, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / name, content)
    with pytest.raises(InputError, match=said):
        read(Path(name))


def test_a_row_of_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"output": ["x", None], "id": [7, 8]}), path)
    with pytest.raises(InputError, match=r"a\.parquet: row 2: there is no `output`"):
        read(path)


def test_numbers_of_a_table_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"output": [5, 7], "references": [5, 8]}), path)
    assert [one.outputs for one in read(path)] == [("5",), ("7",)]
    assert read(made(tmp_path / "a.csv", "output\n5\n"))[0].outputs == ("5",)
    assert read(made(tmp_path / "a.jsonl", '{"id": 5, "output": "x"}'))[0].id == "5"


@pytest.mark.parametrize("content", ["said,output\nx,y\n", '{"said": "x"}'])
def test_a_mapped_column_has_to_be_there(tmp_path: Path, content: str) -> None:
    reading = Reading({"sayd": "output" if content.startswith("{") else "prompt"})
    with pytest.raises(InputError, match=r"sayd.*did you mean 'said'|said: a sample has no such"):
        read(made(tmp_path / "a", content), reading)


def test_samples_of_lm_eval(tmp_path: Path) -> None:
    """As lm-evaluation-harness 0.4.13 wrote them, in lines and in an array as older ones did."""
    samples = read(OPEN)
    lines = [json.loads(line) for line in OPEN.read_text().splitlines()]
    documents = {line["doc_id"]: line for line in lines}
    assert [one.id for one in samples] == [str(id) for id in documents]
    assert [one.outputs[0] for one in samples] == [one["resps"][0][0] for one in documents.values()]
    assert samples[0].prompt == "What is the capital of France?"
    assert samples[0].references == ("Paris",)
    assert samples[0].metadata["topic"] == "europe"
    assert read(made(tmp_path / "a.json", json.dumps(lines))) == samples


def test_a_filter_of_lm_eval(tmp_path: Path) -> None:
    line = json.loads(OPEN.read_text().splitlines()[0])
    both = [
        line | {"filter": "strict", "filtered_resps": ["Paris"]},
        line | {"filter": "flexible", "filtered_resps": ["Rome"]},
    ]
    path = made(tmp_path / "a.jsonl", "\n".join(json.dumps(one) for one in both))
    assert len(read(path)) == 1
    (sample,) = read(path, Reading(filter="flexible"))
    assert sample.outputs == ("Rome",)
    with pytest.raises(InputError, match="did you mean 'flexible'"):
        read(path, Reading(filter="flexibel"))
    with pytest.raises(InputError, match="--map"):
        read(path, Reading({"doc": "prompt"}))


def test_of_a_multiple_choice_the_likeliest_is_the_output() -> None:
    for sample, line in zip(read(CHOICE), CHOICE.read_text().splitlines(), strict=True):
        given = json.loads(line)
        likely = [float(one[0][0]) for one in given["resps"]]
        choices = given["doc"]["choices"]
        assert sample.outputs == (choices[likely.index(max(likely))],)
        assert sample.references == (choices[given["doc"]["gold"]],)


def test_tests_of_programs_may_be_json(tmp_path: Path) -> None:
    """In a line, in a cell as its text, and in Parquet as a list of structures."""
    pairs = [{"input": "3\n", "output": "Ё"}]
    row = {"id": "1", "prompt": "?", "output": "x", "tests": pairs}
    text = json.dumps(pairs, ensure_ascii=False)
    table = tmp_path / "table.parquet"
    pq.write_table(pa.Table.from_pylist([row]), table)
    cells = f"id,prompt,output,tests\r\n1,?,x,{quoted(text)}\r\n"
    files = [made(tmp_path / "a.jsonl", json.dumps(row)), made(tmp_path / "b.csv", cells), table]
    for file in files:
        (sample,) = read(file)
        assert sample.tests == text
