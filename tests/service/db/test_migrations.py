"""What earlier versions stored is kept by later schemas."""

from __future__ import annotations

import json

from alembic import command
from sqlalchemy import Engine, text

from service.annotation import exports_store
from service.db.engine import is_current
from service.db.migrations import configuration
from service.training import checkpoints_store as checkpoints
from service.training import store as training

ROWS = [
    "INSERT INTO datasets (id, name, version, kind, digest, size)"
    " VALUES ('ds', 'd', 1, 'eval', '', 1)",
    "INSERT INTO evaluations (id, system, dataset_id, model, seed, replicates, level, size, status)"
    " VALUES ('eval_1', 's', 'ds', 'ckpt_1', 0, 100, 0.95, 1, 'queued'),"
    " ('eval_2', 's', 'ds', NULL, 0, 100, 0.95, 1, 'failed')",
    "INSERT INTO evaluation_metrics (evaluation_id, position, name, params)"
    """ VALUES ('eval_1', 0, 'reward', '{"model": "ckpt_2"}'), ('eval_1', 1, 'chrf', '{}')""",
    "INSERT INTO training_jobs (id, method, model, dataset_id, options, resources, evaluation,"
    " start_evaluation) VALUES ('job', 'grpo', 'ckpt_3', 'ds', :options, '{}', :evaluation,"
    " 'eval_2')",
    "INSERT INTO checkpoints (id, job_id, step, attempt, folder, digest, evaluation_id)"
    " VALUES ('ckpt_1', 'job', 1, 1, '', '', 'eval_1'), ('ckpt_12', 'job', 2, 1, '', '', 'eval_2')",
    "INSERT INTO events (parent, sequence, type, data)"
    """ VALUES ('job', 1, 'divergence', '{"checkpoint": "ckpt_12"}'),"""
    """ ('job', 2, 'evaluation_failed', '{"checkpoint": "ckpt_12", "evaluation": "eval_2"}')""",
]
PARAMETERS = {
    "options": json.dumps({"rewards": [{"metric": "reward", "params": {"model": "ckpt_4"}}]}),
    "evaluation": json.dumps(
        {"metrics": [{"name": "chrf", "params": {}}], "pause_on_divergence": True}
    ),
}


def test_references_and_what_was_told_become_columns(engine: Engine, fresh_url: str) -> None:
    config = configuration(fresh_url)
    command.downgrade(config, "0007")
    with engine.begin() as db:
        for row in ROWS:
            db.execute(text(row), PARAMETERS if ":options" in row else {})
    command.upgrade(config, "head")
    with engine.connect() as db:
        job, known = training.get(db, "job"), checkpoints.of_job(db, "job")
        names = ["ckpt_1", "ckpt_12", "ckpt_2", "ckpt_3", "ckpt_4", "ckpt_5"]
        needed = checkpoints.needed(db, names)
    assert job is not None
    assert sorted(job.models) == ["ckpt_3", "ckpt_4"]
    assert job.start_failure_told
    assert job.evaluation == {
        **{"metrics": [{"name": "chrf", "params": {}}], "pause_on_reward_hacking": True}
    }
    assert needed == {"ckpt_1", "ckpt_2", "ckpt_3", "ckpt_4"}  # "ckpt_12" is not named
    assert [(one.reward_hacking, one.failure_told) for one in known] == [
        *((False, None), (True, "eval_2"))
    ]
    command.downgrade(config, "0007")
    with engine.connect() as db:
        stored = db.scalar(text("SELECT evaluation FROM training_jobs"))
    assert stored["pause_on_divergence"] is True


def test_checkpoints_are_found_below_whatever_the_data_folder_is_called(
    engine: Engine, fresh_url: str
) -> None:
    config = configuration(fresh_url)
    command.downgrade(config, "0008")
    with engine.begin() as db:
        for row in ROWS:
            db.execute(text(row), PARAMETERS if ":options" in row else {})
        placed = "UPDATE checkpoints SET folder = :folder || '/checkpoint-1' WHERE id = 'ckpt_1'"
        db.execute(text(placed), {"folder": "/data/training/of us/training/job/attempt-1"})
    command.upgrade(config, "head")
    with engine.connect() as db:
        folders = [one.folder for one in checkpoints.of_job(db, "job")]
    assert folders == ["training/job/attempt-1/checkpoint-1", ""]


EXPORTED = [
    "INSERT INTO annotation_projects (id, name, form, definition, systems, left_out, seed, salt,"
    " overlap, per_annotator, lease_minutes, completion_code)"
    " VALUES ('annproj', 'p', 'pairwise', '{}', '[]', '{}', 0, '', 1, 1, 1, '')",
    "INSERT INTO datasets (id, name, version, kind, digest, size)"
    " VALUES ('ds_1', 'a', 1, 'preference', '1', 3), ('ds_2', 'b', 1, 'sft', '2', 1)",
    "INSERT INTO records (dataset_id, index, record_id, content) VALUES"
    """ ('ds_1', 0, '1', '{"metadata": {"project": "annproj", "annotators": ["x", "y"]}}'),"""
    """ ('ds_1', 1, '2', '{"metadata": {"project": "annproj", "annotators": ["y", null]}}'),"""
    """ ('ds_1', 2, '3', '{"metadata": {"project": "annproj", "annotators": "z"}}'),"""
    """ ('ds_2', 0, '1', '{"metadata": {"project": "other", "annotators": ["x"]}}')""",
]


def test_whose_votes_were_exported_is_found_in_the_records(engine: Engine, fresh_url: str) -> None:
    config = configuration(fresh_url)
    command.downgrade(config, "0030")
    with engine.begin() as db:
        for row in EXPORTED:
            db.execute(text(row.replace(":", r"\:")))
    command.upgrade(config, "head")
    with engine.connect() as db:
        found = exports_store.holding(db, "annproj", ["x", "y", "z"])
    assert [(one.annotator, one.id) for one in found] == [("x", "ds_1"), ("y", "ds_1")]


def test_a_schema_is_current_at_the_newest_revision_alone(engine: Engine, fresh_url: str) -> None:
    with engine.connect() as db:
        assert is_current(db)
        db.execute(text("SET search_path TO pg_temp"))  # where nothing was ever migrated
        assert not is_current(db)
    command.downgrade(configuration(fresh_url), "-1")
    with engine.connect() as db:
        assert not is_current(db)
