"""Settings: environment variables `ASSAY_…`, read here and nowhere else.

Lists of folders are separated by commas or, as in PATH, by colons; a list in JSON will do, too.
"""

from __future__ import annotations

import ipaddress
import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 1024**2
GIB = 1024**3

Paths = Annotated[tuple[Path, ...], NoDecode]
Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """What can be set from outside; every field is `ASSAY_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", frozen=True, extra="ignore")

    data_dir: Path = Field(
        default=Path(".assay"), description="results, models, the embedded database"
    )
    database_url: SecretStr = Field(
        default=SecretStr(""), description="postgresql://…; empty: a private server below data_dir"
    )
    host: str = Field(default="127.0.0.1", description="address that the API listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="0 picks a free one")
    trusted_hosts: Names = Field(
        default=(),
        description="names under which the service is reached, separated by commas: "
        "`assay.example.org`, `*.example.org`, `*` for any. Always trusted: addresses, names "
        "without a dot, names below `localhost` and `internal`, and ASSAY_HOST",
    )
    workers: str = Field(
        default="auto",
        description="devices, one worker each: `auto`, or `cpu`, `cuda:0,cuda:1`, `cpu,cpu`",
    )
    worker_queues: str = Field(
        default="now,score,train",
        description="queues a worker takes jobs from, each with a compute process of its own: "
        "`now` for POST /v1/score, `score` for evaluations, `train` for training jobs; `ask`, what "
        "waits for models behind URLs, goes with `score` or alone",
    )

    model_roots: Paths = Field(
        default=(), description="folders under which models may be named by path"
    )
    metric_roots: Paths = Field(
        default=(), description="folders under which `evaluate/<path>` is looked up"
    )
    hub_allowed: bool = Field(default=False, description="may models be downloaded from a hub")

    private_urls: bool | Literal["auto"] = Field(
        default="auto",
        description="may models be registered at private and loopback addresses; `auto`: where "
        "the API itself listens on loopback",
    )

    max_body_bytes: int = Field(
        default=32 * MIB,
        gt=0,
        description="bytes of a request's body; a larger one gets 413. Reading one takes up to 40 "
        "times its size in memory, and as a rule 10 times",
    )
    max_upload_bytes: int = Field(
        default=4 * GIB, gt=0, description="bytes of an uploaded file; a larger one gets 413"
    )
    min_free_bytes: int = Field(
        default=256 * MIB,
        ge=0,
        description="bytes to keep free in data_dir, and on the disk of the embedded database: "
        "with less, POSTs that create get 503 and /readyz says why; 0 turns this off",
    )
    max_upload_rows: int = Field(
        default=2_000_000, gt=0, description="rows of an uploaded file; a larger one gets 413"
    )
    max_upload_decoded_bytes: int = Field(
        default=4 * GIB,
        gt=0,
        description="bytes of an uploaded file's rows as JSON, however small it is compressed; a "
        "larger one gets 413",
    )
    max_connections: int = Field(
        default=512, gt=0, description="open connections to an API process; more get 503 and an end"
    )
    request_seconds: float = Field(
        default=30.0,
        gt=0,
        description="seconds that a client has to send a request's head, and to go on with its "
        "body or with reading the answer once it has stopped",
    )
    max_streams: int = Field(
        default=128, ge=0, description="event streams of an API process; more get 503"
    )
    stream_seconds: float = Field(
        default=3600.0,
        gt=0,
        description="seconds that an event stream lasts; its last event, `resume`, says that it "
        "goes on by `Last-Event-ID`",
    )
    shard_size: int = Field(default=2048, gt=0, description="samples in a shard")
    replicates: int = Field(default=1000, ge=100, description="bootstrap replicates of an interval")
    level: float = Field(default=0.95, gt=0, lt=1, description="nominal coverage of an interval")
    model_memory_bytes: int = Field(
        default=8 * GIB,
        gt=0,
        description="bytes of models that a scoring process keeps warm; the queues `now` and "
        "`score` have a process each",
    )
    engine: Literal["transformers", "vllm"] = Field(
        default="transformers",
        description="what generates for /openai/v1 and for evaluations: `vllm` where that package "
        "is installed, which takes the device's memory for itself",
    )
    device_sharing: Literal["auto", "together", "budget", "turns"] = Field(
        default="auto",
        description="scoring and training on one device: `together`; `budget`: training is "
        "admitted to what scoring's models may not take; `turns`: one waits for the other; "
        "`auto`: on a GPU `budget`, or `turns` where that is over half of it; on a CPU `together`",
    )
    device_turn_seconds: float = Field(
        default=60.0,
        gt=0,
        description="seconds that scoring or training keeps a device, by turns, while the other "
        "waits",
    )
    stop_seconds: float = Field(
        default=60.0,
        ge=0,
        description="grace period of training on SIGTERM, in seconds: to end its step and save",
    )
    stall_seconds: float = Field(
        default=1800.0,
        ge=0,
        description="seconds without progress (a batch measured, a step trained), after which a "
        "compute process is killed and the metric at work has failed; 0: never",
    )
    sandbox_timeout_s: int = Field(
        default=300, ge=1, description="most `timeout_s` that a request may ask of generated code"
    )
    sandbox_memory_mb: int = Field(
        default=16384, ge=64, description="most `memory_mb` that a request may ask of it"
    )
    sandbox_processes: int = Field(
        default=256, ge=1, description="most `processes` that a request may ask of it"
    )
    sandbox_disk_mb: int = Field(
        default=1024, ge=1, description="most `disk_mb` that a request may ask of it"
    )
    tracking: Names = Field(
        default=("tensorboard",),
        description="where curves of training jobs go as well: `tensorboard` (files in the job's "
        "folder), `mlflow`, `wandb`, separated by commas; what is not installed is left out",
    )
    evidence_cache_bytes: int = Field(
        default=4 * GIB, ge=0, description="bytes of the evidence cache on disk; 0 keeps nothing"
    )
    replies_bytes: int = Field(
        default=4 * GIB,
        ge=0,
        description="bytes of the replies of models behind URLs that are kept to be used again",
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, one JSON object a line elsewhere"
    )

    @field_validator("tracking")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = set(value) - {"tensorboard", "mlflow", "wandb"}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        return value

    @field_validator("trusted_hosts", "tracking", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("model_roots", "metric_roots", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str) and value.lstrip().startswith("["):  # as JSON has a list
            return json.loads(value)
        if isinstance(value, str):
            return tuple(part for part in value.replace(",", ":").split(":") if part.strip())
        return value

    @field_validator("data_dir", "model_roots", "metric_roots")
    @classmethod
    def _absolute(cls, value: Path | tuple[Path, ...]) -> Path | tuple[Path, ...]:
        if isinstance(value, Path):
            return value.expanduser().absolute()
        return tuple(path.expanduser().absolute() for path in value)

    @field_validator("database_url")
    @classmethod
    def _plain(cls, value: SecretStr) -> SecretStr:
        """Any spelling of a PostgreSQL URL becomes libpq's `postgresql://`."""
        scheme, separator, rest = value.get_secret_value().strip().partition("://")
        if not separator and not scheme:
            return SecretStr("")
        if scheme.partition("+")[0] not in {"postgres", "postgresql"} or not rest:
            raise ValueError("must be a postgresql:// URL; PostgreSQL is the only database")
        return SecretStr(f"postgresql://{rest}")

    @property
    def url(self) -> str:
        """The database as a libpq URL, for psycopg and Procrastinate; empty when embedded."""
        return self.database_url.get_secret_value()

    @property
    def queues(self) -> list[str]:
        """The queues that a worker takes tasks from. Whoever scores asks, too: tasks of an
        evaluation go from one queue to the other."""
        names = [name.strip() for name in self.worker_queues.split(",") if name.strip()]
        return [*names, "ask"] if "score" in names and "ask" not in names else names

    @property
    def ceilings(self) -> dict[str, int]:
        """The most that requests may ask for, by setting (`metrics.core.metric.up_to`)."""
        return {
            name: value for name, value in self.model_dump().items() if name.startswith("sandbox_")
        }

    def environment(self) -> dict[str, str]:
        """These settings as the environment of a child process."""
        values = self.model_dump() | {"database_url": self.url}
        return {
            f"ASSAY_{name.upper()}": ",".join(map(str, value))
            if isinstance(value, tuple)
            else str(value)
            for name, value in values.items()
        }

    @property
    def only_here(self) -> bool:
        """Whether the API can be reached from this machine alone."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def private_urls_allowed(self) -> bool:
        """May models be registered at private and loopback addresses."""
        return self.only_here if self.private_urls == "auto" else self.private_urls

    @property
    def embedded(self) -> bool:
        """Whether `assay serve` brings a private PostgreSQL."""
        return not self.url


@lru_cache
def get_settings() -> Settings:
    """The process's settings; what can take a `Settings` should be given one instead."""
    return Settings()
