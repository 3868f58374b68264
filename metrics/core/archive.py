"""Archives: one evaluation as one file that can be checked, and loaded, anywhere.

    records.jsonl    a record of the dataset a line
    outputs.jsonl    its outputs, a line each: a list of texts, or null
    details.jsonl    where a model made them, what each took: a list of objects, or null
    metrics/0/…      of the metric at position 0: `rows.npy`, `missing.npy`, `per_sample.npy` and so
                     on, and `evidence/<column>.npy` with `.lengths.npy` for a ragged column
    scores.json      values with their intervals, of the whole set and of slices
    provenance.json  where, when and with what it was measured
    manifest.json    what was asked for, and size and SHA-256 of every other member

`content` of the manifest is a digest over all but the provenance: equal evaluations have it in
common, wherever they were made. `digest` is over everything. Arrays are NumPy's .npy without
pickles. `metrics.core.stored_zip` has the layout of the file. docs/archive.md says more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import IO, Any

import numpy as np
from pydantic import ValidationError

from inference.errors import InputError
from metrics.core import evidence as columns
from metrics.core.clustered import Cluster, metadata_text
from metrics.core.details import Details
from metrics.core.evidence import Column, Evidence
from metrics.core.manifest import (
    DETAILS,
    MANIFEST,
    OUTPUTS,
    PROVENANCE,
    RECORDS,
    SCORES,
    Manifest,
    MemberFacts,
    MetricFacts,
    parsed,
    read,
)
from metrics.core.metric import Sample
from metrics.core.npy import Array, loaded
from metrics.core.packing import unpack
from metrics.core.result import Result
from metrics.core.rows import Ints
from metrics.core.stored_zip import Reader, UnreadableArchive

MOST_JSON = 64 << 20  # bytes of the manifest, the scores, the provenance

Content = Mapping[str, Any]


class Archive:
    """An archive that was found whole: every byte of it is as it was written.

    Raises UnreadableArchive otherwise, with the members that differ.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._reader = Reader(file)
        if MANIFEST not in self._reader.members:
            raise UnreadableArchive(f"the zip has no {MANIFEST}: it is no archive of an evaluation")
        self.manifest = read(self._reader.read(MANIFEST, MOST_JSON))
        self._check_members()

    def records(self) -> Iterator[Content]:
        """The records of the dataset, in order."""
        for line in self._reader.lines(RECORDS):
            record = parsed(line, RECORDS)
            if not isinstance(record, dict) or not isinstance(record.get("id"), str):
                raise UnreadableArchive(f"a line of {RECORDS} is no record with an id", RECORDS)
            yield record

    def outputs(self) -> Iterator[list[str] | None]:
        """The outputs for each record; None where there are none."""
        for line in self._reader.lines(OUTPUTS):
            texts = parsed(line, OUTPUTS)
            plain = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
            if texts is not None and not plain:
                raise UnreadableArchive(f"a line of {OUTPUTS} is no list of texts", OUTPUTS)
            yield texts

    def details(self) -> Iterator[list[dict[str, Any]] | None]:
        """What the outputs for each record took; None where they were given."""
        if DETAILS not in self._reader.members:
            yield from (None for _ in range(self.manifest.dataset.size))
            return
        for line in self._reader.lines(DETAILS):
            found = parsed(line, DETAILS)
            plain = isinstance(found, list) and all(isinstance(one, dict) for one in found)
            if found is not None and not plain:
                raise UnreadableArchive(f"a line of {DETAILS} is no list of objects", DETAILS)
            yield found

    def samples(self) -> list[Sample]:
        """Records with their outputs, as metrics take them."""
        try:
            lines = zip(self.records(), self.outputs(), self.details(), strict=True)
            samples = [
                replace(Sample.of(record, texts or ()), details=tuple(map(Details.of, each or ())))
                for record, texts, each in lines
            ]
        except (ValueError, TypeError):
            message = f"{RECORDS} and {OUTPUTS} are not records and their outputs, line by line"
            raise UnreadableArchive(message, OUTPUTS) from None
        if len(samples) != self.manifest.dataset.size:
            raise UnreadableArchive(f"{RECORDS} has {len(samples)} lines", RECORDS)
        return samples

    def packed(self, metric: MetricFacts) -> bytes | None:
        """The metric's result, as `metrics.core.packing` packs it; None where it failed."""
        if metric.result is None:
            return None
        folder = f"metrics/{metric.position}"
        arrays = {name: self._array(f"{folder}/{name}.npy") for name in metric.result.arrays}
        for name in {"rows", "loss", "variance", "shared"} & set(arrays):
            if arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
                raise UnreadableArchive(f"{folder}/{name}.npy holds what is no finite number", name)
        return columns.pack(arrays, metric.result.meta)

    def result(self, metric: MetricFacts) -> Result | None:
        """The metric's result, its arrays of shapes that belong together."""
        packed = self.packed(metric)
        if packed is None:
            return None
        try:
            result = unpack(packed)
        except (ValidationError, ValueError, KeyError) as error:
            message = f"the result of {metric.name} cannot be read: {error}"
            raise UnreadableArchive(message, f"metrics/{metric.position}") from None
        if not _fits(result, self.manifest.dataset.size):
            message = f"the arrays of {metric.name} do not belong together"
            raise UnreadableArchive(message, f"metrics/{metric.position}")
        self._check_drawing(metric.name, result)
        return result

    def evidence(self, metric: MetricFacts) -> Evidence | None:
        """The metric's evidence; None where it was not kept."""
        if metric.evidence is None:
            return None
        found = {}
        for name, ragged in metric.evidence.columns.items():
            place = f"metrics/{metric.position}/evidence/{name}"
            values = self._array(f"{place}.npy")
            lengths = self._array(f"{place}.lengths.npy").astype(np.int64) if ragged else None
            if lengths is not None and (
                lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != len(values)
            ):
                raise UnreadableArchive(f"{place}.lengths.npy does not fit {place}.npy", place)
            found[name] = Column(values, lengths)
        if any(column.count != metric.evidence.count for column in found.values()):
            message = f"the columns of {metric.name}'s evidence are of unlike lengths"
            raise UnreadableArchive(message, f"metrics/{metric.position}/evidence")
        return Evidence(found, metric.evidence.count)

    def scores(self) -> list[dict[str, Any]]:
        """The scores as they were stored."""
        found = self._json(SCORES)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise UnreadableArchive(f"{SCORES} is no list of scores", SCORES)
        return found

    def provenance(self) -> dict[str, Any]:
        """Where, when and with what it was measured; not covered by `content`."""
        found = self._json(PROVENANCE)
        if not isinstance(found, dict):
            raise UnreadableArchive(f"{PROVENANCE} is no object", PROVENANCE)
        if not _is_date(found.get("finished_at")):
            message = f"{PROVENANCE}: finished_at is no date: {found['finished_at']!r:.100}"
            raise UnreadableArchive(message, "finished_at")
        return found

    def _json(self, name: str) -> Any:
        return parsed(self._reader.read(name, MOST_JSON), name)

    def _check_drawing(self, name: str, result: Result) -> None:
        """What was asked for is what the replicates were drawn by; a failed metric drew none."""
        asked = self.manifest.evaluation
        for field in () if result.missing.all() else ("seed", "cluster"):
            told, drawn = getattr(asked, field), getattr(result, field)
            if told != drawn:
                message = f"evaluation.{field} is {told!r}, and {name} was drawn with {drawn!r}"
                raise UnreadableArchive(f"{MANIFEST}: {message}", f"evaluation.{field}")

    def _check_members(self) -> None:
        there = {name: member.size for name, member in self._reader.members.items()}
        told = {one.name: one for one in self.manifest.members}
        odd = sorted((set(told) | {MANIFEST}) ^ set(there)) or sorted(_needed(self.manifest, told))
        if odd or len(told) != len(self.manifest.members):
            message = f"members and {MANIFEST} do not agree: {', '.join(odd[:5]) or 'one is twice'}"
            raise UnreadableArchive(message, MANIFEST)
        changed = []
        for name, one in told.items():
            state = hashlib.sha256()
            of_dataset = hashlib.sha256(self.manifest.dataset.kind.encode())
            try:
                for piece in self._reader.pieces(name):
                    state.update(piece)
                    if name == RECORDS:
                        of_dataset.update(piece)
            except UnreadableArchive:
                changed.append(name)
                continue
            other = name == RECORDS and of_dataset.hexdigest() != self.manifest.dataset.digest
            if state.hexdigest() != one.sha256 or there[name] != one.bytes or other:
                changed.append(name)
        if changed:
            message = f"changed since the archive was written: {', '.join(changed)}"
            raise UnreadableArchive(message, changed[0])

    def _array(self, name: str) -> Array:
        if name not in self._reader.members:
            raise UnreadableArchive(f"there is no {name}", name)
        return loaded(self._reader.read(name, self._reader.members[name].size), name)


