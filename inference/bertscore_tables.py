"""What bert-score ships as data: its tuned layers, and the baselines of random pairs.

Read from the installed package's files, since importing it loads torch.
"""

from __future__ import annotations

import ast
import csv
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from inference.errors import InputError


@cache
def tuned_layers() -> Mapping[str, int]:
    """The layer that agreed best with people, by model name."""
    tree = ast.parse((_package() / "utils.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "model2layers":
            return dict(ast.literal_eval(node.value))
    raise LookupError("bert-score no longer has a table of layers")


@cache
def baseline(model: str, layer: int | None, language: str) -> tuple[float, float, float]:
    """(P, R, F1) of random pairs, from bert-score's tables. Raises InputError where it has none."""
    tables = (_package() / "rescale_baseline").resolve()
    path = (tables / language / f"{model}.tsv").resolve()
    if not path.is_relative_to(tables / language) or not path.is_file():
        known = sorted(file.parent.name for file in tables.rglob(f"{Path(model).name}.tsv"))
        hint = f"for this model: {', '.join(known)}" if known else "for this model: none"
        raise InputError(
            f"bert-score has no baseline of model {model!r} for language {language!r} "
            f"(languages {hint}); leave rescale_with_baseline off",
            "params.rescale_with_baseline",
        )
    chosen = tuned_layers().get(model) if layer is None else layer
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if chosen is None or chosen >= len(rows):
        raise InputError(
            f"baselines of {model!r} are for layers 0 to {len(rows) - 1}", "params.layer"
        )
    return float(rows[chosen]["P"]), float(rows[chosen]["R"]), float(rows[chosen]["F"])


def _package() -> Path:
    spec = importlib.util.find_spec("bert_score")
    if spec is None or spec.origin is None:
        raise LookupError("bert-score is not installed")
    return Path(spec.origin).parent
