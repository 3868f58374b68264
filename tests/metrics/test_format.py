"""Format against the jsonschema package, and forms that would take a machine down."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from inference.errors import InputError
from inference.protocol import NoModels
from metrics import find
from metrics.core.metric import Item, Sample
from metrics.core.run import prepare, score
from metrics.format import METRIC, UNDECIDED, FormatParams

SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object", "required": ["имя"], "properties": {"имя": {"type": "string"}}},
    {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": 2},
    {"anyOf": [{"enum": ["да", "нет"]}, {"type": "null"}]},
    {"type": "string", "pattern": "^[а-яё]+$"},
    {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}},
    {"type": "number", "multipleOf": 0.5},
    {"uniqueItems": True, "prefixItems": [{"type": "boolean"}]},
]
TEXTS = ['{"имя": "Ёж"}', '{"имя": 1}', "{}", "[1, 2]", "[1, 2, 3]", "[-1]", "[true, true]", '"да"']
TEXTS += [
    "null",
    '"ёж"',
    '"Yes"',
    "1.5",
    "0.3",
    '{"next": {"next": []}}',
    "[1, 1.0]",
    "😀",
    "",
    "{",
]
TEXTS += ['{"a": NaN}', "[" * 5000 + "]" * 5000, '"中文"', '"عربي"', "9" * 30]


def measured(texts: list[str], **params: object) -> tuple[list[list[int]], list[int]]:
    items = [Item(text) for text in texts]
    found = METRIC.measure(items, FormatParams.model_validate(params), NoModels())
    return found["row"].tolist(), found["flag"].tolist()


def theirs(schema: dict[str, Any], text: str) -> bool:
    def refused(constant: str) -> None:
        raise ValueError

    try:
        value = json.loads(text, parse_constant=refused)
        return bool(Draft202012Validator(schema).is_valid(value))
    except (ValueError, RecursionError):
        return False


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_verdicts_are_those_of_jsonschema(schema: dict[str, Any]) -> None:
    rows, flags = measured(TEXTS, json_schema=schema)
    assert [row[1] for row in rows] == [int(theirs(schema, text)) for text in TEXTS]
    assert not any(flags)
    assert 0 < sum(row[1] for row in rows) < len(TEXTS)


def test_each_form_has_a_score_and_format_is_all_of_them() -> None:
    params = {"json_schema": {}, "pattern": "^[0-9]+$", "max_words": 1, "max_characters": 3}
    texts = ["12", "1234", "да", '"12"', "12 13"]
    rows, _ = measured(texts, **params)
    assert rows == [
        [1, 1, 1, 1, 1],
        [0, 1, 1, 0, 1],
        [0, 0, 0, 1, 1],
        [0, 1, 0, 0, 1],
        [0, 0, 0, 0, 1],
    ]
    (result,) = score([Sample("1", ("12",))], [find("format").bind(params)])
    assert [found.name for found in result.scores] == ["format", "json", "pattern", "length"]


@pytest.mark.parametrize(
    ("output", "params", "expected"),
    [
        ("", {}, 0),
        ("😀", {}, 1),
        ("<think>[1]</think>{}", {"json_schema": {"type": "object"}}, 1),
        ("<think>{}", {"json_schema": {}}, 0),
        ("```json\n[1]\n```", {"json_schema": {}}, 1),
        ("```json\n[1]\n```", {"json_schema": {}, "fenced": False}, 0),
        ("три слова тут", {"min_words": 3, "max_words": 3}, 1),
        ("今天下雨", {"min_words": 4, "max_words": 4}, 1),
        ("اليوم ممطر", {"min_words": 3}, 0),
        ("a" * 11, {"max_characters": 10}, 0),
        ("Ответ: да", {"pattern": "(?i)ОТВЕТ: (да|нет)$"}, 1),
    ],
)
def test_forms_by_hand(output: str, params: dict[str, object], expected: int) -> None:
    rows, _ = measured([output], **params)
    assert rows[0][0] == expected


def test_what_is_no_schema_or_pattern_is_told() -> None:
    samples = [Sample("1", ("1",))]
    for schema in ({"type": "strin"}, {"$ref": "http://127.0.0.1:9/x"}, {"pattern": "("}):
        with pytest.raises(InputError, match="json_schema is no schema") as told:
            prepare(find("format").bind({"json_schema": schema}), samples)
        assert told.value.field == "params.json_schema"
    with pytest.raises(InputError, match="no regular expression"):
        find("format").bind({"pattern": "("})


def test_a_pattern_that_takes_for_ever_is_missing() -> None:
    began = time.monotonic()
    rows, flags = measured(["a" * 40 + "!", "aa"], pattern="^(a|a)*$|^(a|aa)+$(?<=b)")
    assert time.monotonic() - began < 10
    assert flags[0] in {0, UNDECIDED}
    assert rows[1][0] == 1


def test_a_schema_that_takes_for_ever_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each level tries the next one twice: 2^60 ways."""
    monkeypatch.setattr("metrics.format.SECONDS", 0.5)
    levels: dict[str, Any] = {f"l{n}": {"allOf": [_ref(n + 1), _ref(n + 1)]} for n in range(60)}
    levels["l60"] = {"type": "integer"}
    _, flags = measured(["1", "2"], json_schema={"$ref": "#/$defs/l0", "$defs": levels})
    assert flags == [UNDECIDED, UNDECIDED]
    assert measured(["1"], json_schema={}) == ([[1, 1, 1, 1]], [0])


def _ref(level: int) -> dict[str, str]:
    return {"$ref": f"#/$defs/l{level}"}


def test_many_outputs_at_once_are_those_one_by_one() -> None:
    draw = random.Random(0)
    texts = [json.dumps(draw.randrange(-5, 5)) for _ in range(200)]
    rows, _ = measured(texts, json_schema={"minimum": 0})
    assert [row[1] for row in rows] == [int(float(text) >= 0) for text in texts]
    assert np.mean([row[1] for row in rows]) == pytest.approx(0.5, abs=0.2)
