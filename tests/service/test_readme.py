"""What README and docs tell a reader to type works, and gives the numbers they print."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from assay import Client
from demo.asking import BOARDS, CODE, QUESTIONS, SUMMARIES, evaluate
from tests.service.live import ROOT, Live

README = ROOT / "README.md"
PAGES = ("README.md", "docs/score.md", "docs/code.md", "docs/boards.md", "docs/train.md")

pytestmark = [
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here"),
    pytest.mark.usefixtures("at_rest"),
]


def commands(page: str) -> list[str]:
    """The page's curl commands that name nothing to be filled in."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return [block for block in blocks if block.startswith("curl") and "_…" not in block]


def typed(command: str, live: Live) -> Any:
    there = command.replace("localhost:8000", f"localhost:{live.port}")
    ran = subprocess.run(["bash", "-c", there], capture_output=True, check=True, timeout=60)
    return orjson.loads(ran.stdout)


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_docs_work(page: str, live: Live) -> None:
    """After the README's first one, and without anything that a demo stores."""
    found = commands(page)
    assert found
    for command in [commands("README.md")[0], *found]:
        answer = typed(command, live)
        assert "error" not in answer or answer["error"] is None, answer
        if answer["object"] == "evaluation":
            assert answer["status"] == "succeeded"


def test_the_readme_prints_what_the_service_answers(live: Live) -> None:
    printed = (ROOT / "README.md").read_text().partition("answers (trimmed)")[2]
    chrf = typed(commands("README.md")[0], live)["scores"][0]
    value = float(re.search(r'"value": ([\d.]+)', printed)[1])  # type: ignore[index]
    interval = re.search(r'"interval": \[([\d.]+), ([\d.]+)\]', printed)
    assert interval is not None
    assert chrf["value"] == pytest.approx(value)
    assert chrf["interval"] == pytest.approx([float(bound) for bound in interval.groups()])
    start, _, end = re.search(r'"signature": "(chrf[^"]*)"', printed)[1].partition("…")  # type: ignore[index]
    assert chrf["signature"].startswith(start)
    assert chrf["signature"].endswith(end)


def test_links_between_pages_lead_somewhere() -> None:
    """To a file, and to a heading where one is named."""
    for page in (README, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        text = page.read_text()
        for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", text):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(there), f"{page.name}: {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What the headings of a page are reached by."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_table_of_metrics_is_the_catalogue(assay: Client) -> None:
    """The same metrics on both sides, with the same intervals; each score named that has a name."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|.*\| (\w+)[^|]*\|$", README.read_text(), re.M)
    described = {metric["id"]: metric for metric in assay.request("GET", "/v1/metrics")["data"]}
    assert {name for name, _, _ in rows} == set(described)
    for name, scores, interval in rows:
        assert interval.lower() == described[name]["interval"], name
        written = {
            score for quoted in re.findall(r"`([^`:]+)`", scores) for score in quoted.split()
        }
        existing = {score["name"] for score in described[name]["scores"]}
        assert written <= existing | {"pass@10"}, name
        assert existing <= written or "…" in scores, name


def test_what_the_demo_asks_for_is_accepted(assay: Client) -> None:
    for board in BOARDS:
        assay.create_dataset(board.dataset, board.records(), board.kind)
        made = evaluate(assay, board, board.systems[-1])
        assert made.progress.total > 0
        if board is QUESTIONS or board is CODE:
            done = assay.wait(made.id)
            assert all(score.value is not None and score.interval for score in done.scores)
        else:
            assay.cancel(made.id)


def test_asking_twice_is_the_same_evaluation(assay: Client) -> None:
    assay.create_dataset(QUESTIONS.dataset, QUESTIONS.records())
    first, again = (evaluate(assay, QUESTIONS, "editor", b"these metrics").id for _ in range(2))
    other = evaluate(assay, QUESTIONS, "editor", b"other metrics").id
    assert first == again != other


def test_what_was_cancelled_is_asked_anew(assay: Client) -> None:
    assay.create_dataset(SUMMARIES.dataset, SUMMARIES.records())
    first = evaluate(assay, SUMMARIES, "loop", b"to be cancelled").id
    assay.cancel(first)
    assert assay.wait(first).status == "cancelled"
    again = evaluate(assay, SUMMARIES, "loop", b"to be cancelled").id
    assert again != first
    assay.cancel(again)
