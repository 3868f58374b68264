"""Values by a JSON Schema, most of them right in most places, and hostile ones in the others."""

from __future__ import annotations

from random import Random
from typing import Any

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1),
    *(10**400, 1e308, -1e308, 1e-320, float("nan"), float("inf"), -0.0, 0.5),
    *("", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e", "💥", "İı"),
    *("a" * 300, "a" * 5000, "../../etc/passwd", "/etc", "C:\\", "ds_x", "eval_x", "ckpt_x"),
    *("name@2", "@", "a/records", "%00", "%s%n", "'; DROP TABLE x; --", "{{7*7}}", "null", "NaN"),
    *("builtin/nothing", "builtin/minilm-l6", "evaluate/../..", "-1", "1e999", "\r\nX: y", "٣"),
    *([], {}, [[]], [None], {"": None}, {"\x00": 1}, {"\ud800": 1}, {"__proto__": {}}, [1] * 2000),
    *({"name": "chrf", "params": {"word_order": 10**30}}, {"name": {}}, ["chrf"] * 60),
)


class Values:
    """Makes values; `rate` of all places are hostile."""

    def __init__(self, random: Random, document: dict[str, Any], rate: float) -> None:
        self.random = random
        self.document = document
        self.rate = rate

    def hostile(self) -> Any:
        """Any JSON, nested up to a thousand levels."""
        if self.random.random() < 0.05:
            value: Any = self.random.choice(HOSTILE)
            for _ in range(self.random.choice((3, 60, 70, 900))):
                value = [value] if self.random.random() < 0.5 else {"a": value}
            return value
        return self.random.choice(HOSTILE)

    def of(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """A value by the schema, or a hostile one."""
        if self.random.random() < self.rate or depth > 12:
            return self.hostile()
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.of(self.document["components"]["schemas"][name], depth)
        if "anyOf" in schema:
            return self.of(self.random.choice(schema["anyOf"]), depth + 1)
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        return self._typed(schema, depth)

    def _typed(self, schema: dict[str, Any], depth: int) -> Any:
        if schema.get("type") == "object":
            return self._object(schema, depth)
        if schema.get("type") == "array":
            least = schema.get("minItems", 0)
            size = self.random.randint(least, max(least, min(3, schema.get("maxItems", 3))))
            return [self.of(schema.get("items", {}), depth + 1) for _ in range(size)]
        return schema["const"] if "const" in schema else self._scalar(schema.get("type"), schema)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        made = {
            name: self.of(inner, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if name in required or self.random.random() < 0.4
        }
        if self.random.random() < self.rate:
            made[str(self.random.choice(("", "metric", "x" * 300, "a.b", "lr")))] = self.hostile()
        return made

    def _scalar(self, kind: str | None, schema: dict[str, Any]) -> Any:
        if kind == "integer":
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            high = schema.get("maximum", schema.get("exclusiveMaximum", low + 100))
            return self.random.choice((low, high, self.random.randint(int(low), int(high))))
        if kind == "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0.0))
            high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1.0))
            return self.random.uniform(low, high)
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind == "null":
            return None
        words = ("Paris", "кошка сидит", "x", "def f(): return 1", "a b c", "日本")
        return self.random.choice(words)

    def changed(self, example: Any) -> Any:
        """The example with values replaced at some places."""
        if self.random.random() < self.rate:
            return self.hostile()
        if isinstance(example, dict):
            kept = {name: self.changed(value) for name, value in example.items()}
            if kept and self.random.random() < self.rate:
                del kept[self.random.choice(list(kept))]
            return kept
        if isinstance(example, list):
            return [self.changed(value) for value in example]
        return example
