"""Answers of solutions against math-verify: numbers as in GSM8K, and formulas as in MATH; labels
against scikit-learn; JSON against jsonschema."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Iterator

import numpy as np

from benchmarks.comparing import QUICK, ROUNDS, Row, furthest, in_turns, ratio, rows_of, value_of
from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats
from metrics.core.run import score
from metrics.text.normalization import normalize

LABELS = ("accuracy", "f1_macro", "mcc")


def rows(scale: float) -> Iterator[Row]:
    yield _row("GSM8K's way", max(4, int(500 * scale)), 5.0, formulas=False)
    yield _row("a third formulas", max(4, int(600 * scale)), 1.0, formulas=True)
    yield _votes(max(2, int(100 * scale)))
    yield from (_labels(name, max(20, int(20_000 * scale))) for name in LABELS)
    yield _format(max(20, int(2_000 * scale)))
    yield _calibration(max(20, int(2_000 * scale)))


def _row(what: str, count: int, required: float, *, formulas: bool) -> Row:
    inputs = [_solutions(count, seed, formulas) for seed in range(ROUNDS)]
    found = in_turns(inputs, _ours, _theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    title = f"math_equal, {count} solutions, {what}, against math-verify"
    return ratio(title, found, required, "every verdict", agrees=difference == 0)


def _votes(count: int) -> Row:
    inputs = [_voted(count, seed) for seed in range(ROUNDS)]
    metric = find("maj_at_k").bind()

    def ours(samples: list[Sample]) -> Floats:
        return rows_of(metric, samples)[:, 0]

    def theirs(samples: list[Sample]) -> list[float]:
        from math_verify import parse, verify

        found = []
        for sample in samples:
            votes = Counter(str(parse(output)[0]) for output in sample.outputs)
            first = [one for one, votes_for in votes.items() if votes_for == max(votes.values())]
            wanted = parse(sample.references[0])
            found.append(sum(verify(wanted, parse(one)) for one in first) / len(first))
        return found

    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    title = f"maj_at_k, {count} votes of 16 solutions, against math-verify and a Counter"
    return ratio(title, found, 5.0, "every vote", agrees=difference == 0)


def _voted(count: int, seed: int) -> list[Sample]:
    draw = random.Random(seed)
    made = []
    for index in range(count):
        n = draw.randrange(2, 5000)
        answers = [n + draw.choice([0, 0, 1, 2, 10]) for _ in range(16)]
        texts = tuple(f"We get {one + 3} - 3.\nThe final answer is ${one}$." for one in answers)
        made.append(Sample(str(index), texts, (str(n),)))
    return made


def _labels(name: str, count: int) -> Row:
    inputs = [_classified(count, seed) for seed in range(QUICK)]
    metric = find(name).bind()

    def ours(samples: list[Sample]) -> float:
        return float(value_of(metric, rows_of(metric, samples))[0])

    def theirs(samples: list[Sample]) -> float:
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        wanted = [normalize(one.references[0], "unicode") for one in samples]
        said = [normalize(one.outputs[0], "unicode") for one in samples]
        if name == "accuracy":
            return float(accuracy_score(wanted, said))
        if name == "mcc":
            return float(matthews_corrcoef(wanted, said))
        return float(f1_score(wanted, said, average="macro"))

    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    title = f"{name}, {count} labels of 5 classes, normalised, against scikit-learn"
    agreement = f"the value, difference {difference:.1g}"
    return ratio(title, found, 1.0, agreement, agrees=difference < 1e-12)


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"people": {"type": "array", "items": {"$ref": "#/$defs/person"}}},
    "required": ["people"],
    "$defs": {"person": PERSON},
}


def _format(count: int) -> Row:
    inputs = [_records(count, seed) for seed in range(QUICK)]
    metric = find("format").bind({"json_schema": SCHEMA})

    def ours(samples: list[Sample]) -> Floats:
        return rows_of(metric, samples)[:, 0]

    def theirs(samples: list[Sample]) -> list[bool]:
        from jsonschema import Draft202012Validator

        validator = Draft202012Validator(SCHEMA)
        return [validator.is_valid(json.loads(one.outputs[0])) for one in samples]

    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    title = f"format, {count} outputs by a JSON Schema, against jsonschema"
    return ratio(title, found, 5.0, "every verdict", agrees=difference == 0)


def _records(count: int, seed: int) -> list[Sample]:
    draw = random.Random(seed)

    def person(number: int) -> dict[str, object]:
        tags = draw.sample(["a", "b", "c", "d"] if draw.random() < 0.1 else ["a", "b", "c"], 2)
        return {"name": f"Имя {number}", "age": draw.randrange(-5, 150), "tags": tags}

    people = [{"people": [person(n) for n in range(draw.randrange(1, 9))]} for _ in range(count)]
    texts = [json.dumps(one, ensure_ascii=False) for one in people]
    return [Sample(str(n), (text,)) for n, text in enumerate(texts)]


def _calibration(count: int) -> Row:
    inputs = [_confident(count, seed) for seed in range(ROUNDS)]
    metric = find("calibration").bind()

    def ours(samples: list[Sample]) -> float:
        return score(samples, [metric])[0].scores[0].value or 0.0

    def theirs(samples: list[Sample]) -> float:
        from calibration import utils

        edges = utils.get_equal_prob_bins([], num_bins=15)
        pairs = [
            (one.metadata["confidence"], _same(one.outputs[0], one.references[0]))
            for one in samples
        ]

        def error(drawn: object) -> float:
            return float(utils.plugin_ce(utils.bin(drawn, edges), power=1))

        utils.bootstrap_uncertainty(pairs, error, alpha=5.0, num_samples=1000)
        return error(pairs)

    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    title = f"calibration, ECE of {count} labels with its interval, against uncertainty-calibration"
    agreement = f"the value, difference {difference:.1g}"
    return ratio(title, found, 5.0, agreement, agrees=difference < 1e-12)


def _same(left: str, right: str) -> bool:
    return normalize(left, "unicode") == normalize(right, "unicode")


def _confident(count: int, seed: int) -> list[Sample]:
    draw = random.Random(seed)
    return [
        Sample(
            str(n),
            (draw.choice(["да", "да", "нет"]),),
            ("да",),
            metadata={"confidence": draw.random()},
        )
        for n in range(count)
    ]


def _classified(count: int, seed: int) -> list[Sample]:
    draw = random.Random(seed)
    classes = ["positive", "negative", "neutral", "смешанный", "不明"]
    wanted = draw.choices(classes, k=count)
    said = [one if draw.random() < 0.7 else draw.choice(classes) for one in wanted]
    texts = [draw.choice([one, one.title(), f"{one}."]) for one in said]
    pairs = enumerate(zip(texts, wanted, strict=True))
    return [Sample(str(n), (text,), (label,)) for n, (text, label) in pairs]


def _ours(samples: list[Sample]) -> Floats:
    return rows_of(find("math_equal").bind(), samples)[:, 0]


def _theirs(samples: list[Sample]) -> Floats:
    from math_verify import parse, verify

    logging.disable()
    found = [verify(parse(one.references[0]), parse(one.outputs[0])) for one in samples]
    logging.disable(logging.NOTSET)
    return np.array(found, np.float64)


def _solutions(count: int, seed: int, formulas: bool) -> list[Sample]:
    draw = random.Random(seed)
    made = []
    for index in range(count):
        n, other = draw.randrange(2, 5000), draw.randrange(2, 5000)
        n, other = (n, n) if draw.random() < 0.6 else (n, other)
        wanted, answer = f"{n}", f"First {n + 3} - 3.\nThat is all.\nThe final answer is ${other}$."
        if formulas and index % 3 == 0:
            a, b = draw.randrange(2, 99), draw.randrange(2, 99)
            wanted = f"$\\frac{{{n}x+{a}}}{{{b}}}$"
            written = [f"\\frac{{{n}x+{a}}}{{{b}}}", f"\\dfrac{{{a}+{other}x}}{{{b}}}"]
            answer = f"So it is $\\boxed{{{draw.choice(written)}}}$."
        made.append(Sample(str(index), (answer,), (wanted,)))
    return made
