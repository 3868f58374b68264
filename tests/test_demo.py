"""What the demo ships is whole, is what it says it is, and is printed as it was computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import trainers
from assay import (
    ComparisonResult,
    Evaluation,
    Leaderboard,
    SystemAnalysis,
    VotePair,
)
from demo import curves, opinions, people, programs, simulated, tables, training
from demo.asking import BOARDS, SUMMARIES, Board
from demo.outputs import lead, loop
from demo.shipped import DATA, read_outputs, read_records
from metrics import find
from service.datasets.schemas import checked


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.dataset)
def test_every_system_has_an_output_for_every_record(board: Board) -> None:
    records = board.records()
    ids = [record["id"] for record in records]
    assert len(set(ids)) == len(ids)
    for system in board.systems:
        outputs = board.outputs(system)
        assert list(outputs) == ids
        assert all(outputs.values())
    for metric in board.metrics:
        asked: Mapping[str, Any] = {"name": metric} if isinstance(metric, str) else metric
        needed = find(asked["name"]).bind(asked.get("params")).needs
        for record in records:
            assert all(record.get(field) for field in needed if field != "output")


@pytest.mark.parametrize("dataset", ["summaries", "questions"])
def test_half_of_the_records_are_russian(dataset: str) -> None:
    records = read_records(dataset)
    russian = [one for one in records if one["metadata"]["lang"] == "ru"]
    assert 2 * len(russian) == len(records)
    for record in records:
        text = record["prompt"] + " ".join(record["references"])
        letters = [letter for letter in text if letter.isalpha()]
        cyrillic = sum("а" <= letter.lower() <= "ё" for letter in letters)
        assert (cyrillic > len(letters) / 2) == (record in russian)
        assert read_outputs("editor", dataset)[record["id"]] not in record["prompt"]


def test_the_baselines_are_what_they_say() -> None:
    for record in SUMMARIES.records():
        assert read_outputs("lead-1", "summaries")[record["id"]] == lead(record)
        assert lead(record) in record["prompt"]
        assert read_outputs("loop", "summaries")[record["id"]] == loop(record)
    assert {path.stem for path in DATA.glob("*.jsonl")} == {
        *("summaries", "questions"),
        *SUMMARIES.systems,
    }


def test_slips_spoil_as_many_programs_as_they_say() -> None:
    reference, slips = programs.outputs("reference"), programs.outputs("slips")
    for (task, solutions), kept in zip(reference.items(), programs.UNSPOILT, strict=True):
        solution = solutions[0]
        assert solutions == programs.TRIES * [solution]
        assert [text == solution for text in slips[task]].count(True) == kept
        assert all(text != solution for text in programs.spoil(solution))


def test_the_pairs_are_sound_and_half_russian() -> None:
    pairs, held_out = read_records("manners/pairs"), read_records("manners/held-out")
    kept = list(checked(pairs, "preference"))
    assert sum(one["metadata"]["lang"] == "ru" for one in kept) * 2 == len(kept)
    assert {one["metadata"]["lang"] for one in held_out} == {"en", "ru"}
    assert not {one["prompt"] for one in pairs} & {one["prompt"] for one in held_out}
    assert all(one["references"] for one in checked(held_out, "eval"))
    assert set(training.SHOWN) <= {one["id"] for one in held_out}


def test_the_prompts_for_people_are_new_in_the_second_round() -> None:
    asked, fresh, gold = (read_records(f"people/{name}") for name in ("asked", "fresh", "gold"))
    prompts = [[one["prompt"] for one in part] for part in (asked, fresh, gold)]
    assert len(set().union(*prompts)) == sum(map(len, prompts))
    for one in gold:
        assert simulated.better(*one["outputs"]) == one["expected"]["choice"]


@pytest.mark.parametrize("reliability", [0.95, 0.7])
def test_simulated_people_are_as_reliable_as_they_say(reliability: float) -> None:
    person, random, n = simulated.Person("Ada", reliability, 9.0), np.random.default_rng(1), 4000
    short = ("It is Paris.", "It is Paris, which is a city.")
    broken = ("Paris is the", "It is Paris, the capital.")
    cases: list[tuple[tuple[str, str], simulated.Choice]] = [(short, "a"), (broken, "b")]
    for shown, right in cases:
        votes = [person.choice(*shown, random) for _ in range(n)]
        share = votes.count(right) / n
        assert abs(share - reliability) < 4 * (reliability * (1 - reliability) / n) ** 0.5
        assert set(votes) == {"a", "b"}
    alike = [person.choice("a b.", "c d.", random) for _ in range(n)]
    assert abs(alike.count("tie") / n - reliability) < 4 * 0.5 / n**0.5
    paces = [person.pace(random) for _ in range(n)]
    assert np.median(paces) == pytest.approx(9.0, rel=4 * 1.2533 * simulated.SPREAD / n**0.5)
    clicker = simulated.Person("Max", None, 1.0)
    assert {clicker.choice(*broken, random) for _ in range(9)} == {"a"}


@pytest.mark.parametrize(
    ("p_value", "difference", "told"),
    [
        (0.001, 0.8, "people do prefer tuned to plain"),
        (0.001, -0.8, "people do prefer plain to tuned"),
        (0.3, 0.8, "could be chance"),
        (None, None, "do not tell plain and tuned apart"),
    ],
)
def test_a_win_is_told_for_what_it_is(
    p_value: float | None, difference: float | None, told: str
) -> None:
    pair = {
        **{"first": "plain", "second": "tuned", "votes": 99, "items": 33},
        **{"wins": 0, "ties": 0, "losses": 99, "interval": None},
        **{"difference": None if difference is None else -difference, "p_value": p_value},
    }
    ours = {
        **{"system": "tuned", "strength": 0.8, "interval": None, "rank": 1, "rank_interval": None},
        **{"reason": "no votes", "votes": 99, "measures": {}, "labels": []},
        **{"win_rate": 0.7, "win_rate_interval": [0.6, 0.8]},
    }
    said = opinions.verdict(VotePair.model_validate(pair), SystemAnalysis.model_validate(ours))
    assert told in said
    assert ("tuned won 70% [60, 80] of its votes" in said) == (p_value is not None)


def test_a_first_sentence_ends_at_its_stop() -> None:
    assert people.first_sentence("It is 3.5 m long. It is") == "It is 3.5 m long."
    assert people.first_sentence(" Why?\n\nWhy? ") == "Why?"
    assert people.first_sentence("It has no") == "It has no"


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        *(("reward", one.REWARD) for one in (training, people)),
        *(("dpo", one.DPO) for one in (training, people)),
    ],
)
def test_the_demos_ask_for_what_trainers_take(method: str, asked: dict[str, Any]) -> None:
    options = trainers.parse(trainers.find(method), asked)
    assert options.adapter is not None
    assert asked["max_steps"] % asked["save_steps"] == 0


def test_curves_place_values_between_their_intervals() -> None:
    assert curves.whisker(0, 5, 10, 0, 10, 11) == "├────●────┤"
    assert curves.whisker(2, 3, 4, 0, 5, 11) == "    ├─●─┤  "
    assert curves.whisker(1, 1, 1, 1, 1, 5) == "●    "
    score = {
        "name": "chrf",
        "value": 30.0,
        "interval": [20.0, 40.0],
        "higher_is_better": True,
        "p_value": 0.0313,
    }
    curve: list[dict[str, Any]] = [
        {"id": None, "step": 0, "best": False, "scores": []},
        {"id": "ckpt_1", "step": 5, "best": True, "scores": [score]},
    ]
    console = Console(width=100)
    with console.capture() as captured:
        console.print(curves.plot("chrf", curve, 100))
    title, start, step = captured.get().splitlines()[:3]
    assert title.split() == ["chrf", "↑"]
    assert start.split() == ["start", "–"]
    assert step.split()[-5:] == ["30.0", "[20.0,", "40.0]", "p", "0.031"]
    assert step.index("├") < step.index("●") < step.index("┤")


def test_tables_show_values_with_intervals_and_what_failed() -> None:
    score = {
        "metric": "chrf",
        "name": "chrf",
        "value": 34.26,
        "interval": [31.75, 36.66],
        "level": 0.95,
        "n": 32,
        "missing": 0,
        "higher_is_better": True,
        "interval_method": "bootstrap",
        "signature": "chrf|version:1",
    }
    broken = score | {"value": None, "interval": None, "error": {"message": "no such thing"}}
    found = {name: _evaluation(one) for name, one in (("a", score), ("b", broken))}
    console = Console(width=100)
    with console.capture() as captured:
        console.print(tables.scores(found, ["chrf"]))
    line = next(line for line in captured.get().splitlines() if "chrf" in line)
    assert line.split() == ["chrf", "↑", "34.3", "[31.8,", "36.7]", "–"]
    assert tables.warnings(found) == ["chrf: no such thing (b)"]


def test_a_comparison_names_the_better_one_and_what_failed() -> None:
    lower = _compared(name="ter", difference=-2.0, higher_is_better=False)
    unjudged = _compared(name="length", difference=-2.0, judged=False)
    failed = _compared(difference=None, error="signatures differ")
    console = Console(width=100)
    with console.capture() as captured:
        console.print(tables.comparison("one", "two", [_compared(), lower, unjudged, failed]))
    lines = [line.split() for line in captured.get().splitlines()]
    assert ["chrf", "↑", "-2.0", "-3.0,", "-1.0", "0.010", "two", "is", "better"] in lines
    assert ["ter", "↓", "-2.00", "-3.00,", "-1.00", "0.010", "one", "is", "better"] in lines
    assert ["length", "-2.00", "-3.00,", "-1.00", "0.010", "they", "differ"] in lines
    assert ["chrf", "↑", "signatures", "differ"] in lines


def test_a_board_shows_a_jobs_checkpoints_by_a_short_name() -> None:
    row = {"rank": 1, "rank_interval": [1, 1], "system": "job_1@5", "evaluation": "eval_1"}
    row |= {"value": 1.0, "interval": None, "n": 3, "p_vs_next": None}
    board = Leaderboard.model_validate(
        {
            "dataset": "d",
            "version": 1,
            "metric": "chrf",
            "higher_is_better": True,
            "signature": "chrf|version:1",
            "rows": [row],
            "left_out": [],
        }
    )
    assert training.renamed(board, "job_1", "dpo").rows[0].system == "dpo@5"


@pytest.mark.parametrize(
    ("name", "value", "signed", "shown"),
    [
        ("chrf", 4.06, False, "4.1"),
        ("rougeL", 0.2234, False, "0.22"),
        ("perplexity", 43.04, False, "43.0"),
        ("perplexity", 12345.6, False, "12,346"),
        ("rougeL", -0.079, True, "-0.08"),
    ],
)
def test_numbers_have_the_digits_they_deserve(
    name: str, value: float, signed: bool, shown: str
) -> None:
    assert tables.number(name, value, signed) == shown


def _compared(**fields: Any) -> ComparisonResult:
    result = {
        "metric": "chrf",
        "name": "chrf",
        "a": 1.0,
        "b": 3.0,
        "difference": -2.0,
        "interval": [-3.0, -1.0],
        "p_value": 0.01,
        "p_corrected": 0.01,
        "significant": True,
        "n": 9,
        "test": "paired_bootstrap",
        "higher_is_better": True,
        "signature": "chrf|version:1",
    }
    return ComparisonResult.model_validate(result | fields)


def _evaluation(score: dict[str, object]) -> Evaluation:
    return Evaluation.model_validate(
        {
            "id": "eval_1",
            "status": "succeeded",
            "system": "a",
            "dataset": "d",
            "dataset_version": 1,
            "dataset_id": "ds_1",
            "progress": {"done": 1, "total": 1},
            "scores": [score],
        }
    )
