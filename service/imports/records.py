"""Evaluations as records of Every Eval Ever 0.3: an aggregate, and a line for each sample."""

from __future__ import annotations

import hashlib
import io
import math
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics import find
from metrics.core.packing import unpack
from metrics.core.result import Result
from service.errors import ApiError
from service.evaluations import outputs
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.outputs import Output
from service.evaluations.scores import Score
from service.evaluations.store import Evaluation

SCHEMA = "0.3.0"
PART = 2000  # samples that are read at a time
UNSAFE = str.maketrans({"/": "_", "\\": "_", ":": "_", " ": "_"})


def tarred(db: Connection, evaluation: str) -> tuple[str, bytes]:
    """The name and bytes of a tar of both files. Raises 404, and 409 before the evaluation has
    succeeded."""
    row = evaluations.require(db, evaluation)
    if row.status != "succeeded":
        message = f"{evaluation} is {row.status}: only succeeded evaluations can be exported"
        raise ApiError(409, "not_finished", message, "evaluation")
    found = [one for one in results.read_scores(db, [row.id])[row.id] if not one.slice]
    places = {(row.id, one.position) for one in found}
    packed = {at: unpack(data) for (_, at), data in results.read_results(db, places).items()}
    key = str(UUID(bytes=hashlib.sha256(row.id.encode()).digest()[:16], version=4))
    lines = b"".join(_lines(db, row, found, packed))
    folder = "/".join(part.translate(UNSAFE) for part in (row.dataset_name, *_model(row)))
    path = f"data/{folder}/{key}_samples.jsonl"
    record = _record(row, found, packed, path, lines) if lines else _record(row, found, packed)
    files = {f"{key}.json": orjson.dumps(record, option=orjson.OPT_INDENT_2)}
    if lines:
        files[f"{key}_samples.jsonl"] = lines
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{row.id}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return f"{row.id}.tar", content.getvalue()


def _model(row: Evaluation) -> tuple[str, str]:
    """The developer and the model, as the folders of these records have them."""
    developer, slash, model = row.system.rpartition("/")
    return (developer.rpartition("/")[2] or "unknown", model) if slash else ("unknown", row.system)


def _record(
    row: Evaluation,
    scores: Sequence[Score],
    packed: Mapping[int, Result],
    path: str | None = None,
    lines: bytes = b"",
) -> dict[str, Any]:
    made = str((row.finished_at or row.created_at).timestamp())
    origin = dict(row.origin or {})
    own = {"name": "assay", "version": version("assay")}
    library = {"name": origin.get("harness"), "version": origin.get("version")} if origin else own
    developer, model = _model(row)
    record = {
        "schema_version": SCHEMA,
        "evaluation_id": row.id,
        "evaluation_timestamp": made,
        "retrieved_timestamp": made,
        "source_metadata": {
            "source_name": "assay",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": library,
        "model_info": {
            "name": model,
            "id": row.system,
            "developer": developer,
            "additional_details": {
                "deployment_type": "unknown",
                "model_availability": "unknown",
            },
        },
        "evaluation_results": [_result(row, one, packed.get(one.position)) for one in scores],
    }
    if path is not None:
        record["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": path,
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(lines).hexdigest(),
            "total_rows": lines.count(b"\n"),
        }
    return record


def _result(row: Evaluation, score: Score, result: Result | None) -> dict[str, Any]:
    details: dict[str, Any] = {
        "score": score.value,
        "uncertainty": _uncertainty(score, result),
    }
    config: dict[str, Any] = {
        "metric_id": score.name,
        "metric_name": score.name,
        "lower_is_better": not score.higher_is_better,
        "additional_details": {"signature": score.signature or "", "metric": score.metric},
    }
    bounds = dict(zip(("min_score", "max_score"), _range(score), strict=True))
    config |= {name: value for name, value in bounds.items() if math.isfinite(value)}
    return {
        "evaluation_result_id": _key(row, score),
        "evaluation_name": f"{row.dataset_name}/{score.name}",
        "source_data": {
            "dataset_name": row.dataset_name,
            "source_type": "other",
            "additional_details": {"version": str(row.dataset_version), "id": row.dataset_id},
        },
        "metric_config": config,
        "score_details": details,
    }


def _range(score: Score) -> tuple[float, float]:
    """Between which values a score lies; infinite where nothing says so."""
    with suppress(ReportedError):  # its declaration has changed, or its folder is elsewhere
        for one in find(score.metric).bind(score.resolved).scores:
            if one.name == score.name:
                return one.low, one.high
    return -math.inf, math.inf


def _uncertainty(score: Score, result: Result | None) -> dict[str, Any]:
    found: dict[str, Any] = {"num_samples": score.n}
    if score.interval is not None:
        found["confidence_interval"] = {
            "lower": score.interval[0],
            "upper": score.interval[1],
            "confidence_level": score.level,
            "method": score.interval_method,
        }
    at = [one.name for one in result.scores].index(score.name) if result is not None else 0
    if result is not None and result.replicates is not None:
        error = float(np.std(result.replicates[:, at], ddof=1))
        found["num_bootstrap_samples"] = len(result.replicates)
        if np.isfinite(error):
            found["standard_error"] = {"value": error, "method": "bootstrap"}
    if result is not None and result.per_sample is not None and score.n > 1:
        found["standard_deviation"] = float(np.nanstd(result.per_sample[:, at], ddof=1))
    return found


def _lines(
    db: Connection, row: Evaluation, scores: Sequence[Score], packed: Mapping[int, Result]
) -> Iterator[bytes]:
    """A line for each sample and each score that it has a value of."""
    highest = {(one.position, one.name): _range(one)[1] for one in scores}
    for start in range(0, row.size, PART):
        there = outputs.read_at(db, row.id, range(start, min(start + PART, row.size)))
        for index in sorted(there):
            for score in scores:
                result = packed.get(score.position)
                if result is None or result.per_sample is None:
                    continue
                at = [one.name for one in result.scores].index(score.name)
                value = float(result.per_sample[index, at])
                if np.isfinite(value):
                    best = highest[score.position, score.name]
                    line = _line(row, score, there[index], value, best)
                    yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _line(
    row: Evaluation, score: Score, output: Output, value: float, best: float
) -> dict[str, Any]:
    content = output.content
    prompt = content.get("prompt") or ""
    references = content.get("references") or []
    hashed = hashlib.sha256((prompt + "".join(references)).encode()).hexdigest()
    most = best if math.isfinite(best) else 1.0
    return {
        "schema_version": SCHEMA,
        "evaluation_id": row.id,
        "model_id": row.system,
        "evaluation_name": f"{row.dataset_name}/{score.name}",
        "evaluation_result_id": _key(row, score),
        "sample_id": content["id"],
        "sample_hash": hashed,
        "interaction_type": "single_turn",
        "input": {"raw": prompt, "reference": references},
        "output": {"raw": output.texts or []},
        "answer_attribution": [],
        "evaluation": {"score": value, "is_correct": score.higher_is_better and value >= most},
        "metadata": content.get("metadata") or {},
    }


def _key(row: Evaluation, score: Score) -> str:
    return f"{row.id}/{score.position}/{score.name}"
