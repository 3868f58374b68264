"""Controls are measured on request, shown with the flag, and never ranked."""

from __future__ import annotations

import httpx
import numpy as np
import pytest

from assay import AssayError, Client
from service.leaderboards.controls import controls, shuffled
from tests.known import known
from tests.service.scored import scored
from tests.service.texts import samples


def test_controls_stand_beside_a_board(assay: Client) -> None:
    given = samples(32)
    for at, one in enumerate(given):
        one["references"].append(f"Another way to say it, number {at}: {one['references'][0]}")
    scored(assay, system="mine", dataset="checked", samples=given, metrics=["chrf"])
    bare = assay.leaderboard("checked", "chrf")
    assert bare.controls is None
    empty = assay.leaderboard("checked", "chrf", controls=True)
    assert empty.controls == []
    assert any("no control has been measured" in one for one in empty.warnings)
    made = assay.create_controls("checked")
    assert made.metrics == ["chrf"]
    for control in made.data:
        assert assay.wait(control.evaluation, timeout=60).status == "succeeded"
    again = assay.create_controls("checked")
    assert [one.evaluation for one in again.data] == [one.evaluation for one in made.data]
    board = assay.leaderboard("checked", "chrf", controls=True)
    values = {one.control: known(one.value) for one in known(board.controls)}
    assert list(values) == ["empty", "prompt", "shuffled", "reference"]
    assert values["empty"] < values["shuffled"] < values["reference"]
    assert [row.system for row in board.rows] == ["mine"]
    assert not any("control/" in one.system for one in board.left_out)
    assert "checked" in {one.dataset for one in assay.leaderboards()}
    assert not any("control-reference" in one.dataset for one in assay.leaderboards())
    text = httpx.get(
        assay.url + "/v1/leaderboards/checked?metric=chrf&controls=true&format=md", timeout=60
    ).content
    assert b"control, no output at all" in text


def test_names_of_controls_are_reserved(assay: Client) -> None:
    with pytest.raises(AssayError) as refused:
        assay.evaluate(system="control/mine", samples=samples(), metrics=["chrf"])
    assert (refused.value.code, refused.value.param) == ("reserved_name", "system")


def test_what_the_records_do_not_allow_is_told() -> None:
    found, lacking = controls([{"id": "1", "prompt": "?"}, {"id": "2", "references": ["a"]}])
    assert [one.name for one in found] == ["empty"]
    assert len(lacking) == 2
    one, _ = controls([{"id": str(at), "prompt": "?", "references": ["a"]} for at in range(3)])
    assert [made.name for made in one] == ["empty", "prompt", "shuffled", "reference"]
    assert one[-1].records is None  # compared with itself


def test_a_reference_is_left_out_of_those_it_is_compared_with() -> None:
    records = [{"id": str(at), "references": [f"a{at}", f"b{at}"]} for at in range(5)]
    found, _ = controls(records)
    for record, own, text in zip(records, known(found[-1].records), found[-1].texts, strict=True):
        assert {*own["references"], text} == set(record["references"])
        assert len(own["references"]) == 1


@pytest.mark.parametrize("n", [2, 3, 50])
def test_nothing_stays_where_it_was(n: int) -> None:
    texts = [str(at) for at in range(n)]
    moved = shuffled(texts, np.random.default_rng(n))
    assert sorted(moved) == sorted(texts)
    assert not any(a == b for a, b in zip(texts, moved, strict=True))
