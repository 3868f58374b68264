"""The shipped records, and what each system wrote for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"

Record = dict[str, Any]
Outputs = dict[str, str]


def read_records(dataset: str) -> list[Record]:
    """Prompts with references and metadata."""
    return _lines(DATA / f"{dataset}.jsonl")


def read_outputs(system: str, dataset: str) -> Outputs:
    """Outputs by record id; empty where the system has none for the dataset."""
    lines = _lines(DATA / f"{system}.jsonl")
    return {line["id"]: line["output"] for line in lines if line["dataset"] == dataset}


def write_outputs(system: str, outputs: Mapping[str, Mapping[str, str]]) -> None:
    """`outputs`: by dataset, then by record id."""
    rows = [
        {"dataset": dataset, "id": key, "output": output}
        for dataset, texts in outputs.items()
        for key, output in texts.items()
    ]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (DATA / f"{system}.jsonl").write_text("".join(lines), encoding="utf-8")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
