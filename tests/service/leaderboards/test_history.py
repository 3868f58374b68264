"""What a system's other evaluations have otherwise is told on its row."""

from __future__ import annotations

from typing import Any

from assay import Client
from tests.known import known
from tests.service.scored import scored
from tests.service.texts import samples


def notes(assay: Client, dataset: str, system: str = "tester", metric: str = "chrf") -> list[str]:
    (row,) = [row for row in assay.leaderboard(dataset, metric).rows if row.system == system]
    return row.notes


def test_a_run_with_fewer_metrics_or_another_version_of_the_metric_is_told(assay: Client) -> None:
    def run(system: str, metric: Any) -> Any:
        given = samples(8)
        return scored(assay, system=system, dataset="reruns", samples=given, metrics=[metric])

    first = run("tester", "chrf")
    assert notes(assay, "reruns") == []
    again = run("tester", "length")
    assert notes(assay, "reruns") == [f"{again.id} is newer and has no value of chrf"]
    run("without", "length")
    run("third", "chrf")
    lower = run("tester", {"name": "chrf", "params": {"lowercase": True}})
    board = assay.leaderboard("reruns", "chrf")
    (row,) = [row for row in board.rows if row.system == "tester"]
    assert row.evaluation == first.id
    assert row.notes == [
        f"{lower.id} is newer and has another signature: lowercase: false / true",
        f"{again.id} is newer and has no value of chrf",
    ]
    assert [(one.system, one.reason, one.signature) for one in board.left_out] == [
        ("without", "no value of chrf", None)
    ]


def test_a_run_on_another_version_of_the_dataset_is_told(assay: Client) -> None:
    for size, systems in ((8, ("tester", "stayed")), (9, ("tester",))):
        for system in systems:
            given = samples(size)
            last = scored(assay, system=system, dataset="versions", samples=given, metrics=["chrf"])
    assert notes(assay, "versions@1") == [f"{last.id} is newer and is on version 2 of the dataset"]
    assert notes(assay, "versions@1", "stayed") == []
    assert notes(assay, "versions@2") == []
    (left,) = assay.leaderboard("versions", "chrf").left_out
    assert (left.system, left.reason) == ("stayed", "evaluated on version 1 of the dataset")


def test_other_settings_of_generation_are_told(assay: Client) -> None:
    records = [{"id": one["id"], "prompt": one["prompt"]} for one in samples(4)]
    assay.create_dataset("settings", records)
    done = [
        scored(
            assay,
            system="generates",
            dataset="settings",
            model="tiny-language",
            metrics=["length"],
            generation={"max_new_tokens": tokens},
        )
        for tokens in (2, 3)
    ]
    given = {one["id"]: "text" for one in records}
    scored(assay, system="sends", dataset="settings", outputs=given, metrics=["length"])
    board = assay.leaderboard("settings", "length")
    rows = {row.evaluation: row for row in board.rows if row.system == "generates"}
    assert set(rows) == {one.id for one in done}  # two protocols: two rows
    row = rows[done[1].id]
    assert row.model == "tiny-language"
    assert row.generation is not None
    assert row.generation["max_new_tokens"] == 3
    assert row.notes == [f"{done[0].id} was made with other settings: max_new_tokens: 3 / 2"]
    assert "max_new_tokens 3" in known(row.protocol).text
    assert known(row.protocol).digest != known(rows[done[0].id].protocol).digest
    (sends,) = [row for row in board.rows if row.system == "sends"]
    assert known(sends.protocol).text == "the outputs were given, 1 output a sample"
    compared = assay.request("POST", "/v1/comparisons", {"evaluations": [one.id for one in done]})
    assert compared["differs"] == ["max_new_tokens: 2 / 3"]
