"""The page about every metric: `python -m service.catalogue.page > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from metrics import catalogue
from metrics.core.metric import AnyMetric, BoundMetric, Score

HEAD = """\
# Metrics

*Made of the declarations by `python -m service.catalogue.page > docs/metrics.md`; do not edit.*

`GET /v1/metrics/{name}` tells more of each: conventions, parameters as a JSON Schema, an example.
[Add your own](add-a-metric.md). What the intervals claim: [statistics](statistics.md). ↑: higher is
better, ↓: lower is better.
"""
KINDS = {
    "language": "a language model",
    "chat": "a language model, here or behind a URL",
    "likelihood": "a language model, here or behind a URL that gives likelihoods",
    "classifier": "a sequence classifier",
    "labels": "a sequence classifier with labels",
    "embedding": "a model that gives vectors, here or behind a URL",
    "encoder": "an encoder",
    "answers": "a question answering model",
    "seq2seq": "an encoder-decoder",
}
FIELDS = {
    "output": "outputs",
    "references": "references",
    "prompt": "prompts",
    "tests": "tests",
    "opponent": "another system's outputs",
    "details": "outputs that were generated here or behind a URL",
    "contexts": "`contexts` in the metadata",
    "instructions": "`instruction_id_list` and `kwargs` in the metadata",
    "language": "`language` in the metadata",
    "choices": "`choices` and `answer` in the metadata",
}


def page() -> str:
    """docs/metrics.md, of the whole catalogue."""
    known = catalogue().values()
    titles = "| metric | in a sentence | costs |\n|---|---|---|\n"
    rows = "".join(f"| [{one.name}](#{one.name}) | {one.about} | {_cost(one)} |\n" for one in known)
    return "\n".join([HEAD, titles + rows, *("\n".join(_section(one)) for one in known)])


def _section(metric: AnyMetric) -> Iterator[str]:
    bound = BoundMetric(metric, metric.params.model_construct())
    needs = [FIELDS[one] for one in bound.needs]
    yield f"## {metric.name}\n"
    yield f"{metric.about}\n"
    yield f"- **Formula** {metric.formula}"
    yield f"- **Scores** {', '.join(map(_score, bound.scores)) or 'as the parameters name them'}"
    yield f"- **Needs** {', '.join(needs) or 'outputs'}"
    yield f"- **Costs** {_cost(metric)}"
    yield f"- **Interval** {metric.interval}{', of the set as a whole' if metric.set_level else ''}"
    for score in bound.scores:
        if score.no_interval:
            yield f"- **No interval** of `{score.name}`: {score.no_interval}"
    yield f"- **Equal to** {metric.source.reference}"
    yield f"- **Source** {metric.source.paper}"
    yield f"- **Beware** {metric.avoid}\n"


def _score(score: Score) -> str:
    better = ("↑ " if score.higher_is_better else "↓ ") if score.judged else ""
    return f"`{score.name}` {better}{_bound(score.low)} to {_bound(score.high)}"


def _bound(end: float) -> str:
    return f"{end:g}".replace("inf", "∞").replace("-", "−")


def _cost(metric: AnyMetric) -> str:
    """What measuring takes beside reading the texts."""
    if metric.calls_url:
        return "requests to a server of yours"
    if metric.model_kind is not None:
        return KINDS[metric.model_kind]
    if metric.model_kinds:
        return " and ".join(KINDS[kind] for kind in metric.model_kinds.values())
    if metric.models:
        return "a model"
    if "tests" in metric.reads:
        return "a process in the sandbox for each program"
    return "no model"


if __name__ == "__main__":
    sys.stdout.write(page())
