"""Signatures: what two values must share before they may be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from inference.protocol import Models
from metrics.core.metric import BoundMetric, Item, Score


def parts(metric: BoundMetric, models: Models) -> dict[str, str]:
    """Everything that can change a number: name, version, every parameter, libraries, models."""
    found = {"name": metric.name, "version": str(metric.version)}
    found |= {name: _text(value) for name, value in metric.dump().items()}
    found |= {distribution: _version(distribution) for distribution in metric.libraries}
    for number, name in enumerate(metric.models):
        identity = models.identity(name)
        suffix = "" if number == 0 else str(number + 1)
        found[f"weights{suffix}"] = identity.weights
        found[f"tokenizer_digest{suffix}"] = identity.tokenizer
    return found


def text(found: Mapping[str, str], score: Score | None = None) -> str:
    """`rouge|version:1|stemmer:true|…|rouge-score:0.1.2`; less what the score leaves out."""
    left_out = set(score.comparable_across) if score else set()
    rest = [f"{key}:{value}" for key, value in found.items() if key not in left_out | {"name"}]
    return "|".join([found["name"], *rest])


def evidence_digest(metric: BoundMetric, models: Models) -> bytes:
    """16 bytes naming what `measure` depends on: parameters of `settle` alone are left out."""
    metric = metric.metric.measured_by or metric
    found = parts(metric, models)
    for name, field in type(metric.params).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("stage") == "settle":
            found.pop(name, None)
    return hashlib.blake2b(text(found).encode(), digest_size=16).digest()


def item_digest(metric: BoundMetric, item: Item) -> bytes:
    """16 bytes naming what of the item `measure` reads."""
    state = hashlib.blake2b(digest_size=16)
    fields: dict[str, tuple[str | None, ...]] = {
        "output": (item.output,),
        "references": item.references,
        "prompt": (item.prompt,),
        "tests": (item.tests,),
        "details": (repr(item.details),),
        "choices": (repr(item.choices),),
        "contexts": item.contexts,
        "instructions": tuple(part for one in item.instructions for part in one),
        "opponent": (item.opponent,),
        "language": (item.language,),
    }
    for name in metric.reads:
        values = fields[name]
        state.update(f"{name}:{len(values)};".encode())
        for value in values:
            if value is None:
                state.update(b"-")
            else:
                data = value.encode()
                state.update(f"{len(data)}:".encode())
                state.update(data)
    return state.digest()


def difference(a: str, b: str) -> list[str]:
    """The parts in which two signatures differ, as `stemmer: true / false`."""
    left, right = _parse(a), _parse(b)
    return [
        f"{key}: {left.get(key, 'absent')} / {right.get(key, 'absent')}"
        for key in dict.fromkeys([*left, *right])
        if left.get(key) != right.get(key)
    ]


def unlike(a: str, b: str) -> str | None:
    """Why values of two signatures must not be compared, if so."""
    if a == b:
        return None
    return f"the signatures differ, so the values cannot be compared: {'; '.join(difference(a, b))}"


def outdated(metric: BoundMetric, signature: str) -> bool:
    """Whether the value of a signature is of another version than the metric is now."""
    now = str(metric.version)
    return _parse(signature).get("version", now) != now


def _parse(signature: str) -> dict[str, str]:
    name, *rest = signature.split("|")
    found = {"name": name}
    for part in rest:
        key, _, value = part.partition(":")
        found[key] = value
    return found


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_text(one) for one in value)
    written = str(value)
    return written.replace("%", "%25").replace("|", "%7C").replace("\n", "%0A")


@cache
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"