def _needed(manifest: Manifest, told: Mapping[str, MemberFacts]) -> set[str]:
    """Members that the manifest speaks of and does not list, or lists and never speaks of."""
    names = {RECORDS, OUTPUTS, SCORES, PROVENANCE}
    for one in manifest.metrics:
        folder = f"metrics/{one.position}"
        names |= {f"{folder}/{name}.npy" for name in (one.result.arrays if one.result else ())}
        for name, ragged in (one.evidence.columns if one.evidence else {}).items():
            place = f"{folder}/evidence/{name}"
            names |= {f"{place}.npy", *([f"{place}.lengths.npy"] if ragged else [])}
    return names ^ (set(told) - {DETAILS})


def _is_date(value: Any) -> bool:
    """Whether it is None, or a day there is, in ISO 8601."""
    try:
        return value is None or bool(datetime.fromisoformat(value))
    except (ValueError, TypeError):
        return False


def _fits(result: Result, size: int) -> bool:
    """Whether the arrays' shapes are those of `size` samples."""
    rows, own, drawn = result.settled.rows, result.per_sample, result.replicates
    scores = len(result.scores)
    loss, added = result.settled.loss, (result.settled.variance, result.settled.shared)
    unvoted = result.unvoted
    return (
        rows.ndim == 2
        and len(rows) == size
        and result.missing.shape == (size,)
        and (unvoted is None or unvoted.shape == (size,))
        and (own is None or own.shape == (size, scores))
        and (drawn is None or (drawn.ndim == 2 and drawn.shape[1] == scores))
        and (loss is None or loss.shape == rows.shape)
        and all(one is None or one.shape == (scores,) for one in added)
    )


def cluster_of(samples: Sequence[Sample], field: str | None) -> Cluster | None:
    """What the samples belong together by. Raises UnreadableArchive."""
    try:
        return None if field is None else Cluster.of(samples, field)
    except InputError as error:
        raise UnreadableArchive(f"manifest.json: evaluation.cluster: {error.message}") from None


def members(name: str, keys: Sequence[str], samples: Sequence[Sample]) -> Ints:
    """Indices of the samples of the slice `lang=ru`."""
    key = next((one for one in keys if name.startswith(f"{one}=")), "")
    wanted = name[len(key) + 1 :]
    found = [
        index
        for index, sample in enumerate(samples)
        if sample.metadata.get(key) is not None and metadata_text(sample.metadata[key]) == wanted
    ]
    return np.asarray(found, np.int64)
