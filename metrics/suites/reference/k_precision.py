"""K-Precision, after its definition: plain Python is all it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, average
from metrics.text.normalization import normalize, words


def k_precision(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The share of an output's words that stand in its evidence."""
    how = params["normalization"]

    def evidence(sample: Sample) -> list[str]:
        contexts = (sample.get("metadata") or {}).get("contexts") or []
        texts = [contexts] if isinstance(contexts, str) else contexts
        prompt = [sample["prompt"]] if sample.get("prompt") else []
        found = {"auto": texts or prompt, "contexts": texts, "prompt": prompt}
        chosen: list[str] = found[params["evidence"]]
        return chosen

    def bag(text: str) -> Counter[str]:
        return Counter(words(normalize(text, how), spaceless=how == "unicode"))

    def value(output: str, sample: Sample) -> float | None:
        said, there = bag(output), bag("\n".join(evidence(sample)))
        return (said & there).total() / said.total() if said and there else None

    return {"k_precision": average(samples, value)}
