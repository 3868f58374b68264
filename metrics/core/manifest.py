"""`manifest.json` of an archive: what was asked for, which members there are, and their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metrics.core.stored_zip import UnreadableArchive

FORMAT, VERSION = "assay-archive", 1
MANIFEST, RECORDS, OUTPUTS = "manifest.json", "records.jsonl", "outputs.jsonl"
DETAILS = "details.jsonl"  # only where outputs were generated
SCORES, PROVENANCE = "scores.json", "provenance.json"

MOST_METRICS = 50
CANONICAL = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE  # a signature has an order of keys


class _Base(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # a later version may say more


class Asked(_Base):
    """The evaluation, as it was asked for."""

    system: str = Field(min_length=1, max_length=200)
    model: str | None = Field(default=None, max_length=200)
    generation: dict[str, Any] | None = None
    slices: list[str] = Field(default_factory=list, max_length=10)
    seed: int = Field(ge=0, lt=2**31)
    replicates: int = Field(ge=1, le=10_000)
    level: float = Field(gt=0, lt=1)
    cluster: str | None = None
    protocol: dict[str, Any] | None = None
    protocol_digest: str | None = Field(default=None, pattern="^[0-9a-f]{12}$")


class DatasetFacts(_Base):
    """The dataset that `records.jsonl` is; its digest is of that file."""

    name: str = Field(min_length=1, max_length=200)
    kind: str
    digest: str
    size: int = Field(ge=1)


class ResultFacts(_Base):
    """What of a result is not arrays, and which arrays there are."""

    meta: dict[str, Any]
    arrays: list[str] = Field(max_length=20)


class EvidenceFacts(_Base):
    """How many outputs the evidence is of, and its columns: true for the ragged ones."""

    count: int = Field(ge=0)
    columns: dict[str, bool] = Field(max_length=100)


class MetricFacts(_Base):
    """A metric of the evaluation, with its parameters as asked for and as measured with."""

    position: int = Field(ge=0, lt=MOST_METRICS)
    name: str
    params: dict[str, Any]
    resolved: dict[str, Any] | None = None
    signature: dict[str, str] | None = None
    error: dict[str, Any] | None = None
    result: ResultFacts | None = None
    evidence: EvidenceFacts | None = None


class MemberFacts(_Base):
    """A member's size and SHA-256."""

    name: str
    bytes: int
    sha256: str


class Manifest(_Base):
    """`manifest.json`."""

    format: str
    version: int
    evaluation: Asked
    dataset: DatasetFacts
    metrics: list[MetricFacts] = Field(max_length=MOST_METRICS)
    members: list[MemberFacts]
    content: str
    digest: str


def read(data: bytes) -> Manifest:
    """The manifest, to the byte the one that was written. Raises UnreadableArchive."""
    raw = parsed(data, MANIFEST)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise UnreadableArchive(f"{MANIFEST} is not that of an evaluation", MANIFEST)
    if raw.get("version") != VERSION:
        message = f"the archive is of version {raw.get('version')!r}; this reads {VERSION}"
        raise UnreadableArchive(message, MANIFEST)
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UnreadableArchive(f"{MANIFEST}: {place}: {first['msg']}", MANIFEST) from None
    if [one.position for one in manifest.metrics] != list(range(len(manifest.metrics))):
        raise UnreadableArchive(f"{MANIFEST}: the metrics are not numbered from 0", MANIFEST)
    told = {"content": manifest.content, "digest": manifest.digest}
    if orjson.dumps(raw, option=CANONICAL) != data or digests(raw) != told:
        raise UnreadableArchive(f"{MANIFEST} is not as it was written", MANIFEST)
    return manifest


def digests(manifest: Mapping[str, Any]) -> dict[str, str]:
    """`content` and `digest` of a manifest."""
    rest = {name: value for name, value in manifest.items() if name not in {"content", "digest"}}
    members = [one for one in rest["members"] if one["name"] != PROVENANCE]
    content = _sha256(rest | {"members": members})
    return {"content": content, "digest": _sha256(rest | {"content": content})}


def parsed(data: bytes, name: str) -> Any:
    """JSON, which has no NaN. Raises UnreadableArchive."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UnreadableArchive(f"{name} is no JSON: {error}", name) from None


def _sha256(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value)).hexdigest()
