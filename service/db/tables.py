"""The tables. Migrations make them; the rooms' stores query them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from service.db.columns import JSON, JSONB, TEXTS, stamp

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


# A dataset's version: its content never changes, `digest` names it.
datasets = Table(
    "datasets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("size", Integer, nullable=False),
    stamp("created_at"),
    UniqueConstraint("name", "version"),
    UniqueConstraint("name", "kind", "digest", name="uq_datasets_content"),
)

records = Table(
    "records",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("record_id", Text, nullable=False),
    Column("content", JSONB, nullable=False),
    UniqueConstraint("dataset_id", "record_id"),
)

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("system", Text, nullable=False),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False, index=True),
    Column("model", Text),  # the model whose outputs these are, when the service generates them
    Column("models", TEXTS, nullable=False, server_default="{}"),  # all that it runs
    Column("generation", JSONB),
    Column("budget", JSONB),  # the most that generation may take: {"requests", "tokens", "cost"}
    Column("protocol", JSONB),  # resolved: inference.protocols.declaration; null: asked as it is
    Column("protocol_digest", Text),
    Column("slices", TEXTS, nullable=False, server_default="{}"),  # metadata keys
    Column("cluster", Text),  # the metadata key by which samples belong together, or `prompt`
    Column("status", Text, nullable=False, server_default="queued"),
    Column("seed", BigInteger, nullable=False),
    Column("replicates", Integer, nullable=False),
    Column("level", Float, nullable=False),
    Column("size", Integer, nullable=False),  # samples
    Column("error", JSONB),
    Column("closing", Boolean, nullable=False, server_default=text("false")),
    Column("on_end", JSONB),  # the task to defer when it has ended: {"task", "ids"}
    Column("stop_when_settled", Text),  # a gate, looked at after each shard
    Column("suite", Text),  # that its metrics were taken from
    # of the suite, what is not measured: service.suites.schemas.LeftOutMetricOut
    Column("left_out", JSONB, nullable=False, server_default="[]"),
    Column("origin", JSONB),  # where it was imported from; null: it was made here
    Column("warnings", JSONB, nullable=False, server_default="[]"),  # of its outputs, once closed
    stamp("created_at"),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("voted_at", DateTime(timezone=True)),  # when people's votes last changed its scores
    CheckConstraint(f"status IN {STATUSES}", name="status"),
    Index(  # an archive is imported once
        "ix_evaluations_archive",
        text("(origin ->> 'digest')"),
        unique=True,
        postgresql_where=text("origin ? 'service'"),
    ),
    Index(  # by which a file that is imported again is found
        "ix_evaluations_import",
        text("(origin ->> 'import_digest')"),
        postgresql_where=text("origin ? 'import_digest'"),
    ),
)

# One row: what archives call the service that they come from.
service = Table("service", metadata, Column("id", Text, primary_key=True))

outputs = Table(
    "outputs",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("texts", TEXTS, nullable=False),  # what metrics score: of a protocol, the answers
    Column("traces", JSONB),  # of a protocol, how each text came about: styles.Outcome.trace
    Column("details", JSONB),  # what each text took: outputs.Details; null: they were given
)

evaluation_metrics = Table(
    "evaluation_metrics",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("params", JSON, nullable=False),  # as asked for
    Column("resolved", JSON),  # as measured with, once planned
    Column("signature", JSON),  # its parts, once planned
    Column("error", JSONB),
    # its values were in a file without rows: there is no result, and nothing to measure
    Column("reported", Boolean, nullable=False, server_default=text("false")),
    Column("result", LargeBinary),  # rows, per-sample values, replicates: see metrics.core.packing
)

# One score of one metric, over the whole set (slice '') or a part of it ('lang=ru').
scores = Table(
    "scores",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("slice", Text, primary_key=True, server_default=""),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
    Column("level", Float, nullable=False),
    Column("n", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("higher_is_better", Boolean, nullable=False),
    Column("interval_method", Text, nullable=False),
    Column("signature", Text),
    Column("warnings", JSONB, nullable=False, server_default="[]"),
    Column("error", JSONB),
    Column("clusters", Integer),  # that the interval is over
    Column("design_effect", Float),
    Column("variance", JSONB),  # {"questions", "draws"}: see metrics.core.result.Variance
    Column("rated", Integer),  # samples with people's ratings, of a score that goes by them
    Index("ix_scores_name", "name", "slice"),
)

shards = Table(
    "shards",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("start", Integer, nullable=False),
    Column("stop", Integer, nullable=False),
    Column("finished", Boolean, nullable=False, server_default=text("false")),
    Column("done", Integer, nullable=False, server_default="0"),  # measurements so far
    Column("position", Integer),  # the metric at work, so that a crash blames the right one
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("machine", JSONB),  # device, code and libraries that it was measured with
)

# A shard's evidence for one metric, or why there is none.
measurements = Table(
    "measurements",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("evidence", LargeBinary),
    Column("error", JSONB),
)

# Disposable: any row may go at any time, and is measured again when needed.
evidence_cache = Table(
    "evidence_cache",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    stamp("used_at"),
    Index("ix_evidence_cache_used_at", "used_at"),
)

# Numbered per parent under the parent row's lock, so no reader sees them out of order.
events = Table(
    "events",
    metadata,
    Column("parent", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    stamp("created_at"),
)

# What a client waits for: asked by the API, answered by a worker, deleted with the answer.
worker_requests = Table(
    "worker_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("group", LargeBinary),  # requests of one group may be answered together
    Column("request", JSONB, nullable=False),
    Column("response", JSONB),
    stamp("created_at"),
    Index("ix_worker_requests_pending", "group", postgresql_where=text("response IS NULL")),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # digest of the request's body
    Column("status", Integer),
    Column("response", JSONB),
    stamp("created_at"),
)

# What workers did, summed up for Prometheus: the API exports it.
counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("value", Float, nullable=False),
)

TRAINING_STATUSES = ("queued", "running", "paused", "succeeded", "failed", "cancelled")

training_jobs = Table(
    "training_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("metadata", JSONB, nullable=False, server_default="{}"),
    Column("method", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("models", TEXTS, nullable=False, server_default="{}"),  # all that it loads
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    Column("options", JSON, nullable=False),
    Column("evaluation", JSON),  # how the starting model and every checkpoint are scored
    Column("validation", JSON),  # the held-out set whose loss is measured
    Column("resources", JSON, nullable=False),
    Column("status", Text, nullable=False, server_default="queued"),
    Column("control", Text),  # "cancel" or "pause", until the training process has obeyed
    Column(
        "attempt", Integer, nullable=False, server_default="0"
    ),  # fences what earlier ones write
    Column("step", Integer, nullable=False, server_default="0"),
    Column("total_steps", Integer),
    Column("report", JSONB, nullable=False, server_default="{}"),  # lengths, memory, versions
    Column("start_evaluation", ForeignKey("evaluations.id")),  # of the model before training
    Column("start_failure_told", Boolean, nullable=False, server_default=text("false")),
    Column("best", Text),  # a checkpoint's id
    Column("error", JSONB),
    stamp("created_at"),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint(f"status IN {TRAINING_STATUSES}", name="status"),
)

# A complete checkpoint. Its folder is written by one attempt and never changes.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job_id", ForeignKey("training_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("folder", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=text("false")),
    Column("evaluation_id", ForeignKey("evaluations.id")),
    Column("failure_told", Text),  # the evaluation whose failure is among the job's events
    Column("reward_hacking", Boolean, nullable=False, server_default=text("false")),  # was found
    Column("merge_error", Text),  # of the last attempt to merge it into its base model
    stamp("created_at"),
    UniqueConstraint("job_id", "step"),
)

# What was logged at a step; a step that is trained again after a crash is written again.
training_series = Table(
    "training_series",
    metadata,
    Column("job_id", ForeignKey("training_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("values", JSONB, nullable=False),
)

# Devices that workers offered, so that a job no device could hold is refused when it is asked for.
devices = Table(
    "devices",
    metadata,
    Column("name", Text, primary_key=True),  # host and device
    Column("memory_bytes", BigInteger, nullable=False),
    Column("scoring_bytes", BigInteger, nullable=False, server_default="0"),  # not for training
    stamp("seen_at"),
)

# GPUs that training jobs hold, until `seen_at` is too long ago (service.devices.leases).
device_leases = Table(
    "device_leases",
    metadata,
    Column("key", Text, primary_key=True),  # of the device itself, the same in all containers
    Column("device", Text, nullable=False),  # its name with its host
    Column("job_id", ForeignKey("training_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("holder", Text, nullable=False),  # the one run of the job that may renew it
    stamp("seen_at"),
)
