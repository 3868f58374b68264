"""`assay board` and `assay compare`, as a user types them, on the running service."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from assay import Client
from service.figures.terminal import bars, show
from service.leaderboards.tables import board_table, comparison_table
from tests.service.figures.boards import HOSTILE, board, comparison, result
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.test_cli import assay as command
from tests.service.texts import samples


def printed(table: object, **options: object) -> str:
    file = io.StringIO()
    show(table, Console(file=file, width=160, markup=False, **options))  # type: ignore[arg-type]
    return file.getvalue()


def test_bars_stand_where_their_values_are() -> None:
    given = board(["a", "b", "c", "d"])  # 60 ± 1.25, 59 ± 1.25, 58, 57 ± 1.25
    first, second, third, fourth = bars(board_table(given), 57)
    assert len(first) == 57  # 55.75 to 61.25: one character is a tenth
    assert [line.index("●") for line in (first, second, third, fourth)] == [43, 33, 23, 13]
    assert first.strip() == "├" + "─" * 11 + "●" + "─" * 12 + "┤"
    assert fourth.startswith("├")
    assert third.strip() == "●"
    results = [result("chrf", 2.0, 0.01), result("bleu", 0.5, 0.4), result("x", None, 1.0)]
    left, around, none = bars(comparison_table(comparison(results)), 31)
    assert left.index("┊") == around.index("┊") == 15  # zero is in the middle
    assert left.index("├") > 15 > around.index("├")
    assert none == ""


def test_a_name_commands_no_terminal_and_colours_need_one() -> None:
    table = board_table(board(HOSTILE))
    plain = printed(table)
    assert "\x1b" not in plain
    assert "\u202e" not in plain
    assert "[x]* -- ``y'' | <b>bold</b>" in plain
    coloured = printed(table, force_terminal=True, color_system="standard")
    assert "\x1b[36m" in coloured
    assert "\x1b[31m" not in coloured
    assert "[31mred" in Text.from_ansi(coloured).plain


@pytest.fixture(scope="module")
def pair(assay: Client) -> list[str]:
    good = scored(assay, system="хорошая", dataset="shown", samples=samples(48), metrics=["chrf"])
    worse = samples(48, worse=True)
    bad = scored(assay, system="bad", dataset="shown", samples=worse, metrics=["chrf"])
    return [good.id, bad.id]


def test_a_board_and_a_comparison_are_printed(live: Live, pair: list[str], tmp_path: Path) -> None:
    shown = command("board", "shown", "chrf", "--url", live.base)
    assert shown.returncode == 0, shown.stderr
    assert "shown@1 by chrf" in shown.stdout
    assert [line.split()[2] for line in shown.stdout.splitlines() if "●" in line] == [
        "хорошая",
        "bad",
    ]
    shown = command("compare", *pair, "--url", live.base, "-m", "chrf")
    assert shown.returncode == 0, shown.stderr
    assert "Comparison of хорошая and bad" in shown.stdout
    assert "┊" in shown.stdout
    rows = command("board", "shown", "chrf", "--url", live.base, "--format", "csv").stdout
    assert [row["system"] for row in csv.DictReader(io.StringIO(rows))] == ["хорошая", "bad"]
    file = tmp_path / "comparison.json"
    done = command("compare", *pair, "--url", live.base, "-f", "json", "-o", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(file.read_bytes())["results"][0]["name"] == "chrf"


def test_clusters_slices_corrections_and_dates_are_options(live: Live, pair: list[str]) -> None:
    def rows(*words: str) -> list[dict[str, str]]:
        done = command(*words, "--url", live.base, "--format", "csv")
        assert done.returncode == 0, done.stderr
        return list(csv.DictReader(io.StringIO(done.stdout)))

    (whole,) = rows("compare", *pair)
    (part,) = rows("compare", *pair, "--slice", "lang=ru", "--correction", "bh")
    (grouped,) = rows("compare", *pair, "--cluster", "prompt")
    assert (whole["n"], part["n"], whole["clusters"], grouped["clusters"]) == ("48", "24", "", "8")
    assert (whole["correction"], part["correction"]) == ("holm", "bh")
    plain, clustered = (
        rows("board", "shown", "chrf"),
        rows("board", "shown", "chrf", "--cluster", "prompt", "--at", "2999-01-01"),
    )
    assert [row["system"] for row in clustered] == [row["system"] for row in plain]
    assert [row["interval_low"] for row in clustered] != [row["interval_low"] for row in plain]
    early = command("board", "shown", "chrf", "--at", "2020-01-01", "--url", live.base)
    assert (early.returncode, "nothing had landed by" in early.stderr) == (1, True)


def test_what_goes_wrong_is_said_in_a_line(live: Live) -> None:
    wrong = command("board", "no-such-set", "chrf", "--url", live.base)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("assay: there is no dataset 'no-such-set'")
    no_form = command("board", "x", "chrf", "-o", "x.csv")
    assert (no_form.returncode, "--format" in no_form.stderr) == (1, True)
    nobody = command("compare", "eval_a", "eval_b", "--url", "http://127.0.0.1:9")
    assert nobody.returncode == 1
    assert "no service answers at http://127.0.0.1:9" in nobody.stderr
    assert "Traceback" not in nobody.stderr
