"""Archives over HTTP: taken away, checked, loaded again; and a part measured once more."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from assay import AssayError, Client
from metrics import find
from metrics.core import evidence as columns
from metrics.core.archive import Archive
from metrics.core.evidence import Evidence
from metrics.core.verification import Options, sound, verify
from service.cli import app
from service.db.engine import connect
from tests.known import known
from tests.metrics.core.test_archive import repacked
from tests.service.archives.elsewhere import from_elsewhere
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.texts import samples

METRICS = ["chrf", "rouge", "distinct_n", "exact_match"]


@pytest.fixture(scope="module")
def done(assay: Client) -> Any:
    given = samples(40)
    return scored(
        assay, system="s", dataset="archived", samples=given, metrics=METRICS, slices=["lang"]
    )


@pytest.fixture(scope="module")
def file(assay: Client, done: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archives") / "eval.zip"
    assert assay.archive(done.id, path) == path
    return path


def test_an_archive_is_the_evaluation_and_can_be_checked(
    assay: Client, done: Any, file: Path, tmp_path: Path
) -> None:
    again = assay.archive(done.id, tmp_path / "again.zip")
    assert again.read_bytes() == file.read_bytes()
    archive = Archive(io.BytesIO(file.read_bytes()))
    assert [sample.id for sample in archive.samples()] == [one["id"] for one in samples(40)]
    stored = {(one["name"], one["slice"]): one["value"] for one in archive.scores()}
    shown = [*done.scores, *done.slices]
    assert stored == {(one.name, one.slice or ""): one.value for one in shown}
    found = list(verify(archive, find, Options(fraction=0.2)))
    assert sound(found)
    assert {check.status for check in found} == {"equal"}
    assert {check.slice for check in found if check.what == "value"} == {"", "lang=ru", "lang=en"}


def test_an_archive_is_loaded_once_and_shows_where_it_comes_from(
    assay: Client, done: Any, file: Path, tmp_path: Path
) -> None:
    file = from_elsewhere(file, tmp_path)
    loaded = assay.import_archive(file)
    assert loaded.id != done.id
    assert loaded.status == "succeeded"
    origin = known(loaded.origin)
    assert origin["evaluation"] == done.id
    assert origin["service"] == "svc_elsewhere"
    assert len(origin["digest"]) == 64
    assert origin["when"]
    assert done.origin is None
    numbers = [(one.name, one.slice, one.value, one.interval) for one in loaded.scores]
    assert numbers == [(one.name, one.slice, one.value, one.interval) for one in done.scores]
    assert len(loaded.slices) == len(done.slices)
    assert loaded.dataset_id == done.dataset_id
    assert loaded.provenance == assay.evaluation(done.id).provenance
    assert assay.import_archive(file).id == loaded.id
    results = assay.compare(done.id, loaded.id, ["chrf", "rouge1"])
    assert [one.difference for one in results] == [0, 0]
    assert assay.samples(loaded.id, "chrf", limit=3) == assay.samples(done.id, "chrf", limit=3)
    assert assay.import_archive(file, dataset="archived").id == loaded.id
    with pytest.raises(
        AssayError, match=r"on the dataset 'archived'.*leave `dataset` out"
    ) as other:
        assay.import_archive(file, dataset="elsewhere")
    assert (other.value.status, other.value.code) == (409, "archive_on_other_dataset")
    assert other.value.param == "dataset"
    again = assay.retry(loaded.id)
    assert again.status == "succeeded"  # nothing of it has failed


def test_an_archive_of_this_service_is_the_evaluation_that_it_was_written_of(
    assay: Client, live: Live, tmp_path: Path
) -> None:
    done = scored(assay, system="own", dataset="own", samples=samples(24), metrics=["chrf"])
    file = assay.archive(done.id, tmp_path / "own.zip")
    assert assay.import_archive(file).id == done.id
    assert [row.evaluation for row in assay.leaderboard("own", "chrf").rows] == [done.id]
    with pytest.raises(AssayError, match="on the dataset 'own'"):
        assay.import_archive(file, dataset="elsewhere")
    engine = connect(live.env["ASSAY_DATABASE_URL"])
    try:
        forge(engine, done.id, 5)
    finally:
        engine.dispose()
    with pytest.raises(AssayError, match=f"is of {done.id}.*other content") as other:
        assay.import_archive(file)
    assert (other.value.status, other.value.code) == (409, "archive_of_this_service")


def test_a_model_is_asked_again_within_its_rounding(
    assay: Client, tiny_reward_model: Path, tmp_path: Path
) -> None:
    given = [
        one | {"output": one["output"] + " so" * (at % 5)} for at, one in enumerate(samples(24))
    ]
    asked = [{"name": "reward", "params": {"model": str(tiny_reward_model)}}]
    done = scored(assay, dataset="rewarded", samples=given, metrics=asked)
    found = assay.audit(done.id, fraction=0.3)
    (reward,) = found.metrics
    assert (reward.checked, reward.mismatches, reward.skipped) == (8, 0, None)
    assert 0 < reward.tolerance < 0.01
    path = assay.archive(done.id, tmp_path / "reward.zip")
    checks = list(verify(Archive(io.BytesIO(path.read_bytes())), find, Options()))
    assert [(check.what, check.status) for check in checks] == [
        *(("value", "equal"), ("rows", "equal"), ("sample", "unchecked"))
    ]
    assert sound(checks)


def test_clusters_travel(assay: Client, tmp_path: Path) -> None:
    asked = {"metrics": ["chrf", "distinct_n"], "cluster": "lang"}
    clustered = scored(assay, system="c", dataset="grouped", samples=samples(24), **asked)
    path = assay.archive(clustered.id, tmp_path / "clusters.zip")
    found = list(verify(Archive(io.BytesIO(path.read_bytes())), find, Options()))
    assert {check.status for check in found} == {"equal"}
    loaded = assay.import_archive(from_elsewhere(path, tmp_path))
    assert loaded.cluster == "lang"
    numbers = [(one.name, one.interval, one.clusters, one.design_effect) for one in loaded.scores]
    assert numbers == [
        (one.name, one.interval, one.clusters, one.design_effect) for one in clustered.scores
    ]
    assert numbers[0][2] == 2
    names = [one.name for one in clustered.scores if one.metric == "distinct_n"]
    assert known(loaded.origin)["unchecked"] == names  # what takes evidence that is not kept


def test_what_was_changed_or_is_no_archive_is_refused(
    assay: Client, file: Path, tmp_path: Path
) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    changed = tmp_path / "changed.zip"
    changed.write_bytes(data)
    with pytest.raises(AssayError) as refused:
        assay.import_archive(changed)
    assert refused.value.status == 422
    assert refused.value.code == "unreadable_archive"
    changed.write_bytes(b"PK" + b"\0" * 1000)
    with pytest.raises(AssayError, match="does not end as an archive does"):
        assay.import_archive(changed)
    with pytest.raises(AssayError) as missing:
        assay.archive("eval_none", tmp_path / "none.zip")
    assert missing.value.status == 404
    assert not (tmp_path / "none.zip").exists()


def test_a_forged_seed_or_date_is_refused_by_name(
    assay: Client, file: Path, tmp_path: Path
) -> None:
    whole, forged = file.read_bytes(), tmp_path / "forged.zip"
    told = orjson.loads(zipfile.ZipFile(file).read("provenance.json"))
    dated = orjson.dumps(told | {"finished_at": "9999-99-99"})
    for data, field in (
        (repacked(whole, "provenance.json", orjson.dumps(told), seed=7), "evaluation.seed"),
        (repacked(whole, "provenance.json", dated), "finished_at"),
    ):
        forged.write_bytes(data)
        with pytest.raises(AssayError, match=field) as refused:
            assay.import_archive(forged)
        assert (refused.value.status, refused.value.param) == (422, field)
        shown = CliRunner().invoke(app, ["verify", str(forged)])
        assert (shown.exit_code, field in shown.output) == (1, True)


def test_provenance_says_what_it_was_measured_with(assay: Client, done: Any) -> None:
    found = assay.evaluation(done.id).provenance
    assert found["dataset"]["digest"] == assay.dataset(done.dataset_id).digest
    assert [one["name"] for one in found["metrics"]] == METRICS
    assert found["metrics"][0]["signature"].startswith("chrf|version:")
    assert found["seed"] == 0
    assert found["batch_plan"] == {"shards": 1, "shard_size": 40}
    (machine,) = found["machines"]
    assert machine["device"] == "cpu"
    assert machine["libraries"]["numpy"]
    assert len(machine["code"]["digest"]) == 16


def test_an_audit_measures_again_and_tells_what_differs(
    assay: Client, live: Live, done: Any
) -> None:
    clean = assay.audit(done.id, fraction=0.5, seed=1)
    assert (clean.samples, clean.of, clean.mismatches, clean.rate) == (20, 40, 0, 0.0)
    low, high = known(clean.interval)
    assert low == 0.0 < high < 0.2
    assert [(one.metric, one.checked, one.skipped) for one in clean.metrics] == [
        (name, 20, None) for name in METRICS
    ]

    forged = scored(assay, dataset="audited", samples=samples(24), metrics=["chrf"])
    engine = connect(live.env["ASSAY_DATABASE_URL"])
    try:
        forge(engine, forged.id, 5)
    finally:
        engine.dispose()
    found = assay.audit(forged.id, fraction=1.0)
    assert (found.samples, found.mismatches, found.rate) == (24, 1, 1 / 24)
    assert found.interval == (1 / 24, 1 / 24)  # all were looked at
    (mismatch,) = found.mismatched
    assert (mismatch.metric, mismatch.sample) == ("chrf", "s5")
    assert mismatch.stored["chrf"] != mismatch.measured["chrf"]
    with pytest.raises(AssayError) as wrong:
        assay.audit(done.id, fraction=0.0)
    assert wrong.value.param == "fraction"


def forge(engine: Engine, evaluation: str, index: int) -> None:
    """One item of the stored evidence is not what was measured."""
    read = text("SELECT evidence FROM measurements WHERE evaluation_id = :id")
    write = text("UPDATE measurements SET evidence = :data WHERE evaluation_id = :id")
    with engine.begin() as db:
        data = db.scalar(read, {"id": evaluation})
        arrays, meta = columns.unpack(bytes(data))
        values = arrays["v:row"].copy()
        values[index] += 1
        forged = columns.pack(arrays | {"v:row": values}, meta)
        assert len(Evidence.decode(forged)) == 24
        db.execute(write, {"id": evaluation, "data": forged})
