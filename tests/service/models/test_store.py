"""Where a model lies: one answer for requests, workers and estimates of memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert, update

from inference.errors import UnknownModel
from inference.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS, ORIGIN
from service.db.tables import checkpoints, datasets, training_jobs
from service.errors import ApiError
from service.models import store as models
from service.settings import Settings
from tests.conftest import SMOLLM2

CHECKPOINT = "ckpt_1"


@pytest.fixture
def settings(models_root: Path, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, model_roots=(models_root,))


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A folder with an adapter of the tiny language model."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / ADAPTER_CONFIG).write_text("{}")
    (folder / ADAPTER_WEIGHTS).write_bytes(b"")
    (folder / ORIGIN).write_text(json.dumps({"base": "tiny-language"}))
    return folder


def add_checkpoint(db: Connection, folder: Path) -> None:
    db.execute(
        insert(datasets).values(id="ds_1", name="d", version=1, kind="sft", digest="", size=0)
    )
    job = {"id": "job_1", "method": "sft", "model": "tiny-language", "dataset_id": "ds_1"}
    db.execute(insert(training_jobs).values(**job, options={}, resources={}))
    row = {"id": CHECKPOINT, "job_id": "job_1", "step": 1, "attempt": 1, "digest": ""}
    db.execute(insert(checkpoints).values(**row, folder=str(folder)))


def test_a_checkpoint_lies_where_its_row_says(
    engine: Engine, settings: Settings, adapter: Path, tiny_language_model: Path
) -> None:
    with engine.begin() as db:
        assert models.checkpoint_folder(db, settings, CHECKPOINT) is None
        add_checkpoint(db, adapter)
        location = models.locate(db, settings, CHECKPOINT)
        assert location.folder == models.checkpoint_folder(db, settings, CHECKPOINT) == adapter
        assert location.base is not None
        assert location.base.folder == tiny_language_model
        assert models.weights(db, settings, CHECKPOINT) == tiny_language_model
        db.execute(update(checkpoints).values(deleted=True))
        assert models.checkpoint_folder(db, settings, CHECKPOINT) is None
        with pytest.raises(UnknownModel, match="no complete checkpoint"):
            models.locate(db, settings, CHECKPOINT)


def test_a_checkpoint_of_another_machine_may_be_asked_for(
    engine: Engine, settings: Settings
) -> None:
    with engine.begin() as db:
        add_checkpoint(db, Path("/elsewhere"))
        models.require(db, settings, CHECKPOINT, "model")


def test_an_unknown_model_is_a_422_of_the_field(engine: Engine, settings: Settings) -> None:
    with engine.begin() as db:
        for name in ("builtin/nothing", CHECKPOINT, "no/such-model", "../elsewhere"):
            with pytest.raises(ApiError) as refused:
                models.require(db, settings, name, "metrics[0].params.model")
            error = refused.value
            assert (error.status, error.code) == (422, "unknown_model")
            assert error.param == "metrics[0].params.model"


def test_a_model_to_be_converted_has_no_weights_yet(engine: Engine, settings: Settings) -> None:
    with engine.begin() as db:
        location = models.locate(db, settings, SMOLLM2)
        assert location.gguf is not None
        assert models.weights(db, settings, SMOLLM2) is None
        folder = settings.data_dir / "models" / f"{location.gguf.stem.lower()}-0123"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        assert models.weights(db, settings, SMOLLM2) == folder


def test_models_at_hand_can_be_loaded(
    engine: Engine, settings: Settings, models_root: Path, tiny_language_model: Path
) -> None:
    broken = models_root / "broken"  # no weights
    broken.mkdir(exist_ok=True)
    (broken / "config.json").write_text("{}")
    with engine.begin() as db:
        add_checkpoint(db, models_root)
        at_hand = models.at_hand(db, settings)
    assert (CHECKPOINT, "checkpoint") in at_hand
    assert ("tiny-language", "root") in at_hand
    assert (SMOLLM2, "builtin") in at_hand
    assert "broken" not in dict(at_hand)
