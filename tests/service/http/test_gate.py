"""A request reaches the database through the gate alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.service.live import ROOT

OPENS = re.compile(r"\.(begin|connect)\(|state\.engine|\bcreate_engine\b")
REQUESTS = ("routes", "views", "schemas", "uploads", "comparisons", "checkpoint_routes", "archive")


def request_modules() -> list[Path]:
    rooms = ROOT / "service"
    return [
        path
        for path in rooms.rglob("*.py")
        if path.stem in REQUESTS or path.parent.name in {"catalogue", "http"}
    ]


@pytest.mark.parametrize(
    "path", request_modules(), ids=lambda path: f"{path.parent.name}.{path.stem}"
)
def test_no_endpoint_opens_a_transaction_of_its_own(path: Path) -> None:
    opened = OPENS.findall(path.read_text())
    assert opened == (["begin"] if path.stem == "gate" else [])
