"""A few of the requests that `make fuzz` sends by the hundred thousand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.fuzzing.__main__ import Counts, fuzz
from tests.fuzzing.asked import Requests
from tests.fuzzing.known import fill
from tests.service.live import Live

pytestmark = pytest.mark.usefixtures("at_rest")


def test_no_request_is_answered_by_500(
    live: Live, database_url: str, data_dir: Path, tmp_path: Path
) -> None:
    known = fill(live.base, database_url, data_dir / "fuzzed-checkpoint")
    document = httpx.get(f"{live.base}/openapi.json", timeout=60).json()
    counts = Counts(tmp_path / "fuzz.jsonl")
    asyncio.run(fuzz(live.base, Requests(Random(5), document, known), 150, counts))
    assert not counts.log.exists(), counts.log.read_text()
    assert {200, 404, 422} <= {status for _, status in counts.statuses}
