"""Archives: what was written is found again to the byte, and nothing else is let in."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import orjson
import pytest

from inference.protocol import NoModels
from metrics import find
from metrics.core import archive_writer, manifest
from metrics.core import evidence as columns
from metrics.core.archive import Archive
from metrics.core.archive_writer import Concluded
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.npy import dumped, loaded
from metrics.core.packing import pack
from metrics.core.remeasure import draw, rate
from metrics.core.result import conclude
from metrics.core.settling import restrict
from metrics.core.signature import parts
from metrics.core.stored_zip import UnreadableArchive, Writer
from metrics.core.verification import Check, Options, sound, verify
from tests.metrics.lexical_texts import ENGLISH, RUSSIAN

METRICS = ("chrf", "rouge", "distinct_n", "exact_match")
PAIRS = [*ENGLISH, *RUSSIAN]
RECORDS: list[dict[str, Any]] = [
    {"id": str(at), "references": list(references), "metadata": {"half": at % 2}}
    for at, (_, references) in enumerate(PAIRS)
]
OUTPUTS = [[text] for text, _ in PAIRS]

Shown = dict[str, Any]


def concluded(position: int, name: str) -> tuple[Concluded, list[Shown]]:
    """A metric measured as a worker does, and its scores as they are stored."""
    metric = find(name).bind()
    samples = [Sample.of(one, out) for one, out in zip(RECORDS, OUTPUTS, strict=True)]
    metric = metric.resolve(samples)
    items, unit = items_of(samples)
    signature = parts(metric, NoModels())
    evidence = measure(metric, items, NoModels())
    ids = [sample.id for sample in samples]
    result = conclude(metric, evidence, unit, ids, signature, replicates=100)
    shown = [scored(position, name, "", score) for score in result.scores]
    odd = np.arange(1, len(ids), 2)
    part, unit_of = restrict(evidence, unit, odd)
    inside = conclude(metric, part, unit_of, [ids[at] for at in odd], signature, replicates=100)
    shown += [scored(position, name, "half=1", score) for score in inside.scores]
    kept = None if metric.bulky else evidence
    plan: dict[str, Any] = {
        "params": {},
        "resolved": metric.dump(),
        "signature": signature,
        "error": None,
    }
    return Concluded(position, name, **plan, result=pack(result), evidence=kept), shown


def scored(position: int, name: str, slice_: str, score: Any) -> Shown:
    low, high = score.interval or (None, None)
    fields = (
        *("name", "value", "level", "n", "missing", "interval_method", "signature"),
        "higher_is_better",
    )
    shown = {field: getattr(score, field) for field in fields}
    return shown | {"position": position, "metric": name, "slice": slice_, "low": low, "high": high}


@pytest.fixture(scope="module")
def measured() -> list[tuple[Concluded, list[Shown]]]:
    return [concluded(position, name) for position, name in enumerate(METRICS)]


@pytest.fixture(scope="module")
def whole(measured: list[tuple[Concluded, list[Shown]]]) -> bytes:
    return written(measured)


def written(
    measured: Iterable[tuple[Concluded, list[Shown]]],
    change: Callable[[list[Shown]], None] = lambda _: None,
    origin: str = "here",
    finished: object = "2026-11-24T10:00:00+00:00",
    **more: object,
) -> bytes:
    file, measured = io.BytesIO(), list(measured)
    scores = [dict(one) for _, shown in measured for one in shown]
    change(scores)
    asked: dict[str, object] = {
        "system": "tester",
        "slices": ["half"],
        "seed": 0,
        "replicates": 100,
        "level": 0.95,
    }
    asked |= more
    archive_writer.write(
        file,
        evaluation=asked,
        dataset={"name": "texts", "kind": "eval"},
        records=RECORDS,
        outputs=OUTPUTS,
        metrics=[one for one, _ in measured],
        scores=scores,
        provenance={"origin": origin, "finished_at": finished},
    )
    return file.getvalue()


def opened(data: bytes) -> Archive:
    return Archive(io.BytesIO(data))


def checks(data: bytes, **options: Any) -> list[Check]:
    return list(verify(opened(data), find, Options(**{"fraction": 0.2, **options})))


def test_every_number_is_computed_again(whole: bytes) -> None:
    found = checks(whole)
    assert sound(found)
    assert {check.status for check in found} == {"equal"}
    values = [(check.metric, check.slice) for check in found if check.what == "value"]
    assert {(name, part) for name in METRICS for part in ("", "half=1")} == set(values)
    again = [(check.metric, check.detail) for check in found if check.what == "sample"]
    assert again == [(name, "2 samples") for name in ("chrf", "rouge", "exact_match")]
    (rows,) = [check for check in found if (check.metric, check.what) == ("distinct_n", "rows")]
    assert "measured again" in rows.detail  # its evidence is not kept


def test_equal_evaluations_are_equal_bytes(
    measured: list[tuple[Concluded, list[Shown]]], whole: bytes
) -> None:
    assert written([concluded(position, name) for position, name in enumerate(METRICS)]) == whole
    elsewhere = opened(written(measured, origin="there")).manifest
    assert elsewhere.digest != opened(whole).manifest.digest
    assert elsewhere.content == opened(whole).manifest.content


def test_any_zip_program_reads_it(whole: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(whole)) as zipped:
        assert zipped.testzip() is None
        names = zipped.namelist()
        assert names[:2] == ["records.jsonl", "outputs.jsonl"]
        assert names[-1] == "manifest.json"
        lines = zipped.read("records.jsonl").splitlines()
        assert [orjson.loads(line) for line in lines] == RECORDS
        rows = np.load(io.BytesIO(zipped.read("metrics/0/rows.npy")), allow_pickle=False)
        assert len(rows) == len(RECORDS)


def test_a_change_of_any_byte_is_noticed(whole: bytes) -> None:
    generator = np.random.default_rng(0)
    places = generator.integers(0, len(whole), 300).tolist() + list(range(60))
    places += [len(whole) - 1 - at for at in range(60)]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(generator.integers(8))
        with pytest.raises(UnreadableArchive):
            opened(bytes(changed))
    for cut in (1, 100, len(whole) // 2, len(whole)):
        with pytest.raises(UnreadableArchive):
            opened(whole[:-cut])
    with pytest.raises(UnreadableArchive):
        opened(whole + b"\0")


def test_what_was_changed_is_named(whole: bytes) -> None:
    at = whole.index(OUTPUTS[0][0].encode())
    with pytest.raises(UnreadableArchive, match=r"changed since .*: outputs\.jsonl"):
        opened(whole[:at] + b"X" + whole[at + 1 :])


def test_a_forger_who_computes_the_digests_is_found_out(
    measured: list[tuple[Concluded, list[Shown]]],
) -> None:
    def better(scores: list[Shown]) -> None:
        scores[0]["value"] += 1e-9

    wrong = [check for check in checks(written(measured, better)) if check.status == "differs"]
    assert [(check.metric, check.what, check.score) for check in wrong] == [
        ("chrf", "value", "chrf")
    ]
    assert "computed" in wrong[0].detail

    def turned(scores: list[Shown]) -> None:
        scores[0]["higher_is_better"] = False

    assert not sound(checks(written(measured, turned)))
    with pytest.raises(UnreadableArchive, match="no sample has the metadata field 'nowhere'"):
        checks(written(measured, cluster="nowhere"))

    chrf, shown = measured[0]
    arrays, meta = columns.unpack(chrf.result or b"")
    rows = np.array(arrays["rows"])
    rows[3, 0] += 1
    forged = columns.pack(arrays | {"rows": rows}, meta)
    changed = Concluded(*(*vars_of(chrf)[:6], forged, chrf.evidence))
    found = checks(written([(changed, shown)]))
    assert not sound(found)
    assert {"value", "rows"} <= {check.what for check in found if check.status == "differs"}


def test_another_seed_or_no_date_is_refused_with_its_field(
    measured: list[tuple[Concluded, list[Shown]]],
) -> None:
    with pytest.raises(UnreadableArchive, match="seed is 7, and chrf was drawn with 0") as refused:
        checks(written(measured, seed=7))
    assert refused.value.field == "evaluation.seed"
    with pytest.raises(UnreadableArchive, match=r"cluster is 'half', and .* with None") as refused:
        checks(written(measured, cluster="half"))
    assert refused.value.field == "evaluation.cluster"
    for finished in ("9999-99-99", "yesterday", 20261124, ""):
        with pytest.raises(UnreadableArchive, match="finished_at is no date") as refused:
            opened(written(measured, finished=finished)).provenance()
        assert refused.value.field == "finished_at"


def test_evidence_that_is_not_of_the_outputs_is_found_out(
    measured: list[tuple[Concluded, list[Shown]]],
) -> None:
    """Rows, values and digests agree: only measuring again tells."""
    swapped = [OUTPUTS[1], OUTPUTS[0], *OUTPUTS[2:]]
    file = io.BytesIO()
    archive_writer.write(
        file,
        evaluation={"system": "s", "seed": 0, "replicates": 100, "level": 0.95},
        dataset={"name": "texts", "kind": "eval"},
        records=RECORDS,
        outputs=swapped,
        metrics=[measured[0][0]],
        scores=[one for one in measured[0][1] if not one["slice"]],
        provenance={},
    )
    found = checks(file.getvalue(), fraction=1.0)
    assert [(one.what, one.status) for one in found] == [
        ("value", "equal"),
        ("rows", "equal"),
        ("sample", "differs"),
    ]
    assert "2 of " in found[-1].detail
    assert "'0', '1'" in found[-1].detail


def vars_of(one: Concluded) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in Concluded.__slots__)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def stored(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = Writer(file)
    for name, content in members:
        writer.add(name, [content])
    writer.close()
    return file.getvalue()


HOSTILE = {
    "empty": b"",
    "text": b"no zip at all",
    "bomb": zipped({"manifest.json": b"\0" * 10_000_000}, zipfile.ZIP_DEFLATED),
    "foreign": zipped({"a.txt": b"x"}),
    "nothing within": stored(),
    "above": stored(("../../etc/passwd", b"x")),
    "absolute": stored(("/etc/passwd", b"x")),
    "twice": stored(("manifest.json", b"{}"), ("manifest.json", b"{}")),
    "no manifest": stored(("records.jsonl", b"{}\n")),
    "nan": stored(("manifest.json", b'{"format": NaN}')),
    "deep": stored(("manifest.json", b"[" * 100_000)),
    "many": stored(*((f"m{at}", b"") for at in range(20_001))),
    "count": stored(("a", b""))[:-14] + struct.pack("<2H2IH", 65535, 65535, 46, 31, 0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name: str) -> None:
    with pytest.raises(UnreadableArchive) as refused:
        opened(HOSTILE[name])
    assert len(refused.value.message) < 300


def test_a_zip_of_another_program_is_told() -> None:
    with pytest.raises(UnreadableArchive, match="packed by another program"):
        opened(HOSTILE["foreign"])


def repacked(data: bytes, name: str, content: bytes, **asked: object) -> bytes:
    """The archive with another member, or asked for otherwise, all its digests made anew."""
    found = zipfile.ZipFile(io.BytesIO(data))
    members = {one: found.read(one) for one in found.namelist()} | {name: content}
    raw = orjson.loads(members.pop("manifest.json"))
    for one in raw["members"]:
        held = members[one["name"]]
        one |= {"bytes": len(held), "sha256": hashlib.sha256(held).hexdigest()}
    raw["evaluation"] |= asked
    raw |= manifest.digests(raw)
    last = orjson.dumps(raw, option=manifest.CANONICAL)
    return stored(*members.items(), ("manifest.json", last))


def npy(header: str, content: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 3), }", b"\0" * 8),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\0" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }", b"\0" * 8),
        npy("__import__('os').system('true')", b""),
        npy(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }", struct.pack("<d", np.nan)
        ),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }", struct.pack("<d", 1.0)),
        b"\x93NUMPY",
    ],
    ids=["huge", "objects", "negative", "code", "nan", "few", "cut"],
)
def test_hostile_arrays_are_refused(whole: bytes, content: bytes) -> None:
    archive = opened(repacked(whole, "metrics/0/rows.npy", content))
    with pytest.raises(UnreadableArchive):
        archive.result(archive.manifest.metrics[0])


def test_the_same_samples_are_drawn_by_everybody() -> None:
    assert draw(1000, 0.005, 3).tolist() == draw(1000, 0.005, 3).tolist()
    assert len(draw(1000, 0.05, 0)) == 50
    assert len(draw(3, 0.01, 0)) == 1
    assert rate(0, 10, 10) == (0.0, 0.0)
    low, high = rate(1, 50, 1000) or (1.0, 0.0)
    assert low < 0.02 < high < 0.11


def test_a_judge_s_values_have_five_axes() -> None:
    values = np.arange(24.0).reshape(2, 3, 1, 2, 2)
    assert np.array_equal(loaded(dumped(values), "values.npy"), values)
