"""`assay verify` and `assay import`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from assay import Client
from service.cli import app
from tests.service.archives.elsewhere import from_elsewhere
from tests.service.live import Live
from tests.service.scored import scored
from tests.service.texts import samples


@pytest.fixture(scope="module")
def done(assay: Client) -> Any:
    return scored(assay, dataset="verified", samples=samples(24), metrics=["chrf", "token_f1"])


@pytest.fixture(scope="module")
def file(assay: Client, done: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(assay.archive(done.id, tmp_path_factory.mktemp("verify") / "eval.zip"))


def typed(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))


def test_a_sound_archive_is_shown_and_exits_with_0(file: Path, done: Any) -> None:
    shown = typed("verify", str(file), "--sample", "0.25")
    assert shown.exit_code == 0, shown.output
    assert "6 samples" in shown.output
    assert "sound: 6 equal" in shown.output
    assert repr(done.score("chrf").value) in shown.output  # to the last digit
    told = json.loads(typed("verify", str(file), "--format", "json").output)
    assert told["sound"] is True
    assert told["samples"] == 24


def test_a_changed_archive_exits_with_1_and_says_where(file: Path, tmp_path: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(b"Paris")] ^= 1
    changed = tmp_path / "changed.zip"
    changed.write_bytes(data)
    refused = typed("verify", str(changed))
    assert refused.exit_code == 1
    assert "changed since the archive was written: records.jsonl" in refused.output
    assert typed("verify", str(tmp_path / "none.zip")).exit_code == 1


def test_an_archive_is_sent_to_a_service(
    live: Live, assay: Client, file: Path, done: Any, tmp_path: Path
) -> None:
    file = from_elsewhere(file, tmp_path)
    sent = typed("import", str(file), "--url", live.base)
    assert sent.exit_code == 0, sent.output
    loaded = assay.evaluation(sent.output.strip())
    assert loaded.origin is not None
    assert loaded.origin["evaluation"] == done.id
    unknown = file.parent / "notes.txt"
    unknown.write_text("nothing to import")
    refused = typed("import", str(unknown), "--url", live.base)
    assert refused.exit_code == 1
    assert "no column is taken for a score" in refused.output
    nobody = typed("import", str(file), "--url", "http://127.0.0.1:9")
    assert "no service answers" in nobody.output
