# needs: py3langid==0.4.0
"""Whether an output is in the wanted language, by py3langid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, average
from metrics.text.languages import identify


def language(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The share of outputs; texts that are too short to tell are not counted."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if params["among"]:
        identifier.set_languages(params["among"])
    least = params["min_confidence"]

    def value(output: str, sample: Sample) -> float | None:
        told = {"prompt": [sample.get("prompt") or ""], "references": sample["references"]}
        texts = told.get(params["language"])
        wanted = {params["language"]}
        if texts is not None:
            wanted = {identify(text, identifier, least) for text in texts} - {""}
        own = identify(output, identifier, least)
        return float(own in wanted) if own and wanted else None

    return {"language": average(samples, value)}
