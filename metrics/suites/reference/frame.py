"""What every script has: samples read, values averaged, numbers printed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Sample = dict[str, Any]
Scores = dict[str, float]
Measure = Callable[[Sequence[Sample], dict[str, Any]], Scores]

PUBLISHED = {"builtin/minilm-l6": "sentence-transformers/all-MiniLM-L6-v2"}
FOLDERS: dict[str, str] = {}  # of models, as --model says


def read(path: str) -> list[Sample]:
    """The samples of a file of JSON Lines: `output` or `outputs`, `references`, `prompt`."""
    with open(path, encoding="utf-8-sig") as lines:
        rows: list[Sample] = [json.loads(line) for line in lines if line.strip()]
    for row in rows:
        row["outputs"] = row.get("outputs") or [row["output"]]
        row["references"] = row.get("references") or []
    return rows


def pairs(samples: Sequence[Sample]) -> Iterator[tuple[str, list[str]]]:
    """Every output with its references."""
    for sample in samples:
        for output in sample["outputs"]:
            yield output, sample["references"]


def average(samples: Sequence[Sample], value: Callable[[str, Sample], float | None]) -> float:
    """The mean over samples of the mean over their outputs; None: not measured, not counted."""
    found = []
    for sample in samples:
        own = [value(output, sample) for output in sample["outputs"]]
        measured = [one for one in own if one is not None]
        if measured:
            found.append(sum(measured) / len(measured))
    return sum(found) / len(found)


def model(name: str) -> str:
    """The folder or hub id of a model."""
    return FOLDERS.get(name) or PUBLISHED.get(name, name)


def run(measured: Sequence[tuple[str, Measure, dict[str, Any]]]) -> None:
    """The command: a file in, a line for each score out. Exits with 1 where one failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", help="JSON Lines: output or outputs, references, prompt")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    FOLDERS.update(pair.split("=", 1) for pair in given.model)
    samples, found, failed = read(given.file), {}, False
    for name, measure, params in measured:
        try:
            found.update(measure(samples, params))
        except Exception as error:  # noqa: BLE001 (the others are measured)
            failed, told = True, " ".join(str(error).split())
            print(f"{name}: {type(error).__name__}: {told}", file=sys.stderr)  # noqa: T201
    lines = [f"{score:24} {value!r}" for score, value in found.items()]
    print(json.dumps(found) if given.json else "\n".join(lines))  # noqa: T201
    sys.exit(failed)
